"""`space OWNER/NAME`: the app with its bundled model as a Space on the Hugging Face hub, in one commit.

With `--static` it is the static site of `site` in place of the app: no server computes, and nothing sleeps.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import shutil
import tempfile
from pathlib import Path

from afa_viz.commands import site

ROOT = Path(__file__).parents[2]
FRONT_MATTER = "README.md"
NEEDED = ("app.py", FRONT_MATTER, "requirements.txt", "checkpoints/*")
SENT = (*NEEDED, "LICENSE", "afa_viz/*", "docs/pictures/*")
LEFT_OUT = ("*.pyc", "*__pycache__*", "*/.*", ".*")
STATIC_README = """---
title: {title}
emoji: 🐄
colorFrom: blue
colorTo: yellow
sdk: static
app_file: index.html
license: apache-2.0
short_description: From image labels to masks, step by step
---

How a network trained only on what is in an image finds where it is: a static site, made by
`python -m afa_viz space --static`.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("space", metavar="OWNER/NAME", help="the Space; created if missing")
    parser.add_argument("--private", action="store_true", help="create a new Space as private")
    parser.add_argument("--folder", type=Path, default=ROOT, help="folder of the clone (default: this one)")
    parser.add_argument("--dry-run", action="store_true", help="only list the files")
    parser.add_argument(
        "--static", action="store_true", help="a static site, computed in the browser, in place of the app"
    )
    parser.add_argument(
        "--preload", metavar="timm:NAME", help="fetch a model of timm when the Space is built, not when it is chosen"
    )
    site.add_content_arguments(parser.add_argument_group("what a static site shows"))


def run(args: argparse.Namespace) -> None:
    """Upload the files and print the address of the Space. Other files in it are deleted."""
    from afa_viz.model.hub import require_repository_name

    require_repository_name(args.space, "jane/afa-viz")
    if not args.static:
        files = space_files(args.folder)
        if not args.preload:
            _send(args, args.folder, files, "gradio", "The app and its model")
            return
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary) / "space"
            for file in files:
                (copy / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(args.folder / file, copy / file)
            (copy / FRONT_MATTER).write_text(preloading((args.folder / FRONT_MATTER), args.preload), encoding="utf-8")
            _send(args, copy, files, "gradio", "The app and its models")
        return
    if args.preload:
        raise ValueError("--preload is of a Space with a server; expected no --static beside it: leave one out.")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "site"
        site.tell_skipped(site.build(args, folder))
        (folder / "README.md").write_text(STATIC_README.format(title=json.dumps(args.title)), encoding="utf-8")
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        _send(args, folder, files, "static", "The static site")


def _send(args: argparse.Namespace, folder: Path, files: list[str], sdk: str, message: str) -> None:
    """Upload files of a folder in one commit; with --dry-run, list them."""
    from afa_viz.model.hub import upload_errors

    megabytes = sum((folder / file).stat().st_size for file in files) / 2**20
    if args.dry_run:
        print("\n".join([*files, f"{len(files)} files, {megabytes:.1f} MB"]))
        return

    from huggingface_hub import HfApi

    api = HfApi()
    with upload_errors(args.space):
        url = api.create_repo(args.space, repo_type="space", space_sdk=sdk, private=args.private or None, exist_ok=True)
        api.upload_folder(
            repo_id=args.space,
            repo_type="space",
            folder_path=folder,
            allow_patterns=files,
            delete_patterns="*",
            commit_message=message,
        )
    print(f"sent {len(files)} files, {megabytes:.1f} MB; the Space builds itself in some minutes: {url}")


def preloading(readme: Path, source: str) -> str:
    """The README of a Space whose build fetches the weights of a model of timm.

    Raises: ValueError: for another source, or a name that timm does not have.
    """
    from afa_viz.model.timm_source import WEIGHTS, is_timm, parse

    if not is_timm(source) or parse(source)[1] is not None:
        raise ValueError(f"--preload is {source!r}; expected timm:NAME, whose weights are on the hub.")
    from afa_viz.model.timm_networks import build_timm

    repository = build_timm(parse(source)[0])[1].pretrained_cfg["hf_hub_id"]
    _, settings, rest = readme.read_text(encoding="utf-8").split("---\n", 2)
    return f"---\n{settings}preload_from_hub:\n- {repository} {WEIGHTS[0]}\n---\n{rest}"


def space_files(folder: Path) -> list[str]:
    """Paths of the files that a Space needs, relative to the clone, sorted.

    Raises: ValueError: where something is missing without which the Space could not start.
    """
    every = sorted(str(path.relative_to(folder).as_posix()) for path in folder.rglob("*") if path.is_file())
    for pattern in NEEDED:
        if not fnmatch.filter(every, pattern):
            raise ValueError(f"{folder} has no {pattern}; expected a clone of this repository with its checkpoint.")
    if not (folder / FRONT_MATTER).read_text(encoding="utf-8").startswith("---\n"):
        raise ValueError(f"{FRONT_MATTER} does not begin with the settings of the Space; expected lines between ---.")
    return [
        file
        for file in every
        if any(fnmatch.fnmatch(file, pattern) for pattern in SENT)
        and not any(fnmatch.fnmatch(file, pattern) for pattern in LEFT_OUT)
    ]
