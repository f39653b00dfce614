"""The command-line options that name a data set, the same for every command."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

LAYOUTS = ("voc", "coco", "folder")  # of photographs
SET_HELP = "sandbox, folder:PATH, voc:PATH or coco:PATH"  # one option for layout and folder
SET_SPLIT_HELP = "split of the data set (default: val; for a folder: all images)"
ROOT_HELP = "folder of the data set; `data check` lists what must be there"


def add_data_arguments(
    parser: argparse._ActionsContainer,
    *,
    split: str,
    data: Mapping[str, Any] | None = None,
    layout: bool = False,
    root: str | None = ROOT_HELP,
    require_root: bool = False,
    several_splits: bool = False,
) -> None:
    """Declare the data set of a command: --data, --root and --split.

    Args:
        split: help of --split.
        data: keywords of --data for argparse; None: without it.
        layout: take one of `LAYOUTS` by position, in place of --data.
        root: help of --root; None: without it.
        require_root: --root must be given.
        several_splits: --split may be repeated; its value is a list.
    """
    if layout:
        parser.add_argument("data", choices=LAYOUTS, help="layout of the data set")
    elif data is not None:
        parser.add_argument("--data", **data)
    if root is not None:
        parser.add_argument("--root", required=require_root, metavar="DIR", help=root)
    repeated: dict[str, Any] = {"action": "append", "default": []} if several_splits else {}
    parser.add_argument("--split", help=split, **repeated)
