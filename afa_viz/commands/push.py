"""`push CHECKPOINT OWNER/NAME`: a checkpoint with its card and a model page on the Hugging Face hub."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a .safetensors with its card, or a folder with one")
    parser.add_argument("repo", metavar="OWNER/NAME", help="model repository on the hub; created if missing")
    parser.add_argument("--private", action="store_true", help="create a new repository as private")


def run(args: argparse.Namespace) -> None:
    """Upload the files and print their address."""
    from afa_viz.model.publish import push_to_hub

    url = push_to_hub(args.checkpoint, args.repo, private=args.private)
    print(f"sent: {url}\nload it with afa_viz.load_model('hf://{args.repo}')")
