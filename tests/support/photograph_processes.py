"""A short run on a VOC tree, alone or as one of several processes; started by test_photograph_run.py.

python tests/support/photograph_processes.py ROOT FOLDER BATCH_SIZE
"""

from __future__ import annotations

import dataclasses
import sys

import torch

from afa_viz.commands.train import read_config
from afa_viz.training import distributed
from afa_viz.training.loop import Run
from afa_viz.training.training_data import open_photographs


def main() -> None:
    torch.set_num_threads(1)
    root, folder, batch_size = sys.argv[1], sys.argv[2], int(sys.argv[3])
    _, config = read_config(f"{root}/small.toml")
    config = dataclasses.replace(config, batch_size=batch_size, drop_path_rate=0.0)
    processes = distributed.start("cpu")
    source = open_photographs("voc", config, root, eval_images=3, threads=1)
    run = Run(
        source.config, source.batches, folder, source.class_names, source.samples, processes=processes,
        eval_every=100, facts=source.facts,
    )  # fmt: skip
    run.model.decoder.dropout.p = 0.0  # its masks would differ between the processes
    run.run(progress=False)
    distributed.stop()


if __name__ == "__main__":
    main()
