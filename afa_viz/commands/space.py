"""`space OWNER/NAME`: the app with its bundled model as a Space on the Hugging Face hub, in one commit."""

from __future__ import annotations

import argparse
import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
FRONT_MATTER = "README.md"
NEEDED = ("app.py", FRONT_MATTER, "requirements.txt", "checkpoints/*")
SENT = (*NEEDED, "LICENSE", "afa_viz/*", "docs/pictures/*")
LEFT_OUT = ("*.pyc", "*__pycache__*", "*/.*", ".*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("space", metavar="OWNER/NAME", help="of the Space; made if it is not there")
    parser.add_argument("--private", action="store_true", help="a new Space is seen by its owner only")
    parser.add_argument("--folder", type=Path, default=ROOT, help="of the clone (default: this one)")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be sent")


def run(args: argparse.Namespace) -> None:
    """Upload the files and say where the Space is. Files that an older upload left there are deleted."""
    from afa_viz.model.hub import require_repository_name, upload_errors

    require_repository_name(args.space, "jane/afa-viz")
    files = space_files(args.folder)
    megabytes = sum((args.folder / file).stat().st_size for file in files) / 2**20
    if args.dry_run:
        print("\n".join([*files, f"{len(files)} files, {megabytes:.1f} MB"]))
        return

    from huggingface_hub import HfApi

    api = HfApi()
    with upload_errors(args.space):
        url = api.create_repo(
            args.space, repo_type="space", space_sdk="gradio", private=args.private or None, exist_ok=True
        )
        api.upload_folder(
            repo_id=args.space,
            repo_type="space",
            folder_path=args.folder,
            allow_patterns=files,
            delete_patterns="*",
            commit_message="The app and its model",
        )
    print(f"sent {len(files)} files, {megabytes:.1f} MB; the Space builds itself in some minutes: {url}")


def space_files(folder: Path) -> list[str]:
    """What a Space needs of a clone, as paths in it, sorted.

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
