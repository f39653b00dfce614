"""What is held of a trace for later gives the same numbers as the trace, in less memory."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from app_fixtures import open_session, prepare
from explained import assert_same, trace_of_noise

import afa_viz
from afa_viz import ExplainConfig, pipeline
from afa_viz.pipeline import recompute
from afa_viz.ui.sessions.compact_trace import RECOMPUTED, compact
from afa_viz.ui.sessions.trace_reuse import trace_bytes


@pytest.fixture(scope="module")
def trace():
    return trace_of_noise()


CHANGES = [{}, {"use_walk": False}, {"use_par": False}, {"bkg_score_low": 0.2}, {"num_iters": 3, "par_downscale": 1}]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_every_field_is_the_same(trace, change):
    whole = recompute(trace, dataclasses.replace(trace.config, **change))
    small = compact(whole)
    assert not set(RECOMPUTED) & set(vars(small)) and set(RECOMPUTED) < set(vars(whole))
    assert_same(whole, small)
    assert small.present == whole.present and compact(small) is small
    full = dataclasses.replace(small, config=small.config)
    assert type(full) is type(small) and set(RECOMPUTED) < set(vars(full))


def test_without_any_class(trace):
    whole = recompute(trace, trace.config, labels=[])
    assert_same(whole, compact(whole))


def test_it_takes_less_memory(trace):
    maps = trace.cam_par[0].nbytes * (len(trace.present) + 1)
    logits = sum(block.nbytes for block in trace.attn_logits[-2:])
    assert trace_bytes([trace]) - trace_bytes([compact(trace)]) >= 2.9 * maps + logits


def test_logits_that_their_queries_and_keys_do_not_give_stay(trace):
    changed = (*trace.attn_logits[:-1], trace.attn_logits[-1] + 1)
    other = compact(dataclasses.replace(trace, attn_logits=changed))
    assert all(map(torch.equal, other.attn_logits, changed))
    without = dataclasses.replace(trace, queries=None, keys=None)
    assert_same(without, compact(without))
    early = recompute(trace, dataclasses.replace(trace.config, keep_attention="last_stage"))
    assert_same(early, compact(early))


def test_it_is_saved_copied_and_shown_as_any_other(trace, tmp_path):
    small = compact(trace)
    assert_same(trace, afa_viz.Trace.load(small.save(tmp_path / "small.npz")))
    assert_same(trace, copy.copy(small))
    assert_same(trace, copy.deepcopy(small))
    assert repr(small) == repr(trace)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = small.nonsense


def test_going_on_from_it_runs_par_once(trace, monkeypatch):
    ran = []
    inner = pipeline.one_image.cam_par_stage
    monkeypatch.setattr(
        "afa_viz.ui.sessions.compact_trace.cam_par_stage", lambda *args: (ran.append(1), inner(*args))[1]
    )
    small, config = compact(trace), dataclasses.replace(trace.config, power=3.0)
    assert_same(recompute(small, config), recompute(trace, config))
    assert not ran
    label_alone = dataclasses.replace(trace.config, bkg_score=0.6)
    assert_same(recompute(small, label_alone), recompute(trace, label_alone))
    assert ran


def test_what_a_page_holds_is_made_small_when_it_is_quiet(tmp_path):
    options = prepare(tmp_path)
    session = open_session(options)
    request = session.request("example:scene0", "tiny", config=ExplainConfig(long_side=64))
    whole = session.trace(request)
    session.memory.trim()
    small = session.trace(request)
    assert small is not whole and not set(RECOMPUTED) & set(vars(small))
    assert_same(whole, small)
    assert trace_bytes([small]) < trace_bytes([whole])
