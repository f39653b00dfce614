"""The page of the bundled checkpoint, checkpoints/README.md, as text; publish_checkpoint.py writes it."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pathology_page import heads_and_bodies, in_words

from afa_viz.atomic_files import atomic_write_text
from afa_viz.config import CurriculumStage, ExplainConfig, TrainConfig
from afa_viz.evaluation.stage_text import stage_text
from afa_viz.evaluation.tables import percent_table
from afa_viz.model.card import Card
from afa_viz.presets import SANDBOX
from afa_viz.stage_scores import distinct_stages
from afa_viz.training.records import HISTORY, SNAPSHOTS

ROOT = Path(__file__).parents[1]
OUT = ROOT / "checkpoints"
FOLDER = OUT / "sandbox"
PATHOLOGIES = ROOT / "docs" / "data" / "pathologies.json"

PAGE = """# The bundled model

`sandbox/model.safetensors` (half precision) and its card `sandbox/model.json`: {backbone}, {parameters:.1f} M
parameters, trained from scratch on image labels of the sandbox, without any mask. Checkpoint `{checkpoint_id}`.

- Recipe: `{command}` (`SANDBOX` in `afa_viz/presets.py`), {iterations} iterations, seed {rng_seed}.{since}
- Time: {minutes} minutes of training on one thread of a CPU, shared with other work.
- Curriculum: {curriculum}.
- This page, the scores in the card, `sandbox/scores.json` and the charts:
  `PYTHONPATH=. python tools/publish_checkpoint.py runs/sandbox`.

![Losses, learning rate and scores over training](../docs/pictures/training.png)

In the chart the CAM has one threshold, 0.45, which is a different rule from that of walk and PAR. Where a pseudo label
is drawn, only its certain pixels count.
{snapshots}
## What it was trained on

{supervision}

## Scores on the test split

Percent over {count} scenes of {size} pixels, from `sandbox/scores.json`.

```
{table}

mAP {map:.1f}   F1 {f1:.1f}
```

{worth}
{remark}
![Stages under one rule](../docs/pictures/stages.png)

Thresholds are the published ones; none was chosen on masks. [sweep.png](../docs/pictures/sweep.png) shows the scores of
other thresholds; choosing one there would no longer be weak supervision.

## By part

Share of the pixels of each part with the correct class, in percent; "uncertain": left out by the pseudo label, which,
like the affinity label, decides only a part of the pixels.

```
{parts}
```

## By context

mIoU over the scenes of each background, in percent; in brackets their number.

```
{contexts}
```

## Pathologies
{pathologies}{note}"""


def describe(config: Mapping[str, Any]) -> str:
    """The curriculum in words, and what affinity and decoder learned from, of the settings in a card."""
    parts = []
    for stage in config["curriculum"]:
        kind = "single objects" if stage["single_objects"] else "scenes"
        parts.append(f"{stage['iterations']} × {stage['batch_size']} {kind} at {stage['crop_size']} px")
    begin, joint, end = (config[name] for name in ("cam_iters", "joint_after", "max_iters"))
    if begin >= end:
        return f"{', '.join(parts)}; image labels alone, no pseudo labels"
    learned = f"after iteration {begin} affinity and decoder are trained on labels of the refined CAM"
    if joint >= end:
        return f"{', '.join(parts)}; {learned}; no joint phase: neither is trained on random-walk labels"
    walked = "the decoder" if config["affinity_target"] == "cam" else "both"
    return f"{', '.join(parts)}; {learned}, after {joint} {walked} on random-walk labels"


LABELS = {
    "affinity_label": "R_cam: the CAM after PAR with two thresholds, without the walk",
    "pseudo_label": "R_aff: the CAM after walk and PAR with two thresholds",
    "nothing": "nothing, since the run ended before",
    None: "a label that the card does not name",
}


def describe_supervision(card: Card) -> str:
    """The labels that affinity and decoder were last trained on, from the card."""
    affinity, decoder = LABELS[card.affinity_trained_on], LABELS[card.decoder_trained_on]
    if affinity == decoder:
        return f"According to the card, affinity and decoder were both last trained on {affinity}."
    return f"According to the card, the affinity was last trained on {affinity}; the decoder on {decoder}."


def worth(data: dict[str, Any]) -> str:
    """What the walk is worth, in a sentence; 95 % intervals over the scenes."""
    found = [data["changes"][name] for name in ("cam_rw", "walk_after_par")]
    before, after = (f"{c['change']:+.1f} [{c['interval'][0]:+.1f}, {c['interval'][1]:+.1f}]" for c in found)
    text = f"What the walk is worth, in points of mIoU: {before} against its own start, and after PAR {after}."
    return text.replace("-", "−")


def remark(iou: dict[str, float | None]) -> str:
    """Which classes the decoder finds worst, in a sentence."""
    scored = [(value, name) for name, value in iou.items() if name != "background" and value is not None]
    return (
        "Weakest classes of the decoder: "
        + ", ".join(f"{name} {value:.0f}" for value, name in sorted(scored)[:3])
        + ".\n"
    )


def distinct_of(data: dict[str, Any], by_stage: dict[str, Any]) -> dict[str, Any]:
    """Without repeated columns."""
    return {stage: by_stage[stage] for stage in distinct_stages(list(by_stage), data["rule"]["left_out"])}


def part_table(data: dict[str, Any]) -> str:
    compared = data["parts_of_quadrupeds"]
    columns = {
        stage: {**parts, **{f"quadruped {part}": compared[stage][part] for part in ("head", "body")}}
        for stage, parts in distinct_of(data, data["parts"]).items()
    }
    return percent_table({**columns, "uncertain": data["uncertain_parts"]})


def context_table(data: dict[str, Any]) -> str:
    contexts = data["contexts"]
    return percent_table(
        {
            stage: {f"{name} ({c['images']})": c["miou"][stage] for name, c in contexts.items()}
            for stage in distinct_of(data, data["iou"])
        }
    )


def pathologies(checkpoint_id: str) -> str:
    """The summary of docs/data/pathologies.json, if it was measured with these weights."""
    data = json.loads(PATHOLOGIES.read_text(encoding="utf-8")) if PATHOLOGIES.exists() else {}
    if data.get("checkpoint_id") != checkpoint_id:
        return "\nNot measured with these weights yet: `PYTHONPATH=. python tools/measure_pathologies.py`.\n"
    return f"""
The same {data["scenes"]} test scenes with one knob of the sandbox changed; all numbers, and how they were measured,
are in [pathologies.md](../docs/pathologies.md).

{in_words(data["settings"])}

Heads and bodies of the quadrupeds, share with the right class in percent:

{heads_and_bodies(data["settings"])}
"""


def since(training: Mapping[str, Any]) -> str:
    """Which settings of the recipe are others now than these weights were trained with, in a sentence; "" for none."""
    before, now = training["config"], json.loads(json.dumps(dataclasses.asdict(SANDBOX)))
    new = {f.name: getattr(TrainConfig(), f.name) for f in dataclasses.fields(TrainConfig)}  # what older recipes meant

    def pairs(old: Mapping[str, Any], own: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        found = {name: (old.get(name, usual.get(name)), value) for name, value in own.items()}
        return {name: (a, b) for name, (a, b) in found.items() if a != b}

    of_stage = {f.name: f.default for f in dataclasses.fields(CurriculumStage) if f.default is not dataclasses.MISSING}
    before = before | {"curriculum": [{**of_stage, **part} for part in before.get("curriculum", ())]}
    explain = pairs(before["explain"], now.pop("explain"), dataclasses.asdict(ExplainConfig()))
    changed = pairs({k: v for k, v in before.items() if k != "explain"}, now, new) | explain
    if not changed:
        return ""
    told = ", ".join(f"`{name}` was {old}, is {value}" if not isinstance(value, list) else f"`{name}` has changed"
                     for name, (old, value) in changed.items())  # fmt: skip
    text = f"**The recipe has changed since and now gives different weights**: {told}. The card has those of these."
    return "\n  " + "\n  ".join(textwrap.wrap(text, 116))


def snapshots() -> str:
    """A section on the snapshots of the training, where there are any."""
    files = sorted((FOLDER / SNAPSHOTS).glob("iter_*.safetensors"))
    if not files:
        return ""
    iterations = [str(int(file.stem.removeprefix("iter_"))) for file in files]
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    return f"""
`sandbox/{SNAPSHOTS}/` holds the network after {", ".join(iterations)} iterations ({len(files)} files,
{megabytes:.1f} MB together: matrices as 8-bit integers with one scale per row), each with its card, and the
evaluations of the run in `{HISTORY}`. The app plays them in its tab Snapshots. They are kept by the recipe with
`--snapshots {",".join(iterations)}`.
"""


def write_page() -> None:
    """checkpoints/README.md from the card, the scores and the pathologies on disk."""
    data = json.loads((FOLDER / "scores.json").read_text(encoding="utf-8"))
    card = Card.read(FOLDER / "model.json")
    training, summary = card.training, data["summary"]
    page = PAGE.format(
        backbone="MiT-B0",
        parameters=data["parameters"] / 1e6,
        checkpoint_id=data["checkpoint_id"],
        command=training["command"],
        iterations=training["iterations"],
        since=since(training),
        rng_seed=training["rng_seed"],
        minutes=round(training["seconds"] / 60),
        supervision=describe_supervision(card),
        worth=worth(data),
        curriculum="\n  ".join(textwrap.wrap(describe(training["config"]), 116)),
        snapshots=snapshots(),
        count=data["images"],
        size=card.input_size,
        table=stage_text(data),
        remark=remark(data["iou"]["seg"]),
        parts=part_table(data),
        contexts=context_table(data),
        pathologies=pathologies(data["checkpoint_id"]),
        note=f"\n{data['note']}\n" if data["note"] else "",
        **{key: summary[key] for key in ("map", "f1")},
    )
    atomic_write_text(OUT / "README.md", page)
