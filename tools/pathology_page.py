"""docs/pathologies.md from docs/data/pathologies.json, and the lines of it that the checkpoint's page repeats."""

from __future__ import annotations

from typing import Any

TITLES = {
    "cam": "CAM, one threshold",
    "walk_start": "walk's start",
    "cam_rw": "walk",
    "cam_par": "walk, PAR",
    "seg": "prediction",
}
WORDS = {
    "cam": "CAM",
    "walk_start": "start of the walk",
    "cam_rw": "walk",
    "cam_par": "walk and PAR",
    "seg": "prediction",
}
PAGE = """# Pathologies, measured

Each row shows the same {scenes} scenes of the test split at {size} px with one knob of the [sandbox](world.md)
changed; the weights (checkpoint `{checkpoint_id}`) are the same in all rows. Percent. In brackets the 95 % interval of
1000 resamplings of the scenes; changes are paired with the default row. This text, `data/pathologies.json` and the
chart are written by `PYTHONPATH=. python tools/measure_pathologies.py --scenes {scenes}`.

## Every stage

mIoU by stage; the stages before the prediction are given the image labels. The CAM has one threshold, 0.45: a
different rule from that of the walk's start, the walk and PAR, which take the strongest score, with a background score
of 0.35. "Uncertain": share of the pixels that the pseudo label leaves out. With `missing_labels` a class that was left
out counts as absent for mAP and F1, and the stages that are given the labels cannot find it: only the prediction is
comparable there.

{stages}

![Change of mIoU by setting](pictures/pathologies.png)

{words}

From one end of a knob to the other, in points:

{ends}

## Heads and bodies of the quadrupeds

Share of their heads and bodies to which each stage gives the correct class.

{parts}

## What walk and PAR do to what their start missed

Of the pixels of quadruped heads and bodies that the start of the walk misses, the share that is correct after the walk
and after PAR; and of those that it finds, the share that is wrong afterwards. All three follow one rule.

{fates}

## Where a class is at home

The default setting, split by context: mIoU over the scenes whose classes are all at home there, and where none is.

{home}
"""


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def shown(value: float | None, signed: bool = False) -> str:
    return "–" if value is None else (f"{value:+.1f}" if signed else f"{value:.1f}").replace("-", "−")


def with_interval(value: float | None, ends: list[float | None], signed: bool = False) -> str:
    return f"{shown(value, signed)} [{shown(ends[0], signed)}, {shown(ends[1], signed)}]"


def in_words(rows: dict[str, Any]) -> str:
    """One line per setting: which scores clearly change; then where the walk lowers the score of its start."""
    scores = {f"miou_{stage}": title for stage, title in WORDS.items()}
    lines = []
    for name, row in rows.items():
        if name == "default":
            continue
        clear = []
        for key, title in {**scores, "gap_cam": "head minus body in the CAM"}.items():
            low, high = row["change_intervals"][key]
            if low is not None and (low > 0 or high < 0):
                clear.append(f"{title} {with_interval(row['changes'][key], [low, high], signed=True)}")
        lines.append(f"- `{name}`, {row['meaning']}: {'; '.join(clear) if clear else 'no change beyond the interval'}.")
    lowered = [
        f"`{name}` ({shown(start)} to {shown(walked)})"
        for name, row in rows.items()
        for start, walked in [(row["values"]["miou_walk_start"], row["values"]["miou_cam_rw"])]
        if walked < start
    ]
    lines += ["", f"The walk lowers the score of its start with {', '.join(lowered)}."] if lowered else []
    return "\n".join(["Scores that change by more than their interval, in points:", "", *lines])


def heads_and_bodies(rows: dict[str, Any]) -> str:
    """Table of the quadrupeds' parts by stage, for three values of `shared_body`."""
    bodies = {"shared_body=0": "`shared_body=0`", "default": "`default` (0.85)", "shared_body=1": "`shared_body=1`"}
    parts = [
        [title if key == "head" else "", key if key != "gap" else "head − body"]
        + [with_interval(rows[name]["values"][f"{key}_{s}"], rows[name]["intervals"][f"{key}_{s}"]) for s in TITLES]
        for name, title in bodies.items()
        for key in ("head", "body", "gap")
    ]
    return table(["setting", "part", *TITLES.values()], parts)


def ends_table(ends: list[dict[str, Any]]) -> str:
    """What changes between two values of a knob."""
    keys = {**{f"miou_{stage}": title for stage, title in TITLES.items()}, "gap_cam": "head − body in the CAM"}
    rows = [
        [f"`{end['from']}` to `{end['to'].partition('=')[2]}`"]
        + [with_interval(end["changes"][key], end["change_intervals"][key], signed=True) for key in keys]
        for end in ends
    ]
    return table(["knob", *keys.values()], rows)


def page(data: dict[str, Any]) -> str:
    """The Markdown page from the JSON."""
    rows = data["settings"]
    stages = [
        [f"`{name}`", shown(row["map"]), shown(row["f1"])]
        + [with_interval(row["values"][f"miou_{stage}"], row["intervals"][f"miou_{stage}"]) for stage in TITLES]
        + [shown(row["uncertain"])]
        for name, row in rows.items()
    ]
    kinds = [
        f"{part}_{fate}_by_{stage}"
        for part in ("body", "head")
        for fate in ("gained", "lost")
        for stage in ("walk", "par")
    ]
    fate_rows = [[f"`{name}`", *(shown(row["values"][kind]) for kind in kinds)] for name, row in rows.items()]
    titles = {"gained": "missed, then correct after", "lost": "found, then wrong after", "walk": "walk", "par": "PAR"}
    fate_head = [
        f"{part}: {titles[fate]} {titles[stage]}" for part, fate, _, stage in (kind.split("_") for kind in kinds)
    ]
    home = [
        [f"{name} ({row['images']} scenes)", *(shown(row[stage]) for stage in TITLES)]
        for name, row in data["default_by_home"].items()
    ]
    return PAGE.format(
        **{key: data[key] for key in ("scenes", "size", "checkpoint_id")},
        stages=table(["setting", "mAP", "F1", *TITLES.values(), "uncertain"], stages),
        words=in_words(rows),
        ends=ends_table(data["ends"]),
        parts=heads_and_bodies(rows),
        fates=table(["setting", *fate_head], fate_rows),
        home=table(["", *TITLES.values()], home),
    )
