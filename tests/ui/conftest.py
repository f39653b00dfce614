"""The app without gradio, with the small network: made once per file, which may replace any of these fixtures."""

from __future__ import annotations

import pytest
from app_fixtures import open_session, prepare

from afa_viz.ui.handlers.callbacks import Callbacks
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.server.options import Options
from afa_viz.ui.sessions.session import Session


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    return prepare(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def session(options: Options) -> Session:
    return open_session(options)


@pytest.fixture(scope="module")
def answers(session: Session, tmp_path_factory: pytest.TempPathFactory) -> ExplorerHandlers:
    return ExplorerHandlers(session, tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="module")
def callbacks(session: Session, answers: ExplorerHandlers) -> Callbacks:
    return Callbacks(session, answers)
