"""The dense CRF: agreement with pydensecrf2 in stored cases and on a photograph, time and memory.

Run: python -m afa_viz bench crf [--size 256] [--labels 3] [--repeats 5] [--json FILE]

pydensecrf2 itself is run, too, where it is installed. Memory is what the process grows by at most.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from afa_viz.ops.dense_crf import NUM_ITERS, dense_crf
from benchmarks import machine
from benchmarks.measurements import Measurement

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--size", type=int, default=256, help="height and width in pixels (default: 256)")
    parser.add_argument("--labels", type=int, default=3, help="how many, background included (default: 3)")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs, at least 2 (default: 5)")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """One thread throughout."""
    if args.repeats < 2:
        raise ValueError(f"got --repeats {args.repeats}; expected at least 2, for a spread.")
    torch.set_num_threads(1)
    image, probabilities = photograph(args.size, args.labels)
    before = peak_megabytes()
    rows = [timed("afa_viz", lambda: dense_crf(image, probabilities), args.repeats)]
    rows[0]["megabytes"] = peak_megabytes() - before
    if importlib.util.find_spec("pydensecrf"):
        rows.append(timed("pydensecrf2", lambda: compiled(image, probabilities), args.repeats))
        rows[-1] |= compare(dense_crf(image, probabilities), compiled(image, probabilities))
    return {
        "benchmark": "crf", "machine": machine.provenance(), "size": args.size, "labels": args.labels,
        "iterations": NUM_ITERS, "rows": rows, "cases": agreement(),
    }  # fmt: skip


def photograph(size: int, labels: int) -> tuple[Tensor, Tensor]:
    """scikit-image's astronaut and random smooth scores."""
    from skimage import data, transform

    image = (255 * transform.resize(data.astronaut(), (size, size), anti_aliasing=True)).astype(np.uint8)
    scores = torch.randn(1, labels, 8, 8, generator=torch.Generator().manual_seed(0))
    scores = torch.nn.functional.interpolate(scores, (size, size), mode="bilinear")[0]
    return torch.from_numpy(image), (2 * scores).softmax(dim=0)


def timed(name: str, work, repeats: int) -> dict[str, Any]:
    """Processor seconds of some runs after one that is not counted."""
    work()
    samples = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        samples.append(time.process_time() - start)
    median, iqr = machine.spread(samples)
    return {"form": name, "samples_s": samples, "median_s": median, "iqr_s": iqr}


def agreement() -> list[dict[str, Any]]:
    """Each stored case: mean absolute difference of the marginals and share of equal labels."""
    tensors = load_file(GOLDEN / "dense_crf.safetensors")
    cases = []
    for name, facts in json.loads((GOLDEN / "dense_crf.json").read_text(encoding="utf-8")).items():
        image, probabilities = tensors[f"{name}/image"], tensors[f"{name}/probabilities"]
        labels, height, width = probabilities.shape
        expected = tensors[f"{name}/marginals"].reshape(height, width, labels).permute(2, 0, 1)  # stored by pixel
        options = {key: value for key, value in facts.items() if key not in ("shape", "changed_labels")}
        got = dense_crf(image, probabilities, **options)
        cases.append({"case": name, **compare(got, expected), "pixels": height * width})
    return cases


def compare(ours: Tensor, theirs: Tensor) -> dict[str, float]:
    """Mean absolute difference of (P, H, W) marginals, and the share of pixels with the same label."""
    same = ours.argmax(dim=0) == theirs.argmax(dim=0)
    return {"difference": float((ours - theirs).abs().mean()), "equal": float(same.double().mean())}


def compiled(image: Tensor, probabilities: Tensor) -> Tensor:
    """The same by pydensecrf2."""
    from pydensecrf.densecrf import DenseCRF2D

    labels, height, width = probabilities.shape
    crf = DenseCRF2D(width, height, labels)
    crf.setUnaryEnergy(np.ascontiguousarray(-probabilities.log().reshape(labels, -1).numpy()))
    crf.addPairwiseGaussian(sxy=3, compat=3)
    crf.addPairwiseBilateral(sxy=64, srgb=5, rgbim=np.ascontiguousarray(image.numpy()), compat=4)
    return torch.from_numpy(np.array(crf.inference(NUM_ITERS))).reshape(labels, height, width)


def peak_megabytes() -> float:
    """The most memory that this process ever took; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measurements_of(report: dict[str, Any]) -> list[Measurement]:
    """The targets: agreement in every case and over all, seconds and memory."""
    cases, (ours, *theirs) = report["cases"], report["rows"]
    beside = f"; pydensecrf2 (compiled C++): {theirs[0]['median_s']:.2f} s" if theirs else ""
    pixels = sum(case["pixels"] for case in cases)
    over_all = sum(case["equal"] * case["pixels"] for case in cases) / pixels
    return [
        Measurement("difference of the marginals, worst case", max(case["difference"] for case in cases), 2e-2, ""),
        Measurement("equal labels, worst case", 100 * min(case["equal"] for case in cases), 99.0, "%", at_least=True),
        Measurement("equal labels, all cases", 100 * over_all, 99.5, "%", at_least=True),
        Measurement(f"a photograph, 10 iterations, one core{beside}", ours["median_s"], 1.5, "s"),
        Measurement("memory beside that of torch", ours["megabytes"], 300, "MB"),
        *(Measurement("difference of the marginals, the photograph", row["difference"], 2e-2, "") for row in theirs),
        *(Measurement("equal labels, the photograph", 100 * row["equal"], 99.0, "%", at_least=True) for row in theirs),
    ]


def table(report: dict[str, Any]) -> str:
    """A line for each form, and one for each stored case."""
    size = f"{report['size']}² pixels, {report['labels']} labels, {report['iterations']} iterations"
    lines = [machine.heading(report["machine"]), "", f"{size}:", ""]
    lines += ["| form | median CPU s | IQR s | difference | equal labels |", "|---|---|---|---|---|"]
    for row in report["rows"]:
        agrees = f"{row['difference']:.1e} | {100 * row['equal']:.2f} %" if "equal" in row else " | "
        lines.append(f"| {row['form']} | {row['median_s']:.2f} | {row['iqr_s']:.2f} | {agrees} |")
    lines += ["", "| case | mean difference of the marginals | equal labels |", "|---|---|---|"]
    for case in report["cases"]:
        lines.append(f"| {case['case']} | {case['difference']:.1e} | {100 * case['equal']:.2f} % |")
    return "\n".join(lines)
