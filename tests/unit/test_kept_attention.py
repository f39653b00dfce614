"""A trace without the attention of stages 1 to 3: all else is the same, every view copes, and memory stays bounded."""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from app_fixtures import open_session, prepare, tiny
from explained import assert_same, noise, trace_of_noise
from golden_vectors import golden_model
from report_file import Page

import afa_viz
from afa_viz.commands.explain import write_trace
from afa_viz.config import ExplainConfig
from afa_viz.evaluation import Sample, scoring
from afa_viz.figures import attention, maps, stages
from afa_viz.inputs import fit_size
from afa_viz.model.afa import AFA, build_afa
from afa_viz.model.checkpoint import save_model
from afa_viz.pipeline import _STAGE_FUNCTIONS, _warn_once
from afa_viz.stages import memory
from afa_viz.trace import Trace
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers import payload, payload_attention
from afa_viz.ui.handlers.api import Api
from afa_viz.ui.handlers.compare import Changes, comparison_request
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.report.document import document
from afa_viz.ui.sessions import memory as sessions_memory
from afa_viz.ui.sessions import session as session_module

LESS = ExplainConfig(keep_attention="last_stage")
SENTENCE = "the attention of stages 1 to 3 was not kept"
EARLY = range(6)  # of MiT-B0 and MiT-B1: two blocks a stage


@pytest.fixture(scope="module")
def trace() -> Trace:
    return trace_of_noise()


@pytest.fixture(scope="module")
def less() -> Trace:
    target = trace_of_noise().target
    return afa_viz.explain(golden_model(), noise(), labels=["bird", "cat"], config=LESS, target=target)


def test_all_else_is_the_same(trace, less):
    for field in dataclasses.fields(Trace):
        if field.name not in ("attn_logits", "config", "queries", "keys"):
            one, other = getattr(trace, field.name), getattr(less, field.name)
            assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other, field.name
    assert [logits is None for logits in less.attn_logits] == [True] * 6 + [False] * 2
    for name in ("attn_logits", "queries", "keys"):  # of the last stage, which both have
        assert all(torch.equal(getattr(less, name)[i], getattr(trace, name)[i]) for i in (-1, -2)), name
    assert (list(trace.kept_blocks), list(less.kept_blocks)) == (list(range(8)), [6, 7])


@pytest.mark.parametrize("size", [(16, 16), (33, 48), (64, 200)])
def test_the_last_stage_is_found_at_any_size(size):
    picture = np.full((*size, 3), 9, np.uint8)
    whole = afa_viz.explain(golden_model(), picture, [1], ExplainConfig(scales=(1,), num_iters=1))
    config = dataclasses.replace(whole.config, keep_attention="last_stage")
    assert_same(afa_viz.recompute(whole, config), afa_viz.explain(golden_model(), picture, [1], config))


def test_it_is_saved_and_loaded(less, tmp_path):
    again = Trace.load(less.save(tmp_path / "a.npz"))
    assert_same(again, less)
    assert again.config.keep_attention == "last_stage"
    whole = trace_of_noise().save(tmp_path / "b.npz")
    assert whole.stat().st_size > (tmp_path / "a.npz").stat().st_size


@pytest.mark.parametrize("missing_block", [0, 5, 7])
def test_a_file_that_lost_a_block_is_refused(trace, tmp_path, missing_block):
    path = trace.save(tmp_path / "a.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != f"attn_logits_{missing_block}"}
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="not a trace of this version"):
        Trace.load(path)


def test_what_reads_an_early_block_says_so(trace, less):
    cell = (0, 0)
    for block in (*EARLY, -8, -3):
        for call in (
            lambda b: less.logits(b),
            lambda b: less.attn_probs(b),
            lambda b: maps.attention(less, b, None, cell),
            lambda b: stages.attention(less, b, None, cell),
            lambda b: stages.head_grid(less, b, cell),
            lambda b: stages.head_captions(less, b, cell),
            lambda b: attention.block_statistics(less, b),
            lambda b: attention.region_shares(less, b, torch.ones(1, 75, 101, dtype=torch.bool)),
            lambda b: payload_attention.attention(less, b),
        ):
            with pytest.raises(ValueError, match=SENTENCE) as caught:
                call(block)
            assert "\n" not in str(caught.value)
    for block in (6, 7, -1):
        assert torch.equal(maps.attention(less, block, 0, cell), maps.attention(trace, block, 0, cell))
    with pytest.raises(ValueError, match="this network has 8 blocks"):
        trace.logits(8)


def test_the_report_says_so_and_shows_the_rest(trace, less, tmp_path):
    page, whole = (Page(document(one)) for one in (less, trace))
    assert SENTENCE[1:] in page.words("en") and SENTENCE[1:] not in whole.words("en")
    assert page.pictures == whole.pictures
    assert write_trace(less, tmp_path / "less") == write_trace(trace, tmp_path / "all")


def test_the_page_gets_what_is_there(trace, less):
    one, other = payload.stages(trace, "", ""), payload.stages(less, "", "")
    assert (one.pop("first_block"), other.pop("first_block")) == (0, 6) and one == other
    blocks, whole = payload.scene(less, "")["blocks"], payload.scene(trace, "")["blocks"]
    assert [block["heads"] for block in blocks[:6]] == [0] * 6 and blocks[6:] == whole[6:]
    assert [(b["stage"], b["place"]) for b in blocks] == [(b["stage"], b["place"]) for b in whole]
    numbers = payload_attention.overview(less)["blocks"]
    assert numbers[:6] == [None] * 6 and numbers[6:] == payload_attention.overview(trace)["blocks"][6:]
    assert payload_attention.affinity(less) == payload_attention.affinity(trace)
    json.dumps(payload_attention.overview(less), allow_nan=False)


def test_scores_need_no_early_attention(trace, monkeypatch):
    kept = []

    def watched(*args, **kwargs):
        made = afa_viz.explain(*args, **kwargs)
        kept.append(len(made.kept_blocks))
        return made

    monkeypatch.setattr(scoring, "explain", watched)
    sample = Sample(noise(), np.eye(20, dtype=np.float32)[2], np.zeros((75, 101), np.uint8))
    list(scoring.score_samples(golden_model(), [sample], ExplainConfig(scales=(1,), num_iters=1)))
    assert kept == [2]


# --- the page --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    options = prepare(tmp_path_factory.mktemp("page"))
    model, card = tiny(1)
    save_model(model, options.checkpoint_folder / "other.safetensors", card)
    return options


@pytest.fixture
def session(options, monkeypatch):
    monkeypatch.setattr(session_module, "LARGE", 1000)  # as if these small pictures were large ones
    return open_session(options)


def test_a_large_picture_is_explained_without_early_attention(session, options, monkeypatch):
    name = session.registry.names[0]
    request = session.request("example:scene0", name)
    assert request.config.keep_attention == "last_stage" and len(session.trace(request).kept_blocks) == 2
    words = json.loads(ExplorerHandlers(session).stages(request))
    needed = session.memory_with_all_attention("example:scene0", name, request.config)
    assert words["first_block"] == 6 and words["memory"] == f"{needed / 2**30:.1f}"
    for changes in (Changes(switched=("PAR",)), Changes(model="other"), Changes(setting="power", value=3.0)):
        other = comparison_request(session, request, session.trace(request), changes)
        assert other.config.keep_attention == "last_stage", changes
    monkeypatch.setattr(session_module, "LARGE", 2**30)
    small = session.request("example:scene0", name)
    assert small.config.keep_attention == "all" and small.key != request.key


def test_the_api_says_so(session):
    api = Api(session, ExplorerHandlers(session))
    found = api.explain(None, "example:scene0", None, None, None)
    assert (found["blocks"], found["first_block"]) == (8, 6)
    assert api.query(found["key"], 0, 0, None)["block"] == 7
    with pytest.raises(UserError, match=f"block is 2; expected 6 to 7: {SENTENCE}"):
        api.query(found["key"], 0, 0, 2)


def test_what_no_memory_is_left_for_is_refused_before_it_runs(session, monkeypatch):
    request = session.request("example:scene1", session.registry.names[0])
    with monkeypatch.context() as patched:
        patched.setattr(sessions_memory, "free_memory", lambda: 10)
        with pytest.raises(UserError, match=r"needs about 0\.\d GB of memory and 0\.0 GB are free; choose a smaller"):
            session.trace(request)
        patched.setattr(sessions_memory, "free_memory", lambda: None)  # a system that does not tell
        session.trace(request)
        patched.setattr(sessions_memory, "free_memory", lambda: 10)
        session.trace(request)  # made already


# --- what it takes ---------------------------------------------------------------------------------------------------


@functools.cache
def network(backbone: str) -> AFA:
    return build_afa(backbone, 4)


@pytest.mark.parametrize("backbone", ["mit_b0", "mit_b2", "pvt_v2_b0"])
@pytest.mark.parametrize("size", [(16, 16), (75, 101), (128, 96)])
@pytest.mark.parametrize("keep", ["all", "last_stage"])
def test_the_attention_is_counted_exactly(backbone, size, keep):
    model = network(backbone)
    config = ExplainConfig(scales=(1,), flip=False, num_iters=0, keep_attention=keep)
    made = afa_viz.explain(model, np.full((*size, 3), 9, np.uint8), [1], config)
    logits = [block for block in made.attn_logits if block is not None]
    assert memory.estimate_memory(model, size, config).attention == sum(block.nbytes for block in logits)


def test_large_images_say_what_they_take_before_they_run(monkeypatch, caplog):
    model, picture = golden_model(), np.full((40, 60, 3), 9, np.uint8)
    _warn_once.cache_clear()
    config = ExplainConfig(long_side=1024, scales=(1,))
    size = fit_size(picture, 1024)
    monkeypatch.setitem(_STAGE_FUNCTIONS, "network", lambda *_: pytest.fail("it runs"))
    for _ in range(2):
        with pytest.raises(pytest.fail.Exception), caplog.at_level(logging.WARNING):
            afa_viz.explain(model, picture, [1], config)
    (said,) = [record.getMessage() for record in caplog.records]
    needed, small = (memory.estimate_memory(model, s, config) for s in (size, (341, 512)))
    less = memory.estimate_memory(model, size, dataclasses.replace(config, keep_attention="last_stage"))
    assert said == (
        f"1024 x 683 pixels take about {needed} of memory; {less} with keep_attention=last_stage, {small} with "
        "long_side=512."
    )
    assert memory.memory_warning(model, (256, 256), ExplainConfig()) == ""
    monkeypatch.setattr(memory, "free_memory", lambda: 2**29)
    assert "of memory, but only 0.5 GB are free; " in memory.memory_warning(model, size, config)


MEASURE = """
import json, re, sys
import numpy as np, torch
import afa_viz
from afa_viz.model.afa import build_afa
from afa_viz.stages.memory import estimate_memory

def status(name):
    return int(re.search(rf"{name}:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

torch.set_num_threads(1)
model, size = build_afa("mit_b0", 21).eval(), (640, 640)
config = afa_viz.ExplainConfig(keep_attention=sys.argv[1], scales=(1.0,), flip=False)
afa_viz.explain(model, np.zeros((64, 64, 3), np.uint8), [1], config)
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
afa_viz.explain(model, np.zeros((*size, 3), np.uint8), [1], config)
print(json.dumps([status("VmHWM") - before, estimate_memory(model, size, config).peak]))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc, on Linux")
@pytest.mark.slow
def test_memory_is_bounded_while_it_runs():
    found = {}
    for keep in ("last_stage", "all"):
        done = subprocess.run([sys.executable, "-c", MEASURE, keep], capture_output=True, text=True, check=True,
                              timeout=300, cwd=Path(__file__).parents[2])  # fmt: skip
        found[keep] = json.loads(done.stdout)
    for keep, (taken, said) in found.items():
        assert 0.7 < said / taken < 1.3, (keep, said, taken)
    early = 4 * 6400 * 400 * (4 * 1 * 2 + 2 * 2 + 5 / 4 * 2)  # stages 1 to 3 of 640 x 640 pixels: heads x blocks
    assert found["all"][0] - found["last_stage"][0] > 0.6 * early
