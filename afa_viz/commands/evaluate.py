"""`evaluate`: scores every stage on a data set, by class, part and context; threshold sweep and plots on request.

Under torchrun every process scores its share of the images, and the counts are summed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from afa_viz.commands import evaluate_folder
from afa_viz.commands.outputs import require_counts, require_file, require_folder

if TYPE_CHECKING:
    from afa_viz.evaluation import Sample, StageScores
    from afa_viz.training.distributed import Processes

SCENES = 400  # sandbox scenes without --limit
PROTOCOLS = {"sandbox": "stages", "folder": "stages", "voc": "both", "coco": "both"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--checkpoint", default="checkpoints/sandbox", help="weights (default: checkpoints/sandbox)")
    parser.add_argument("--data", default="sandbox", choices=list(PROTOCOLS), help="data set (default: sandbox)")
    parser.add_argument("--root", metavar="DIR", help="folder of the data set; `data check` lists what must be there")
    parser.add_argument("--split", help="split to score (default: test for the sandbox, else val)")
    parser.add_argument(
        "--from", dest="folder", metavar="DIR",
        help="score this folder in place of a model: NAME.png label maps (also another method's), NAME.npz of "
        "`predict --scores`, or NAME.npy dictionaries of CAMs",
    )  # fmt: skip
    parser.add_argument("--labels", default="auto", help="source of the image labels (default: the best available)")
    parser.add_argument(
        "--limit", type=int, help=f"maximum number of images (default: {SCENES} for the sandbox, else all)"
    )
    parser.add_argument(
        "--protocol", choices=["stages", "published", "both"],
        help="stages: at the explained size; published: the passes behind published numbers; both (default: both; "
        "stages for sandbox and folder)",
    )  # fmt: skip
    parser.add_argument("--crf", action="store_true", help="also a dense CRF after the published test")
    parser.add_argument(
        "--recipe", nargs="+", action="extend", default=[], metavar="WORD",
        help="sandbox recipe: a preset such as hard, knobs such as cooc=0.9, or both",
    )  # fmt: skip
    parser.add_argument(
        "--set", dest="settings", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="see explain"
    )
    parser.add_argument("--multi-scale", action="store_true", help="also score the decoder over three scales and flips")
    parser.add_argument("--by", choices=["context"], help="also print a table of scores by context")
    parser.add_argument(
        "--sweep", action="store_true", help="also score the CAM and the pseudo label at all thresholds"
    )
    parser.add_argument("--json", default=None, metavar="F", help="write all scores to this file")
    parser.add_argument(
        "--plots",
        default=None,
        metavar="DIR",
        help="write plots of all scores to this folder: PNG files, and scores.html with values under the pointer",
    )
    parser.add_argument("--cache", default="cache", help="folder for rendered images (default: cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: 0, torch's choice)")


@dataclass(frozen=True)
class EvaluationData:
    """samples: of this process, behind a progress bar. count: of all processes. broken: names of images that were
    skipped."""

    title: str
    class_names: tuple[str, ...]
    samples: Iterable[Sample]
    count: int
    broken: list[str]


def run(args: argparse.Namespace) -> int:
    """Score a model on a data set and print the tables; returns the exit code."""
    _check_options(args)
    if args.folder is not None:
        return evaluate_folder.run(args)
    from afa_viz.training import distributed

    if args.threads:
        import torch

        torch.set_num_threads(args.threads)
    processes = distributed.start(args.device)
    try:
        with distributed.peer_error_guard(processes):
            _evaluate(args, processes)
    finally:
        distributed.stop()
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """Raise ValueError for contradictory options before any image is scored."""
    if args.limit is not None and args.limit < 1:
        raise ValueError(f"--limit is {args.limit}; expected at least 1 image.")
    require_counts(args, threads=0)
    args.protocol = args.protocol or PROTOCOLS[args.data]
    needs = {
        "--sweep": (args.sweep, "stages"), "--plots": (args.plots, "stages"), "--by": (args.by, "stages"),
        "--multi-scale": (args.multi_scale, "stages"), "--crf": (args.crf, "published"),
    }  # fmt: skip
    for option, (asked, protocol) in needs.items():
        if asked and args.protocol not in (protocol, "both"):
            raise ValueError(
                f"{option} needs the {protocol} protocol, not {args.protocol} alone; expected --protocol {protocol} or "
                "both, or leave the option out."
            )
    if args.folder is not None:
        evaluate_folder.check_options(args)
    of_sandbox = {"--recipe": args.recipe, "--by context": args.by}
    of_folders = {"--root": args.root, "--labels": args.labels != "auto"}
    for option, asked in (of_folders if args.data == "sandbox" else of_sandbox).items():
        if asked:
            other = "voc, coco or folder" if args.data == "sandbox" else "sandbox"
            raise ValueError(
                f"{option} means nothing for --data {args.data}; expected --data {other}, or leave it out."
            )
    require_file(args.json, "--json")
    require_folder(args.plots, "--plots")


def _evaluate(args: argparse.Namespace, processes: Processes) -> None:
    from functools import partial

    from afa_viz.config import ExplainConfig
    from afa_viz.config_io import apply_settings
    from afa_viz.evaluation import ThresholdSweep, score_shards
    from afa_viz.evaluation.published import REFERENCES, PublishedScores
    from afa_viz.evaluation.sweep import WARNING
    from afa_viz.model.checkpoint import load_model
    from afa_viz.training.distributed import gather

    model = load_model(args.checkpoint, device=processes.device)
    config = apply_settings(ExplainConfig.for_model(model), args.settings)
    split = args.split or ("test" if args.data == "sandbox" else "val")
    size = model.card.input_size if model.card is not None else 256
    data = _scenes(args, split, size, processes) if args.data == "sandbox" else _photographs(args, split, processes)
    _require_classes(model.card.class_names if model.card is not None else (), model.num_classes, data)
    protocol = args.protocol
    references = REFERENCES.get((args.data, split), {})
    facts: dict[str, Any] = {
        "checkpoint_id": model.checkpoint_id,
        "data": args.data,
        "split": split,
        "recipe": " ".join(args.recipe) or "default",
        "settings": list(args.settings),
    }
    published = PublishedScores(data.class_names, args.crf)
    sweep = ThresholdSweep(model.num_classes) if args.sweep else None

    def counted() -> Iterator[Sample]:
        for sample in data.samples:
            if protocol != "stages":
                published.update(model, sample, config)
            yield sample

    if protocol == "published":
        scores = None
        for _ in counted():
            pass
    else:
        scores = score_shards(
            model, counted(), partial(gather, world_size=processes.world_size), config, args.multi_scale,
            on_trace=sweep.update if sweep else None, diagnose=True,
        )  # fmt: skip
    others = gather((published, sweep, data.broken), processes.world_size)
    if not processes.is_main:
        return
    broken = [name for _, _, names in others for name in names]
    for other_published, other_sweep, _ in others[1:]:
        published.add(other_published)
        if sweep is not None and other_sweep is not None:
            sweep.add(other_sweep)
    facts["skipped"] = broken
    if protocol != "stages":
        facts["published"] = published.data(references)
    if sweep is not None:
        facts["sweep"] = sweep.data()
    failure = _write(args, scores, facts)  # written first: an error while printing or plotting must not lose the scores
    if protocol != "stages":
        print(f"IoU in percent, {data.title}, {published.images} images, by the published protocols")
        print(f"{published.table(references)}\n")
    if scores is not None:
        summary = scores.summary()
        print(
            f"Scores by stage in percent, {data.title}, {len(scores.logits)} images at the size that is explained "
            f"({config.long_side or size} pixels); all but seg know the image labels\n"
        )
        print(f"{scores.table()}\n")
        print(f"mAP {summary['map']:.1f}   F1 {summary['f1']:.1f}   uncertain {summary['uncertain']:.1f}")
        if "pseudo_label" in references:
            print(f"published pseudo_label {references['pseudo_label'].miou}: {references['pseudo_label'].source}")
        if scores.has_parts():
            print("\nShare in percent of the pixels of each part that has the right class")
            print(scores.part_table())
        if args.by == "context":
            print("\nmIoU by context, and the share of its heads that has the right class, in percent; (scenes)")
            print(scores.context_table())
    if sweep is not None:
        print(f"\n{sweep.table()}\n\n{WARNING}")
    if broken:
        print(f"\nskipped {len(broken)} of {data.count} images that cannot be read: {', '.join(broken)}")
    if failure is not None:  # after the scores were printed
        raise failure
    if args.plots and scores is not None:
        from afa_viz.figures.evaluation_charts import write_plots
        from afa_viz.figures.interactive.evaluation import write_evaluation_page

        plotted = {**facts, **scores.data()}
        written = [*write_plots(plotted, args.plots), write_evaluation_page(plotted, args.plots)]
        print(f"\nplots: {', '.join(str(path) for path in written)}")


def _write(args: argparse.Namespace, scores: StageScores | None, facts: dict[str, Any]) -> Exception | None:
    """Write the JSON file if requested; returns the error if that fails."""
    from afa_viz.evaluation import write_scores

    try:
        if args.json:
            write_scores(scores, args.json, facts)
    except (OSError, ValueError) as error:
        return error
    return None


def _require_classes(names: Sequence[str], count: int, data: EvaluationData) -> None:
    advice = "expected the same: evaluate a checkpoint that was trained on this data."
    if count != len(data.class_names):
        raise ValueError(
            f"the checkpoint knows {count - 1} classes but {data.title} has {len(data.class_names) - 1}; {advice}"
        )
    for ours, theirs in zip(names, data.class_names, strict=False):
        if ours != theirs:
            raise ValueError(f"the checkpoint has a class {ours!r} where {data.title} has {theirs!r}; {advice}")


def _scenes(args: argparse.Namespace, split: str, size: int, processes: Processes) -> EvaluationData:
    """Scenes of the sandbox, rendered once and cached."""
    from tqdm import tqdm

    from afa_viz.classes import SANDBOX_CLASSES
    from afa_viz.data.sandbox import SandboxDataset, read_recipe
    from afa_viz.evaluation import Sample
    from afa_viz.training.distributed import rank_zero_first

    with rank_zero_first(processes):
        scenes = SandboxDataset(
            split, args.limit or SCENES, size=size, recipe=read_recipe(args.recipe), cache_dir=args.cache
        )

    def samples() -> Iterator[Sample]:
        chosen = range(*processes.shard_range(len(scenes)))
        for i in tqdm(chosen, desc="explain", unit="image", disable=not processes.is_main):
            s = scenes[i]
            yield Sample(s.image, s.image_labels, s.mask, s.parts, s.context)

    return EvaluationData(f"sandbox {split}", SANDBOX_CLASSES, samples(), len(scenes), [])


def _photographs(args: argparse.Namespace, split: str, processes: Processes) -> EvaluationData:
    """Photographs of a data set that have a mask."""
    from tqdm import tqdm

    from afa_viz.data.registry import open_images
    from afa_viz.evaluation.photographs import evenly_spaced, photograph_samples

    images = open_images(args.data, args.root, split, args.labels)
    masked = [i for i in range(len(images)) if images.has_mask(i)]
    if not masked:
        raise ValueError(f"{images.title} has no mask; expected masks to score against: see `data check {args.data}`.")
    chosen = [masked[i] for i in evenly_spaced(len(masked), args.limit)]
    mine = [chosen[i] for i in range(*processes.shard_range(len(chosen)))]
    broken: list[str] = []

    def samples() -> Iterator[Sample]:
        bar = tqdm(mine, desc="explain", unit="image", disable=not processes.is_main)
        yield from photograph_samples(images, bar, broken)

    title = images.title if len(masked) == len(images) else f"{images.title} ({len(images) - len(masked)} without mask)"
    return EvaluationData(title, images.class_names, samples(), len(chosen), broken)
