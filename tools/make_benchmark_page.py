"""Write docs/benchmarks.md and docs/pictures/cost.png from what `python -m afa_viz bench --json FILE` wrote.

PYTHONPATH=. python tools/make_benchmark_page.py [FILE …]

Groups in the files take the place of those in docs/data/benchmarks.json, the others stay; every group knows where it
was measured. Without a file the page is written anew from docs/data/benchmarks.json.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from afa_viz.atomic_files import atomic_write_text
from afa_viz.commands.bench import GROUPS
from afa_viz.figures import chart_style, charts
from benchmarks import par
from benchmarks.measurements import Measurement, number

OUT = Path(__file__).parents[1] / "docs"
PAGE, REPORTS, PICTURE = "benchmarks.md", "data/benchmarks.json", "pictures/cost.png"
EARLIER = OUT / "data" / "benchmarks_earlier.json"  # of `start` and `app`, before prepared answers and charts
Reports = dict[str, dict[str, Any]]
Points = list[tuple[float, float]]
STYLES = ((chart_style.BLUE, "-"), (chart_style.ORANGE, "--"), (chart_style.GREEN, ":"))


def merged(files: Sequence[Path], kept: Path) -> Reports:
    """Reports by group: those of the files, later files before earlier ones, then those that were kept."""
    found: Reports = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for file in files:
        found |= json.loads(file.read_text(encoding="utf-8"))
    unknown = set(found) - {group.name for group in GROUPS}
    if unknown:
        raise ValueError(f"got the groups {sorted(unknown)}; expected those of `bench --help`: give what --json wrote.")
    return {group.name: found[group.name] for group in GROUPS if group.name in found}


# --- figures beside targets ------------------------------------------------------------------------------------------


def figure_rows(reports: Reports) -> list[str]:
    """A line for each figure that has a target, and one for each group that has targets and was not measured."""
    lines = []
    for group in GROUPS:
        module = import_module(group.module)
        if not hasattr(module, "measurements_of"):
            continue
        command = f"`bench {group.name}`"
        if group.name not in reports:
            lines.append(f"| {group.help} | not measured yet | | | {command} | | |")
            continue
        report = reports[group.name]
        where = f"{command} | {hardware(report['machine'])} | {commit(report['machine'])}"
        lines += [f"| {figure.cells()} | {where} |" for figure in module.measurements_of(report)]
    return lines


def hardware(machine: dict[str, Any]) -> str:
    """Where it was measured, and how busy that place was."""
    text = f"{machine['cpu']} ({machine['cpu_capability']}), {machine['threads']} of {machine['cores']} cores"
    load = machine.get("load_before")
    return text if load is None else f"{text}, load {load:.1f} before"


def commit(machine: dict[str, Any]) -> str:
    """Of the code that was measured."""
    return f"`{machine['commit'][:10]}`{' + changes' if machine['uncommitted_changes'] else ''}"


def earlier_rows(reports: Reports, earlier: Reports) -> list[str]:
    """A line for each figure of an earlier version, beside today's."""
    lines = []
    for group in GROUPS:
        module = import_module(group.module)
        if group.name not in earlier or group.name not in reports or not hasattr(module, "measurements_of"):
            continue
        found: list[dict[str, Measurement]] = []
        for report in (earlier[group.name], reports[group.name]):
            found.append({figure.what: figure for figure in module.measurements_of(report)})
        before, now = found
        where = " | ".join(commit(one[group.name]["machine"]) for one in (earlier, reports))
        for what, figure in now.items():
            old = f"{number(before[what].measured)} {figure.unit}" if what in before else "–"
            lines.append(f"| {what} | {old} | {number(figure.measured)} {figure.unit} | {where} |")
    return lines


# --- how costs grow --------------------------------------------------------------------------------------------------


def by_pixels(report: dict[str, Any]) -> dict[str, Points]:
    """Of a full trace and of PAR in it: processor time."""
    rows = [row for row in report["rows"] if row["name"] == "bundled by size"]
    return {
        "full trace": [(row["size"] ** 2, row["cpu_median_s"]) for row in rows],
        "of it the network and the CAM": [
            (row["size"] ** 2, row["stages_cpu_s"]["network"] + row["stages_cpu_s"]["cam"]) for row in rows
        ],
        "of it PAR": [(row["size"] ** 2, row["stages_cpu_s"]["cam_par"]) for row in rows],
    }


def by_maps(report: dict[str, Any]) -> dict[str, Points]:
    """Of PAR."""
    return {"PAR": [(row["maps"], row["median_s"]) for row in report["rows"]]}


def by_tokens(report: dict[str, Any]) -> dict[str, Points]:
    """Of a step of the walk."""
    return {
        f"walk, {form}": [(row["tokens"], row[form]["cpu_median_s"]) for row in report["rows"]]
        for form in ("dense", "banded")
    }


def by_users(report: dict[str, Any]) -> dict[str, Points]:
    """Of an action in the app."""
    return {
        "95 % of the answers within": [(row["users"], row["p95_s"]) for row in report["rows"]],
        "half of them within": [(row["users"], row["median_s"]) for row in report["rows"]],
    }


CURVES: tuple[tuple[str, str, str, str, Callable[[dict[str, Any]], dict[str, Points]]], ...] = (
    ("pixels", "explain", "Pixels: a full trace", "processor seconds", by_pixels),
    ("maps (classes)", "maps", "Classes: PAR", "processor seconds", by_maps),
    ("cells (tokens)", "walk", "Tokens: a step of the walk", "processor seconds", by_tokens),
    ("visitors at the same time", "users", "Users: an action in the app", "seconds", by_users),
)


def growth(points: Points) -> float:
    """The power of x that the cost grows with between the two ends: 1 is proportional, 2 is quadratic."""
    (first, low), (last, high) = min(points), max(points)
    return math.log(high / low) / math.log(last / first)


def draw(reports: Reports, path: Path) -> list[str]:
    """Draw the curves whose groups were measured; returns a line of a table for each."""
    measured = [curve for curve in CURVES if curve[1] in reports]
    if not measured:
        return []
    figure = charts.new_figure(9, 3.4 * -(-len(measured) // 2))
    lines = []
    for place, (x, group, title, y, points_of) in enumerate(measured, start=1):
        axes = charts.style_axes(figure.add_subplot(-(-len(measured) // 2), 2, place), title, x, y)
        for (name, points), (colour, style) in zip(points_of(reports[group]).items(), STYLES, strict=False):
            points = sorted(points)
            axes.plot(*zip(*points, strict=True), style, marker="o", markersize=3, color=colour, label=name)
            (first, low), (last, high) = points[0], points[-1]
            lines.append(
                f"| {name} | {x} | {first:g} → {last:g} | {low:.3g} → {high:.3g} s | {growth(points):.2f} "
                f"| `bench {group}` | {commit(reports[group]['machine'])} |"
            )
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=8)
    charts.save_figure(figure, path)
    return lines


# --- the page --------------------------------------------------------------------------------------------------------


def page(reports: Reports, out: Path, earlier: Reports) -> str:
    """The page as text; draws its picture."""
    lines = [
        "# How fast it is",
        "",
        "Written by `PYTHONPATH=. python tools/make_benchmark_page.py` from `docs/data/benchmarks.json`, which",
        "`python -m afa_viz bench --json FILE` measured; `benchmarks/README.md` says how. Figures depend on the",
        "machine: a load well above 0 before the measurement means that seconds are too long, and those of different",
        "machines are not comparable.",
        "",
        "## Beside the targets",
        "",
        "| what | measured | target | | command | where | commit |",
        "|---|---|---|---|---|---|---|",
        *figure_rows(reports),
        "",
        "## Beside an earlier version",
        "",
        "Before answers were prepared, charts were made by plotly and heads had sliders; one kind of machine.",
        "",
        "| what | before | now | commit before | commit now |",
        "|---|---|---|---|---|",
        *earlier_rows(reports, earlier),
        "",
        "## How costs grow",
        "",
    ]
    curves = draw(reports, out / PICTURE)
    if curves:
        lines += [
            f"![Cost against pixels, classes, tokens and users]({PICTURE})",
            "",
            "The power is that of the growth between the two ends: 1 is proportional, 2 quadratic, 0 free.",
            "",
            "| cost of | against | from → to | costs | power | command | commit |",
            "|---|---|---|---|---|---|---|",
            *curves,
        ]
    missing = [f"`bench {group}`" for _, group, *_ in CURVES if group not in reports]
    if missing:
        lines += ["", f"Not measured yet: {', '.join(missing)}."]
    if "par" in reports:
        lines += ["", "## The forms of PAR", "", par.table(reports["par"])]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None, out: Path = OUT) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="what `bench --json FILE` wrote")
    reports = merged(parser.parse_args(arguments).files, out / REPORTS)
    (out / REPORTS).parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(out / PAGE, page(reports, out, json.loads(EARLIER.read_text(encoding="utf-8"))))
    atomic_write_text(out / REPORTS, json.dumps(reports, indent=1) + "\n")
    print(f"wrote {PAGE}, {REPORTS} and {PICTURE}")


if __name__ == "__main__":
    main()
