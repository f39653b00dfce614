"""A short run of two processes, of which the second meets batches that are not finite; started by test_distributed.py.

python -m torch.distributed.run … tests/support/bad_rank.py FOLDER [parity]
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import torch
from noise_runs import CONFIG, Noise

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.training import distributed
from afa_viz.training.finite_checks import DivergedError, first_non_finite
from afa_viz.training.loop import Run

BAD = {1, 3, 5}  # one batch of each phase


class OneIsBad(Noise):
    """Batches of which those of rank 1 hold NaN at the steps of `BAD`, and all after `fatal`."""

    fatal = 99

    def __call__(self, part, number, shard=(0, 1)):
        self.bad = set(BAD) | set(range(self.fatal, 99)) if shard[0] == 1 else set()
        return super().__call__(part, number, shard)


def main() -> None:
    torch.set_num_threads(1)
    folder, parity = Path(sys.argv[1]), "parity" in sys.argv
    config = dataclasses.replace(CONFIG, max_bad_steps=1, ema=0.0, official_parity=parity)
    processes = distributed.start("cpu")
    batches = OneIsBad()
    run = Run(config, batches, folder, SANDBOX_CLASSES, processes=processes)
    made = [bool(run.step()) for _ in range(config.max_iters - 2)]
    run.save()
    state = first_non_finite(run.train_state.state()), float(sum(p.double().sum() for p in run.model.parameters()))
    batches.fatal = 6
    stopped = ""
    try:
        run.run(progress=False)
    except DivergedError as error:
        stopped = str(error)
    (folder / f"rank_{processes.rank}.json").write_text(json.dumps([made, state, run.history.skipped_steps, stopped]))
    distributed.stop()


if __name__ == "__main__":
    main()
