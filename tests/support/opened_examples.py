"""Start an app, open every example and every tab as the page does, and then what no page asks by itself.

Run: python opened_examples.py FOLDER, one of `app_fixtures.prepare`; prints what was answered and imported as JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from afa_viz.console import exit_now
from afa_viz.ui.server.options import Options
from afa_viz.ui.server.prepare import open_prepared
from afa_viz.ui.sessions.prepared_answers import PreparedAnswers

HEAVY = ("torch", "timm", "scipy", "skimage", "matplotlib")
WITHOUT_WALK = {"model": None, "switched": ["random walk"], "crf": False, "setting": None, "value": None}
OPENED: dict[str, Any] = {"device": "cpu", "train": True, "warm": False}
FOLDERS = {"checkpoint_folder": "checkpoints", "examples": "examples", "cache": "cache", "runs": "runs"}
PAGE = {"order": "set", "stage": "seg", "before": "walk_start", "class_name": "", "page": 0}


def open_all(options: Options, prepared: PreparedAnswers | None) -> dict[str, Any]:
    """The texts that a page gets, which of `HEAVY` are imported then, and texts that it only gets when asked."""
    from afa_viz.ui.handlers.callbacks import Callbacks
    from afa_viz.ui.handlers.dataset.handlers import DataSetHandlers
    from afa_viz.ui.handlers.dataset.images import DataSet
    from afa_viz.ui.handlers.dataset.scoring import Scorer
    from afa_viz.ui.handlers.explorer import ExplorerHandlers
    from afa_viz.ui.page.config_fields import SLIDERS
    from afa_viz.ui.server.app import build

    page = build(options, prepared)
    texts: dict[str, str] = {}
    explorer = next(block for block in page.demo.blocks.values() if block.elem_id == "afa-explorer")
    texts["first page"] = explorer.value
    texts["offers"] = explorer.props["offers"]
    session = page.session
    answers = ExplorerHandlers(session, options.examples.parent / "exports")
    callbacks = Callbacks(session, answers)
    dataset: DataSet = session.images._dataset  # type: ignore[assignment]
    browse = DataSetHandlers(session, dataset, Scorer(session, dataset))
    ask = {one.__name__: one for one in (*answers.server_functions(), *browse.server_functions())}
    model = session.registry.names[0]
    settings = [[], *(slider.value(session.registry.config(model)) for slider in SLIDERS)]
    for index, example in enumerate(session.examples):
        value, present, image_id = callbacks.open_example(index, model, *settings)
        key = json.loads(value)["key"]
        texts[f"{example.name} opened"] = json.dumps([value, present, image_id])
        last = len(json.loads(ask["scene"]({"key": key}))["blocks"]) - 1
        for name, asked in (
            ("scene", {}), ("overview", {}), ("affinity", {}), ("heads", {}), ("lab", {}), ("training_run", {}),
            ("attention", {"block": last, "logits": False}), ("compare", {"b": WITHOUT_WALK}), ("dataset_page", PAGE),
        ):  # fmt: skip
            texts[f"{example.name} {name}"] = ask[name]({"key": key, **asked})
    texts["link"] = callbacks.open_link({"example": session.examples[1].name})[0]
    found = sorted(name for name in HEAVY if name in sys.modules)
    late = {}  # what was not prepared is answered as well
    late["crf"] = ask["crf"]({"key": key})
    moved = [[], 0.2, *settings[2:]]
    late["moved"] = callbacks.change_settings("bkg_score_low", image_id, model, present, *moved)[0]
    value, *_ = callbacks.open_example(1, model, *settings)
    key, label = json.loads(value)["key"], json.loads(value)["main"]
    for step in json.loads(ask["lab"]({"key": key}))["steps"]:
        if step["missing"]:
            continue
        codes = step["of"][str(label)]["options"]
        known = {"cell": [0, 0], "share": 0.5, "pairs": codes[:1] * 3, "order": codes}
        asked = {"key": key, "step": step["name"], "answer": known.get(step["kind"]) or codes[0], "label": label}
        late[f"lab {step['name']}"] = ask["lab_check"](asked)
    late["code"] = ask["python_code"](
        {"key": key, "tab": "cam", "label": label, "cell": [1, 2], "block": 7, "head": -1, "b": None}
    )
    late["file"] = ask["export_file"]({"key": key, "kind": "png", "label": label, "cell": [1, 2], "language": "en"})
    return {"texts": texts, "imported": found, "late": late}


def main() -> None:
    folder = Path(sys.argv[1])
    options = replace(Options(**OPENED), **{name: folder / at for name, at in FOLDERS.items()})
    print(json.dumps(open_all(options, open_prepared(options))), flush=True)
    exit_now(0)  # as the app does: threads that trim memory may still compute


if __name__ == "__main__":
    main()
