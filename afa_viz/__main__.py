"""The command line: `python -m afa_viz COMMAND …`. A command's module is imported only when the command is chosen."""

from __future__ import annotations

import argparse
import os
import select
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from afa_viz import __version__
from afa_viz.config_io import nearest
from afa_viz.console import format_error, prepare_streams
from afa_viz.training.machine_errors import OUT_OF_MEMORY

PROGRAM = "afa-viz" if Path(sys.argv[0]).stem == "afa-viz" else "python -m afa_viz"
USER_ERROR = 2  # exit code of errors that the user can fix
INTERRUPTED = 130
PIPE_CLOSED = 141  # shell convention: 128 + signal number


@dataclass(frozen=True)
class Command:
    """A sub-command: its name, one line of help, and the module with `add_arguments(parser)` and `run(args)`.

    `run` returns an exit code or None for success.
    """

    name: str
    help: str
    module: str


COMMANDS = (
    Command("train", "train a network on image labels", "afa_viz.commands.train"),
    Command("evaluate", "score every stage on a data set", "afa_viz.commands.evaluate"),
    Command("explain", "explain images: write stage images, a trace and a report for each", "afa_viz.commands.explain"),
    Command(
        "predict",
        "write label maps of a stage as PNGs, for images, folders, lists or a split",
        "afa_viz.commands.predict",
    ),
    Command("convert", "convert weights of another layout to a checkpoint of this package", "afa_viz.commands.convert"),
    Command("export", "export a network with all its outputs as an ONNX file", "afa_viz.commands.export"),
    Command("push", "upload a checkpoint to the Hugging Face hub", "afa_viz.commands.push"),
    Command("data", "write a data set to disk, or check one", "afa_viz.commands.data"),
    Command("bench", "run the benchmarks and compare with their targets", "afa_viz.commands.bench"),
    Command("app", "serve the app, as `python app.py` does", "afa_viz.commands.app"),
    Command("site", "write the explorer as a static web site", "afa_viz.commands.site"),
    Command("space", "deploy the app as a Space on the Hugging Face hub", "afa_viz.commands.space"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. User errors are printed as one sentence on stderr."""
    prepare_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    commands = {command.name: command for command in COMMANDS}
    if not arguments or arguments[0] not in commands:
        return _without_command(arguments, list(commands))
    command = commands[arguments[0]]
    try:
        module = import_module(command.module)
        parser = argparse.ArgumentParser(
            prog=f"{PROGRAM} {command.name}", description=f"{command.help[0].upper()}{command.help[1:]}."
        )
        module.add_arguments(parser)
        args = parser.parse_args(arguments[1:])
        return int(module.run(args) or 0)
    except SystemExit as stop:  # argparse has printed its error or help
        if isinstance(stop.code, str):
            return _print_error(stop.code.removeprefix("app.py: "))
        return stop.code if isinstance(stop.code, int) else USER_ERROR
    except KeyboardInterrupt as stop:
        return getattr(stop, "exit_code", INTERRUPTED)
    except BrokenPipeError as error:
        return PIPE_CLOSED if _output_is_closed() else _print_error(format_error(error))
    except (ValueError, OSError) as error:
        return _print_error(format_error(error))
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(words in str(error).lower() for words in OUT_OF_MEMORY):
            raise
        return _print_error("memory ran out; close other programs, or choose smaller images, sizes or batches.")
    except ModuleNotFoundError as error:
        if error.name != command.module:
            raise
        return _print_error(f"{command.name} is not part of this installation.")


def _without_command(arguments: Sequence[str], names: Sequence[str]) -> int:
    width = max(len(name) for name in names)
    listed = "\n".join(f"  {command.name:<{width}}  {command.help}" for command in COMMANDS)
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [-h] [--version] COMMAND …",
        description="See how image-level labels become masks: AFA, step by step.",
        epilog=f"commands:\n{listed}\n\n{PROGRAM} COMMAND --help lists the arguments of a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"afa_viz {__version__}")
    if arguments and not arguments[0].startswith("-"):
        close = nearest(arguments[0], names)
        tail = f"the nearest is {close!r}" if close else f"expected one of {', '.join(names)}"
        return _print_error(f"there is no command {arguments[0]!r}; {tail}.")
    try:
        parser.parse_args(list(arguments))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USER_ERROR
    parser.print_help(sys.stderr)
    return USER_ERROR


def _output_is_closed() -> bool:
    """Whether the reader of stdout is gone, as with `| head`; stdout is then redirected to the null device."""
    try:
        asked = select.poll()
        asked.register(sys.stdout.fileno(), select.POLLOUT)
        closed = any(event & select.POLLERR for _, event in asked.poll(0))
    except (AttributeError, OSError, ValueError):  # Windows, or no file behind it
        return False
    if closed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return closed


def _print_error(message: str) -> int:
    line = " ".join(message.split())
    print(f"afa_viz: {line}{'' if line.endswith(('.', '!', '?')) else '.'}", file=sys.stderr)
    return USER_ERROR


if __name__ == "__main__":
    sys.exit(main())
