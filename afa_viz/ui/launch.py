"""The command line of the page: `python app.py`."""

from __future__ import annotations

import argparse
import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from afa_viz.ui.app import TITLE, Options, build, serve
from afa_viz.ui.pictures import Refusal
from afa_viz.ui.temporary import own_folder, remove_when_terminated

LOOPBACK = ("127.0.0.1", "localhost", "::1")  # hosts that only this computer reaches


def parser() -> argparse.ArgumentParser:
    """The command line of `app.py`."""
    result = argparse.ArgumentParser(description=TITLE)
    result.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="C",
        help="a folder, file or hf://owner/repo; may be repeated; default: everything in checkpoints/",
    )
    result.add_argument("--examples", type=Path, default=Options.examples, help="folder with examples.json")
    result.add_argument(
        "--data", default=Options.data, metavar="SET",
        help="images of the tab Data set: sandbox, folder:PATH, voc:PATH or coco:PATH (default: sandbox)",
    )  # fmt: skip
    result.add_argument("--split", help="of the data set (default: val; all of a folder)")
    result.add_argument("--cache", type=Path, help="folder for rendered scenes and scores (default: the user's cache)")
    result.add_argument("--host", default="127.0.0.1", help="0.0.0.0 serves the whole network")
    result.add_argument("--port", type=int, default=None, help="default: the first free one from 7860")
    result.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    result.add_argument(
        "--train", action=argparse.BooleanOptionalAction, default=None,
        help="let visitors train (default: only where nobody but this computer can visit)",
    )  # fmt: skip
    result.add_argument("--runs", type=Path, default=Options.runs, help="folder of trainings (default: runs/page)")
    result.add_argument("--share", action="store_true", help="a public address through gradio's servers")
    return result


def may_train(asked: bool | None, host: str, share: bool) -> bool:
    """Whether visitors may train: as `asked`; without a word only where nobody but this computer can visit."""
    return asked if asked is not None else host in LOOPBACK and not share and "SPACE_ID" not in os.environ


def launch(arguments: Sequence[str] | None = None) -> None:
    """Build the page from command-line arguments and serve it until it is stopped."""
    options = parser().parse_args(arguments)
    on_spaces = "SPACE_ID" in os.environ
    host = "0.0.0.0" if on_spaces else options.host
    if on_spaces:  # nothing is written but temporary files; matplotlib keeps a list of fonts
        os.environ.setdefault("MPLCONFIGDIR", str(Path(tempfile.gettempdir()) / "matplotlib"))
    try:
        if options.port is not None:
            require_free(host, options.port)
        own_folder()
        remove_when_terminated()
        page = build(
            Options(
                tuple(options.checkpoint), examples=options.examples, device=options.device, data=options.data,
                split=options.split, cache=options.cache, train=may_train(options.train, host, options.share),
                runs=options.runs,
            )
        )  # fmt: skip
    except (Refusal, OSError) as error:
        raise SystemExit(f"app.py: {error}") from None
    try:
        serve(page, server_name=host, server_port=options.port, share=options.share)
    except OSError as error:
        raise SystemExit(f"app.py: the page can not be served at {host}: {error}") from None


def require_free(host: str, port: int) -> None:
    """Said before the models are loaded. Raises: OSError: in one sentence, for a port that can not be had."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except (OSError, OverflowError):
        raise OSError(
            f"port {port} of {host} is taken or not allowed; choose another one with --port, or leave it out for the "
            "first free one."
        ) from None
