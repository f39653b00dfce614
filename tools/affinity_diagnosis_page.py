"""The page docs/affinity_diagnosis.md from the numbers of diagnose_affinity.py."""

from __future__ import annotations

from typing import Any

TEXT = """# What the walk is worth, and what limits it

Checkpoint `{checkpoint_id}`, {scenes} test scenes of {size} pixels, radius {radius}, mIoU in percent. Every difference
compares two stages by one rule on the same pixels; square brackets: 95 % interval over the scenes, paired. Masks are
used to measure, never to choose a setting. Written by `PYTHONPATH=. python tools/diagnose_affinity.py`.

## By background score

Start: softmax of the low background score β_l and the CAM on the grid, before the walk; walk: after it; PAR: strongest
class after refinement, of the CAM itself and of the scores after the walk. Pseudo label: β_h = 0.55, mIoU on its
certain pixels (their share and precision in brackets); the last column is the label without the walk at the coverage
of the one with it. `/1` and `/2`: PAR at full image size, as the bundled model uses it, and at half size, as published
for 512 pixels.

{head}
|---|---|---|---|---|---|---|---|---|---|---|
{main}

Each side at its own best β_l after PAR (a diagnosis, chosen with masks): {best}.

## The walk with one thing changed

At β_l = 0.35 (PAR at half size), and the walk at its own best β_l (chosen with masks).

| transition | walk | walk − start | best (β_l) | after PAR | with − without |
|---|---|---|---|---|---|
{walks}

## The affinity itself

{graded} % of the pairs lie between 0.01 and 0.99 ({graded_low} to {graded_high} % by scene); the median size of the
logit is {median_mid} ({median_low} to {median_high}). After the walk the strongest class of a cell has a score of
{strongest_low} to {strongest_high}, {strongest_mid} in the median (means over scenes), where the start sums to 1.

| distance in cells | precision | recall |
|---|---|---|
{distance}

| pairs inside the window | affinity above one half | pairs |
|---|---|---|
{kinds}

The CAM above 0.45 (mIoU {cam}) covers {recall} % of the objects' pixels; {precision} % of the pixels that it covers are
correct.
"""


def _change(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['value']:+.1f} [{low:+.1f}, {high:+.1f}]"


def _label(found: dict[str, Any]) -> str:
    return f"{found['miou']:.1f} ({found['coverage']:.0f}, {found['precision']:.1f})"


def page(data: dict[str, Any]) -> str:
    """The page as Markdown."""
    columns = (
        "PAR", "β_l", "start", "walk", "walk − start", "PAR without", "PAR with", "with − without", "label without",
        "label with", "without, same coverage",
    )  # fmt: skip
    main = [
        f"| /{row['par_downscale']} | {row['bkg_score_low']:.2f} | {row['start']:.1f} | {row['walk']:.1f} | "
        f"{_change(row['walk_gain'])} | {row['par_without']:.1f} | {row['par_with']:.1f} | "
        f"{_change(row['par_gain'])} | "
        f"{_label(row['label_without'])} | {_label(row['label_with'])} | "
        + ("–" if row["label_without_at_same_coverage"] is None else f"{row['label_without_at_same_coverage']:.1f}")
        + " |"
        for row in data["main"]
    ]
    walks = [
        f"| {row['name']} | {row['walk']:.1f} | {_change(row['gain'])} | {row['best']:.1f} ({row['best_at']:.2f}) | "
        f"{row['after_par']:.1f} | {_change(row['par_gain'])} |"
        for row in data["walks"]
    ]
    best = ", ".join(f"{name} {miou:.1f} (β_l {beta:.2f})" for name, (miou, beta) in data["best_after_par"].items())
    distance = [f"| {row['cells']} | {row['precision']:.1f} | {row['recall']:.1f} |" for row in data["distance"]]
    kinds = [f"| {name} | {row['joined']:.1f} % | {row['pairs']:,} |" for name, row in data["kinds"].items()]
    graded, median, strongest = data["graded_by_scene"], data["median_logit"], data["strongest_walked_score"]
    return TEXT.format(
        **{name: data[name] for name in ("checkpoint_id", "scenes", "size", "radius", "graded", "cam")},
        head=f"| {' | '.join(columns)} |", main="\n".join(main), best=best, walks="\n".join(walks),
        distance="\n".join(distance), kinds="\n".join(kinds),
        graded_low=graded[0], graded_high=graded[1], median_low=median[0], median_mid=median[1], median_high=median[2],
        strongest_low=strongest[0], strongest_mid=strongest[1], strongest_high=strongest[2],
        recall=data["seed"]["recall"], precision=data["seed"]["precision"],
    )  # fmt: skip
