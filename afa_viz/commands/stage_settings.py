"""The option `--set` of the commands that explain images."""

from __future__ import annotations

import argparse

HELP = "settings of the stages, such as bkg_score=0.4 (all of them: `explain --help`)"


def add_stage_settings(parser: argparse.ArgumentParser, help: str = HELP) -> None:
    """Declare `--set KEY=VALUE …`, which may be repeated."""
    parser.add_argument(
        "--set", dest="settings", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help=help
    )
