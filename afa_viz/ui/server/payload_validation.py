"""Validates requests to events and server functions against the components of the app, before gradio handles them.

The handlers validate the values themselves; this module checks what gradio would fail on: the index of an event, how
many values it takes, and files that were never uploaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from afa_viz.ui.localization import error_message
from afa_viz.ui.server.guard import RequestError
from afa_viz.ui.server.routes import SESSION

FILES = (gr.File,)
FILE_FIELDS = {"path": (str,), "url": (str, None), "orig_name": (str, None), "mime_type": (str, None)}
EVENT_FILES = ("path", "mask")  # entries of event data that name uploaded files
MARK = {"_type": "gradio.FileData"}


class PayloadValidator:
    """Validates requests to one app.

    Args:
        blocks: the app, with all its events.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        self._takes_file = {
            number: [isinstance(block, FILES) for block in event.inputs] for number, event in blocks.fns.items()
        }
        self._numbers = {event.api_name: number for number, event in blocks.fns.items()}
        self._functions = {
            number: {name for name in vars(block) if getattr(getattr(block, name), "_is_server_fn", False)}
            for number, block in blocks.blocks.items()
        }

    def check(self, path: str, body: bytes) -> None:
        """Validate a JSON request. Raises: RequestError: if it does not match an event or function of the app.

        Args:
            path: of the request.
        """
        question = _read(body)
        session = question.get("session_hash")
        if not (isinstance(session, str) and re.fullmatch(SESSION, session, re.ASCII)) and (
            session is not None or "/call/" not in path
        ):
            raise RequestError(400, "session_hash is not a short word of letters and digits.")
        if "component_server" in path:
            self._check_function(question)
        else:
            self._check_event(path, question)

    def _check_function(self, question: dict) -> None:
        number, name = question.get("component_id"), question.get("fn_name")
        functions = self._functions.get(number, ()) if isinstance(number, int) else ()
        if not _is_number(number) or not isinstance(name, str) or name not in functions:
            raise RequestError(404, "The app has no such function.")
        if "data" not in question:
            raise RequestError(400, "There is no question in data.")

    def _check_event(self, path: str, question: dict) -> None:
        called = path.partition("/call/")[2]
        number = self._numbers.get(called) if called else question.get("fn_index")
        if not _is_number(number) or number not in self._takes_file:
            raise RequestError(404, "The app has no such event.")
        takes_file, data = self._takes_file[number], question.get("data")
        if not isinstance(data, list) or len(data) != len(takes_file):
            raise RequestError(400, f"data is not a list of {len(takes_file)} values, as this event takes them.")
        if not (question.get("trigger_id") is None or _is_number(question["trigger_id"])):
            raise RequestError(400, "trigger_id is not the number of a component.")
        event = question.get("event_data")
        files = [event[name] for name in EVENT_FILES if event.get(name) is not None] if isinstance(event, dict) else []
        if not all(map(_is_upload, files)):
            raise RequestError(400, error_message("refused.upload_gone"))
        for value, is_file in zip(data, takes_file, strict=True):
            if is_file and value is not None:
                _check_file(value)
            elif any({"path", "meta"} <= part.keys() for part in _dicts(value)):
                raise RequestError(400, "There is a file where this event takes none.")


def _read(body: bytes) -> dict[str, Any]:
    """A JSON object as browsers send it: no NaN, no lone surrogates. Raises: RequestError: for anything else."""
    try:
        question = json.loads(body, parse_constant=_no_number)
        json.dumps(question, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        question = None
    if not isinstance(question, dict):
        raise RequestError(400, "This is not a JSON object.")
    return question


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _dicts(value: object) -> Iterable[dict]:
    """All dictionaries in a value; `Guard` has limited its nesting."""
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _dicts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _dicts(part)


def _check_file(value: object) -> None:
    """Raises: RequestError: for anything but an uploaded file that still exists."""
    if not isinstance(value, dict) or value.get("meta") != MARK or value.get("is_stream"):
        raise RequestError(400, "There is no uploaded file where this event takes one.")
    for field, kinds in FILE_FIELDS.items():
        if not any(value.get(field) is kind if kind is None else isinstance(value.get(field), kind) for kind in kinds):
            raise RequestError(400, f"The file's {field} is not text.")
    if not (value.get("size") is None or _is_number(value["size"])):
        raise RequestError(400, "The file's size is not a number of bytes.")
    if not _is_upload(value["path"]):
        raise RequestError(400, error_message("refused.upload_gone"))


def _is_upload(path: object) -> bool:
    try:
        if not isinstance(path, str):
            return False
        found = Path(path).resolve()
        return found.is_relative_to(Path(get_upload_folder()).resolve()) and found.is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, circular links
        return False
