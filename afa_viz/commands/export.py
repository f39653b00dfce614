"""`export CHECKPOINT --onnx FILE`: the network with all its outputs for other runtimes."""

from __future__ import annotations

import argparse
from pathlib import Path

from afa_viz.commands.outputs import require_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "checkpoint", nargs="?", metavar="CHECKPOINT",
        help="folder, .safetensors, .pth or hf://owner/repo (default: the bundled model)",
    )  # fmt: skip
    parser.add_argument(
        "--onnx", required=True, type=Path, metavar="FILE",
        help="ends in .onnx; a JSON card with the same name is written beside it",
    )  # fmt: skip
    parser.add_argument("--half", action="store_true", help="store the weights as float16, half the size")


def run(args: argparse.Namespace) -> None:
    """Export, verify and print what was written."""
    if args.onnx.suffix != ".onnx":
        raise ValueError(f"got --onnx {args.onnx}; expected a name that ends in .onnx: rename it.")
    require_file(args.onnx, "--onnx")

    from afa_viz.model.checkpoint import load_model
    from afa_viz.model.onnx_export import OPSET, export_onnx, output_names, require_afa
    from afa_viz.model.onnx_packages import require_packages

    require_packages()
    model = require_afa(load_model(args.checkpoint, "cpu"))
    found = export_onnx(model, args.onnx, args.half)
    size = args.onnx.stat().st_size / 1e6
    print(f"{args.onnx}: opset {OPSET}, {len(output_names(model))} outputs, any size, {size:.1f} MB; card beside it")
    if found is None:
        print("not verified: onnxruntime is not installed; `pip install onnxruntime` and export again")
    else:
        sizes = ", ".join(f"{height} x {width}" for _, height, width in found.sizes)
        print(
            f"verified with onnxruntime {found.onnxruntime} at {sizes}: within {found.max_difference:.1e} of the range"
        )
