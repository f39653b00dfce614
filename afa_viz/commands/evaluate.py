"""`evaluate`: scores every stage on a data set, by class, part and context; threshold sweep and plots on request.

Under torchrun every process scores its share of the images, and the counts are summed.
"""

from __future__ import annotations

import argparse

from afa_viz.commands import evaluate_folder
from afa_viz.commands.evaluate_data import SCENES
from afa_viz.commands.evaluate_model import write_table_files
from afa_viz.commands.evaluate_runs import Report, compare_runs, compare_with, require_sources, single
from afa_viz.commands.outputs import require_counts, require_file, require_folder
from afa_viz.commands.stage_settings import add_stage_settings
from afa_viz.data.arguments import add_data_arguments

PROTOCOLS = {"sandbox": "stages", "folder": "stages", "voc": "both", "coco": "both"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--checkpoint", help="weights (default: the bundled model)")
    add_data_arguments(
        parser,
        data={"default": "sandbox", "choices": list(PROTOCOLS), "help": "data set (default: sandbox)"},
        split="split to score (default: test for the sandbox, else val)",
    )
    parser.add_argument(
        "--from", dest="folder", metavar="DIR",
        help="score this folder in place of a model: NAME.png label maps (also another method's), NAME.npz of "
        "`predict --scores`, or NAME.npy dictionaries of CAMs",
    )  # fmt: skip
    parser.add_argument(
        "--runs", nargs="+", metavar="C",
        help="several checkpoints, or files of --json: mean and sample standard deviation of every score",
    )  # fmt: skip
    parser.add_argument(
        "--against", metavar="C", help="another checkpoint: the difference from it, with a paired bootstrap interval"
    )
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
    add_stage_settings(parser)
    parser.add_argument("--multi-scale", action="store_true", help="also score the decoder over three scales and flips")
    parser.add_argument("--by", choices=["context"], help="also print a table of scores by context")
    parser.add_argument(
        "--sweep", action="store_true", help="also score the CAM and the pseudo label at all thresholds"
    )
    parser.add_argument(
        "--without-head", nargs="+", action="extend", type=int, default=[], metavar="N",
        help="leave these heads of the learned affinity out, numbers from 1, block by block; with --against only in "
        "--checkpoint",
    )  # fmt: skip
    parser.add_argument(
        "--each-head", action="store_true",
        help="also a table of the contribution of each head of the learned affinity: without it, and with it alone",
    )  # fmt: skip
    parser.add_argument("--json", default=None, metavar="F", help="write all scores to this file")
    parser.add_argument(
        "--tables", default=None, metavar="DIR",
        help="write all tables as CSV files, and charts of confusion matrices and calibration, to this folder",
    )  # fmt: skip
    parser.add_argument(
        "--plots",
        default=None,
        metavar="DIR",
        help="write plots of all scores to this folder: PNG files, and scores.html with values under the pointer",
    )
    parser.add_argument("--cache", default="cache", help="folder for rendered images (default: cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: 0, torch's choice)")


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
            work = compare_runs if args.runs else compare_with if args.against else single
            found = work(args, processes)
            if processes.is_main:
                _report(args, found)
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
        "--multi-scale": (args.multi_scale, "stages"), "--each-head": (args.each_head, "stages"),
        "--crf": (args.crf, "published"),
    }  # fmt: skip
    for option, (asked, protocol) in needs.items():
        if asked and args.protocol not in (protocol, "both"):
            raise ValueError(
                f"{option} needs the {protocol} protocol, not {args.protocol} alone; expected --protocol {protocol} or "
                "both, or leave the option out."
            )
    if args.folder is not None:
        evaluate_folder.check_options(args)
    if args.without_head and args.protocol != "stages":
        raise ValueError(
            f"--without-head needs the stages protocol alone, not {args.protocol}: published passes have no such "
            "setting; expected --protocol stages."
        )
    if args.runs and args.against:
        raise ValueError("--runs and --against compare in different ways; expected one of the two.")
    if args.runs and len(args.runs) < 2:
        raise ValueError(f"--runs has {len(args.runs)} run; expected at least two, for a standard deviation.")
    for option, asked in {
        "--sweep": args.sweep,
        "--plots": args.plots,
        "--by": args.by,
        "--each-head": args.each_head,
    }.items():
        if asked and args.runs:
            raise ValueError(f"{option} is of one checkpoint; expected it without --runs.")
    if args.runs and args.checkpoint is not None:
        raise ValueError("--checkpoint names one model and --runs several; expected one of the two.")
    of_sandbox = {"--recipe": args.recipe, "--by context": args.by}
    of_folders = {"--root": args.root, "--labels": args.labels != "auto"}
    for option, asked in (of_folders if args.data == "sandbox" else of_sandbox).items():
        if asked:
            other = "voc, coco or folder" if args.data == "sandbox" else "sandbox"
            raise ValueError(
                f"{option} means nothing for --data {args.data}; expected --data {other}, or leave it out."
            )
    require_sources(args)
    require_file(args.json, "--json")
    require_folder(args.plots, "--plots")
    require_folder(args.tables, "--tables")


def _report(args: argparse.Namespace, found: Report) -> None:
    """Write the JSON file, print, then write tables and plots: a later error loses nothing that was computed."""
    from afa_viz.evaluation import write_scores

    failure = None
    try:
        if args.json:
            write_scores(None, args.json, found.data)
    except (OSError, ValueError) as error:
        failure = error
    print(found.text)
    if failure is not None:  # after the scores were printed
        raise failure
    if args.tables:
        written = write_table_files(found.data, found.class_names, args.tables)
        print(f"\ntables: {len(written)} files in {args.tables}")
    if args.plots and "iou" in found.data:
        from afa_viz.figures.evaluation_charts import write_plots
        from afa_viz.figures.interactive.evaluation import write_evaluation_page

        plots = [*write_plots(found.data, args.plots), write_evaluation_page(found.data, args.plots)]
        print(f"\nplots: {', '.join(str(path) for path in plots)}")
