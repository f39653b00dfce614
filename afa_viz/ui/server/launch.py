"""The command line of the app: `python app.py`.

Gradio and torch are imported after the arguments are parsed and the folder for uploads is set, which gradio reads when
it is imported.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from afa_viz.console import announce, exit_now, exit_on_signals, prepare_streams
from afa_viz.data.arguments import SET_HELP, SET_SPLIT_HELP, add_data_arguments
from afa_viz.ui.server.account import prepare_home
from afa_viz.ui.server.hosts import AllowedHosts, Host, Origin, parse_host, parse_origin
from afa_viz.ui.server.options import TITLE, Options
from afa_viz.ui.server.ports import choose_port, require_address, trust_loopback
from afa_viz.ui.sessions.temporary import process_folder

if TYPE_CHECKING:
    from afa_viz.ui.server.app import BuiltApp
    from afa_viz.ui.sessions.class_report import ClassReport
    from afa_viz.ui.sessions.prepared_answers import PreparedAnswers

PORT_ATTEMPTS = 3  # another program may take a port that was free a moment before


def parser() -> argparse.ArgumentParser:
    """The command line of `app.py`."""
    result = argparse.ArgumentParser(prog="app.py", description=TITLE)
    add_arguments(result)
    return result


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Declare the arguments of the app."""
    result.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="C",
        help="a folder, file, hf://owner/repo, timm:NAME or timm:NAME@FILE; may be repeated; default: everything in "
        "checkpoints/",
    )
    result.add_argument("--examples", type=Path, default=Options.examples, help="folder with examples.json")
    add_data_arguments(
        result,
        data={
            "default": Options.data,
            "metavar": "SET",
            "help": f"images of the Data set tab: {SET_HELP} (default: sandbox)",
        },
        root=None,
        split=SET_SPLIT_HELP,
    )
    result.add_argument(
        "--cache", type=Path, help="folder for rendered scenes, scores and prepared answers (default: the user's cache)"
    )
    result.add_argument(
        "--host", type=_host, default=Host("127.0.0.1"),
        help="address to serve at: 127.0.0.1 or ::1 for this computer only (default: 127.0.0.1), 0.0.0.0 or :: for "
        "all networks that it is connected to",
    )  # fmt: skip
    result.add_argument(
        "--port",
        type=int,
        default=None,
        help="port to serve at; 0: any free one (default: the first free one from 7860)",
    )
    result.add_argument(
        "--public-name", type=_site, action="append", default=[], metavar="NAME",
        help="a host name under which visitors reach the server, for instance by a reverse proxy: NAME, NAME:PORT, or "
        "http://NAME without TLS; may be repeated (default: none; requests for other names are refused)",
    )  # fmt: skip
    result.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    result.add_argument(
        "--train", action=argparse.BooleanOptionalAction, default=None,
        help="let visitors train (default: only if no other computer can reach the app)",
    )  # fmt: skip
    result.add_argument(
        "--runs", type=Path, default=Options.runs, help="folder of the training runs (default: runs/page)"
    )
    result.add_argument(
        "--class-report", action="store_true",
        help="count the answers of the lab, and print an address that shows the counts to a teacher",
    )  # fmt: skip
    result.add_argument(
        "--onnxruntime-web", type=Path, metavar="DIR",
        help="folder of the npm package onnxruntime-web: visitors may have their photographs explained in their own "
        "browsers (needs `pip install onnx onnxscript`; default: the server explains all)",
    )  # fmt: skip
    result.add_argument("--share", action="store_true", help="a public address through gradio's servers")


def _host(text: str) -> Host:
    host = parse_host(f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text)
    if host is None or host.port is not None:
        raise argparse.ArgumentTypeError(f"it is {text!r}; expected an address or a name, with the port in --port.")
    return host


def _site(text: str) -> Origin:
    site = parse_origin(text.removesuffix("/"), "https")
    if site is None:
        raise argparse.ArgumentTypeError(f"it is {text!r}; expected NAME, NAME:PORT, https://NAME or http://NAME.")
    return site


def training_allowed(asked: bool | None, host: str | Host, share: bool, public: bool = False) -> bool:
    """Whether visitors may train: as `asked`; by default only if no other computer can reach the app."""
    bound = host if isinstance(host, Host) else Host(host)
    alone = bound.is_loopback and not share and not public and "SPACE_ID" not in os.environ
    return alone if asked is None else asked


def launch(arguments: Sequence[str] | None = None) -> None:
    """Build the app from command-line arguments and serve it until it is stopped; does not return.

    Raises: SystemExit: with one sentence, if it cannot be served.
    """
    prepare_streams()
    serve(parser().parse_args(arguments))


def serve(options: argparse.Namespace) -> None:
    """Build the app and serve it until it is stopped; does not return.

    Args:
        options: see `add_arguments`.
    Raises: SystemExit: with one sentence, if it cannot be served.
    """
    with exit_on_signals():
        try:
            _serve(options)
        except OSError as error:
            raise SystemExit(f"app.py: {error}") from None


def _serve(options: argparse.Namespace) -> None:
    """Raises: OSError or SystemExit: with one sentence."""
    on_spaces = "SPACE_ID" in os.environ
    host: Host = Host("0.0.0.0") if on_spaces else options.host
    allowed_hosts = AllowedHosts(host, [*options.public_name, *(space_origins() if on_spaces else ())])
    train = training_allowed(options.train, host, options.share, bool(options.public_name))
    if options.onnxruntime_web is not None:
        _require_network_packages(options.onnxruntime_web)
    require_address(host)
    choose_port(host, options.port)  # fails before the models are loaded
    trust_loopback(host)
    if on_spaces:  # only temporary files are writable; matplotlib caches a list of fonts
        os.environ.setdefault("MPLCONFIGDIR", str(Path(tempfile.gettempdir()) / "matplotlib"))
    os.environ.pop("GRADIO_DEBUG", None)  # with it, gradio would block before the address can be printed
    prepare_home()
    process_folder()
    from afa_viz.ui.server.prepare import open_prepared

    chosen = Options(
        tuple(options.checkpoint), examples=options.examples, device=options.device, data=options.data,
        split=options.split, cache=options.cache, train=train, runs=options.runs, class_report=options.class_report,
        onnxruntime_web=options.onnxruntime_web,
    )  # fmt: skip
    prepared = open_prepared(chosen)
    page = build(chosen, prepared)
    try:
        share = _listen(page, host, options.port, allowed_hosts, options.share, on_spaces)
    except OSError as error:  # examples are being explained: see `exit_now`
        print(f"app.py: {error}", file=sys.stderr)
        exit_now(1)
    if prepared is not None:
        prepared.prepare_missing(page.session.examples)
    announce(*startup_lines(host, page.demo.server_port, allowed_hosts, share, train, page.report))
    while True:
        time.sleep(3600)  # until a signal


def _require_network_packages(folder: Path) -> None:
    """Raises: SystemExit: with one sentence, if the network cannot be made for visitors' browsers."""
    from afa_viz.model.onnx_packages import require_packages
    from afa_viz.ui.site.runtimes import find_runtimes

    try:
        find_runtimes(folder)
        require_packages()
    except ValueError as error:
        raise SystemExit(f"app.py: {error}") from None


def build(options: Options, prepared: PreparedAnswers | None) -> BuiltApp:
    """`app.build`. Raises: SystemExit: with the sentence of a `UserError`."""
    gc.disable()  # imported modules stay: collecting garbage among them takes a sixth of the start
    from afa_viz.ui.errors import UserError
    from afa_viz.ui.server import app
    from afa_viz.ui.sessions.memory import limit_arenas

    limit_arenas()

    gc.freeze()
    gc.enable()
    try:
        return app.build(options, prepared)
    except UserError as error:
        raise SystemExit(f"app.py: {error}") from None


def _listen(
    page: BuiltApp, host: Host, port: int | None, allowed_hosts: AllowedHosts, share: bool, on_spaces: bool
) -> Origin | None:
    """Start serving in threads; returns the origin of `--share`, if any. Raises: OSError: with one sentence."""
    from afa_viz.ui.server.app import serve

    for tries in reversed(range(PORT_ATTEMPTS)):
        try:
            _, _, shared = serve(
                page, allowed_hosts, ("*",) if on_spaces else (), server_name=str(host), share=share, quiet=True,
                server_port=choose_port(host, port), prevent_thread_lock=True,
            )  # fmt: skip
            break
        except OSError as error:
            if port or not tries:
                raise OSError(f"the app cannot be served at {host}: {error}") from None
    site = parse_origin(shared) if shared else None
    if site is not None:
        allowed_hosts.public.append(site)
    return site


def space_origins() -> list[Origin]:
    """The origins of a Hugging Face Space, from its environment variables."""
    usual = re.sub(r"[^a-z0-9]+", "-", os.environ.get("SPACE_ID", "").lower()) + ".hf.space"
    sites = [parse_origin(name.strip(), "https") for name in (os.environ.get("SPACE_HOST") or usual).split(",")]
    return [site for site in sites if site is not None]


def startup_lines(
    host: Host,
    port: int,
    allowed_hosts: AllowedHosts,
    share: Origin | None,
    train: bool,
    report: ClassReport | None = None,
) -> list[str]:
    """The lines printed when the app has started: its address, who can open it, who may train, the teacher's view."""
    shown = Host({"0.0.0.0": "localhost", "::": "::1"}.get(host.name, host.name), port)
    lines = [f"AFA Viz is at http://{shown} (Ctrl-C ends it)."]
    if shown.name != host.name:
        lines.append(
            f"--host {host.name}: everyone in this computer's networks can open it, at the computer's address."
        )
    elif not host.is_loopback:
        lines.append(f"--host {host.name}: everyone who reaches this address can open it.")
    lines += [f"It also answers as {site}: everyone who reaches that can open it." for site in allowed_hosts.public]
    if share is not None:
        lines.append("--share: that is everyone on the web, through a server of gradio's makers.")
    if host.is_loopback and not allowed_hosts.public:
        lines.append("Only this computer can open it.")
    if train:
        lines.append("Everyone who can open it can start and stop trainings (--no-train turns that off).")
    else:
        lines.append("Training is off (--train lets everyone who can open it start and stop trainings).")
    if report is not None:
        from afa_viz.ui.server.class_report_page import address

        lines.append(f"--class-report: http://{shown}{address(report)} shows what the class answers (counts only).")
        lines.append("Everyone who knows that address can read it; the next start makes another one.")
    return lines
