"""What a trace takes of memory."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
import torch

from afa_viz.stages.one_image import lazy_zeros


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_maps_of_absent_classes_take_none():
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    before = resident()
    with torch.inference_mode():
        maps = lazy_zeros(2, 64, 512, 512)
        maps[:, 3] = 1
    taken = resident() - before  # before anything looks at the maps and makes others of its own
    assert taken < maps.nbytes / 4
    assert not maps.is_inference()  # `explain` copies those
    assert maps.sum() == 2 * 512 * 512 and not maps[:, 4:].any()


def test_no_class_and_no_pixel():
    assert lazy_zeros(2, 0, 5, 5).shape == (2, 0, 5, 5)
