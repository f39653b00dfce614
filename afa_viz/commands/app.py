"""`app`: serve the app; the same as `python app.py` where the package is installed."""

from __future__ import annotations

import argparse

from afa_viz.ui.server import launch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    launch.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Serve until stopped; does not return. Raises: SystemExit: with one sentence, if it cannot be served."""
    launch.serve(args)
