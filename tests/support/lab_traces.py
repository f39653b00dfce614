"""Traces of a tiny network for tests of the lab, with fields of our own, so that the right answers are known."""

from __future__ import annotations

import dataclasses

import torch
from app_fixtures import SIDE

from afa_viz import lab

CELLS = SIDE // 16
COW, BIRD = 6, 2  # labels of the classes in the first scene of the fixtures; the mask has the first alone


def with_cam(trace, map_, label=COW):
    """The trace with a CAM of our own for one class, nothing for the others."""
    cam = torch.zeros_like(trace.cam)
    cam[label - 1] = map_
    return dataclasses.replace(trace, cam=cam)


def scores_of(label, count):
    """(K, H, W) scores whose strongest channel is a label map."""
    return torch.nn.functional.one_hot(label.long(), count).permute(2, 0, 1).float()


def right(trace, name, answer, label=COW):
    return lab.check(trace, name, answer, label).is_correct


def reasons(trace, name, answer, label=COW):
    return lab.check(trace, name, answer, label).correct_reasons


def painted(trace, target, **more):
    """The trace with a ground truth and other fields of our own."""
    return dataclasses.replace(trace, target=target.to(torch.uint8), **more)


def rows(first, last, label=COW):
    """(H, W) uint8: a class in some rows of cells."""
    found = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    found[16 * first : 16 * last] = label
    return found


def walked(trace, before, after):
    """The trace with a CAM and a walked map of our own: (h, w) booleans of where the class is."""
    large = torch.kron(before.float(), torch.ones(16, 16))
    changed = with_cam(trace, large)
    label = torch.where(after, COW, 0)
    target = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    target[:48] = COW
    return dataclasses.replace(changed, cam_rw=scores_of(label, len(trace.class_names)), target=target)
