"""Prepared answers: the same texts as without them, no torch, and never an old one."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import opened_examples
import pytest
from app_fixtures import SIDE, prepare, scene, tiny
from opened_examples import open_all

from afa_viz.model.checkpoint import save_model
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.answer_texts import answer_name
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.server import prepare as prepare_module
from afa_viz.ui.server.options import Options
from afa_viz.ui.server.prepare import PrepareProcess, open_prepared, prepare_examples
from afa_viz.ui.sessions import fingerprint, prepared_answers
from afa_viz.ui.sessions.examples import read_examples
from afa_viz.ui.sessions.model_registry import ModelRegistry, checkpoint_sources
from afa_viz.ui.sessions.prepared_answers import PreparedAnswers
from afa_viz.ui.sessions.session import Session

ROOT = Path(__file__).parents[2]
WAIT = 240  # seconds; a test machine may be busy


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Options:
    """Options of an app whose examples are prepared."""
    options = prepare(tmp_path_factory.mktemp("prepared"))
    prepare_examples(options)
    return options


@pytest.fixture
def own(made, tmp_path) -> Options:
    """A copy that a test may change."""
    folder = made.examples.parent
    shutil.copytree(folder, tmp_path / "own")
    moved = {name: tmp_path / "own" / getattr(made, name).name for name in ("checkpoint_folder", "examples", "cache")}
    return dataclasses.replace(made, **moved)


def files(options: Options) -> dict[str, int]:
    """Names and inodes of the prepared files."""
    return {path.name: path.stat().st_ino for path in (options.cache / "prepared").glob("*.json.gz")}


def base_of(options: Options) -> str:
    base = fingerprint.base_digest(*prepare_module._decisive(options), read_examples(options.examples))
    assert base is not None
    return base


def found(options: Options) -> list[bool]:
    """Whether each example has prepared answers, read by a server that can make none itself."""
    examples = read_examples(options.examples)
    store = PreparedAnswers(options.cache / "prepared", base_of(options))
    return [store.find(example) is not None for example in examples]


def opened(options: Options) -> dict:
    """What `opened_examples.py` prints."""
    command = [sys.executable, opened_examples.__file__, str(options.examples.parent)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=WAIT)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


# --- the same, without torch -----------------------------------------------------------------------------------------


def test_every_example_and_tab_opens_without_torch_with_the_texts_that_a_server_computes(made):
    prepared = opened(made)
    assert prepared["imported"] == []
    computed = open_all(dataclasses.replace(made, train=True, runs=made.examples.parent / "runs"), None)
    assert "torch" in computed["imported"]
    assert len(prepared["texts"]) == 3 + 3 * 10 and all(len(text) > 2 for text in prepared["texts"].values())
    assert list(prepared["texts"]) == list(computed["texts"])
    assert [name for name, text in prepared["texts"].items() if text != computed["texts"][name]] == []
    moved = [json.loads(one["late"]["moved"]) for one in (prepared, computed)]
    assert moved[0] == moved[1] and moved[0]["low"] == 0.2
    asked = [name for name in computed["late"] if name.startswith("lab ") or name == "code"]
    assert len(asked) > 5
    measured = "lab crf"  # its facts have the time that it took
    assert [name for name in asked if name != measured and prepared["late"][name] != computed["late"][name]] == []
    verdicts = [json.loads(one["late"][measured]) for one in (prepared, computed)]
    assert verdicts[0]["truth"] == verdicts[1]["truth"]
    assert json.loads(prepared["late"]["crf"])["labels"]
    assert Path(json.loads(prepared["late"]["file"])["path"]).stat().st_size > 10_000


# --- never an old answer ---------------------------------------------------------------------------------------------


def change_checkpoint(options: Options) -> None:
    model, card = tiny(1)
    save_model(model, options.checkpoint_folder / "tiny" / "model.safetensors", card)


def flip_a_weight(options: Options) -> None:
    """One bit, at the same size and date."""
    path = options.checkpoint_folder / "tiny" / "model.safetensors"
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def change_card(options: Options) -> None:
    path = options.checkpoint_folder / "tiny" / "model.json"
    path.write_text(path.read_text().replace(f'"input_size": {SIDE}', '"input_size": 64'))


def add_a_first_checkpoint(options: Options) -> None:
    shutil.copytree(options.checkpoint_folder / "tiny", options.checkpoint_folder / "another")


def retitle(options: Options) -> None:
    path = options.examples / "examples.json"
    path.write_text(path.read_text().replace("Scene 0", "Scene nought"))


@pytest.mark.parametrize("change", [change_checkpoint, flip_a_weight, change_card, add_a_first_checkpoint, retitle])
def test_after_a_change_nothing_old_is_found(own, change):
    assert found(own) == [True] * 3
    change(own)
    assert found(own) == [False] * 3


def test_only_the_changed_image_is_prepared_again(own):
    before, priority, given = files(own), os.getpriority(os.PRIO_PROCESS, 0), []
    scene(7)[0].save(own.examples / "scene0.png")
    assert found(own) == [False, True, True]
    prepare_examples(own, lambda: given.append(found(own)))
    assert given == [[True, True, True]] and os.getpriority(os.PRIO_PROCESS, 0) == priority
    after = files(own)
    assert found(own) == [True] * 3 and len(after) == 4 and before.items() <= after.items()
    scene(7)[1].save(own.examples / "scene1_mask.png")
    assert found(own) == [True, False, True]


def test_dates_do_not_count(own):
    for path in own.examples.parent.rglob("*.*"):
        os.utime(path, (1, 1))
    assert found(own) == [True] * 3


@pytest.mark.parametrize(
    "name, value",
    [("OMP_NUM_THREADS", "7"), ("CUDA_VISIBLE_DEVICES", "3")],
)
def test_the_machine_counts(made, monkeypatch, name, value):
    assert found(made) == [True] * 3
    monkeypatch.setenv(name, value)
    assert found(made) == [False] * 3


def test_device_versions_and_sources_count(made, monkeypatch, tmp_path):
    assert found(made) == [True] * 3
    assert found(dataclasses.replace(made, device="auto")) == [False] * 3
    with monkeypatch.context() as patched:
        patched.setattr(fingerprint, "__version__", "99.0")
        assert found(made) == [False] * 3
    with monkeypatch.context() as patched:
        version = fingerprint.metadata.version
        patched.setattr(fingerprint.metadata, "version", lambda name: "99" if name == "torch" else version(name))
        assert found(made) == [False] * 3
    shutil.copytree(
        ROOT / "afa_viz", tmp_path / "afa_viz", ignore=shutil.ignore_patterns("__pycache__", "examples", "explorer")
    )
    monkeypatch.setattr(fingerprint, "PACKAGE", tmp_path / "afa_viz")
    assert found(made) == [True] * 3
    source = tmp_path / "afa_viz" / "ops" / "par.py"
    before = source.stat()
    source.write_text(source.read_text().replace("0.01", "0.02", 1))  # the same size
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert found(made) == [False] * 3
    shutil.rmtree(tmp_path / "afa_viz")
    assert fingerprint.base_digest([], (), []) is None  # code that cannot be read vouches for nothing


def sessions(options: Options) -> tuple[Session, ExplorerHandlers]:
    registry = ModelRegistry(checkpoint_sources((), options.checkpoint_folder), "cpu")
    examples = read_examples(options.examples)
    store = PreparedAnswers(options.cache / "prepared", base_of(options))
    first = store.find(examples[0])
    assert first is not None
    registry.assume(registry.names[0], first.model)
    session = Session(registry, options.examples, prepared=store)
    return session, ExplorerHandlers(session, options.cache / "exports")


def test_a_checkpoint_that_changes_under_a_running_server_ends_what_was_prepared(own):
    session, answers = sessions(own)
    request = session.request("example:scene0", "tiny")
    old = answers.stages(request)
    assert session.prepared(request) is not None and not session.loaded.is_set()
    change_checkpoint(own)
    assert answers.stages(request) == old  # nothing was loaded: it is still the model of the start
    session.trace(dataclasses.replace(request, config=dataclasses.replace(request.config, power=3.0)))
    new = answers.stages(session.request("example:scene0", "tiny"))
    assert session.prepared(request) is None
    assert json.loads(new)["cam"] != json.loads(old)["cam"]


def test_other_settings_labels_and_questions_are_computed(made):
    session, answers = sessions(made)
    request = session.request("example:scene0", "tiny")
    value = json.loads(answers.stages(request))
    assert answers.preview(request) is None and session.present_labels(request) == ["bird", "cat"]
    answers.scene({"key": request.key})
    assert not session.loaded.is_set() and not session._traces.items()
    moved = session.request("example:scene0", "tiny", config=dataclasses.replace(request.config, radius=2))
    assert json.loads(answers.stages(moved))["radius"] == 2 != value["radius"]
    fewer = session.request("example:scene0", "tiny", ["cat"])
    assert [one["label"] for one in json.loads(answers.stages(fewer))["classes"]] == [6]
    logits = json.loads(answers.attention({"key": request.key, "block": 7, "logits": True}))
    assert logits["logits"] is True and session.loaded.is_set()
    assert json.loads(answers.stages(request)) == value


def test_the_model_is_loaded_once_by_many_hints(made):
    session, _ = sessions(made)
    for _ in range(5):
        session.load()
    assert session.loaded.wait(WAIT)
    before = session.registry.get("tiny")
    session.load()
    assert session.registry.get("tiny") is before
    assert [thread.name for thread in threading.enumerate()].count("load") <= 1


def test_a_model_that_cannot_be_loaded_says_so_when_it_is_needed(own):
    session, answers = sessions(own)
    request = session.request("example:scene0", "tiny")
    (own.checkpoint_folder / "tiny" / "model.safetensors").write_bytes(b"nothing")
    session.load()
    assert answers.stages(request)
    with pytest.raises(UserError, match="model.safetensors"):
        answers.crf({"key": request.key})


# --- files -----------------------------------------------------------------------------------------------------------


def foreign(path: Path) -> None:
    path.write_bytes(gzip.compress(json.dumps({"digest": "of another program", "answers": {}}).encode()))


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 8
    path.write_bytes(content)


def swapped(path: Path) -> None:
    """The answers to another example."""
    other = next(other for other in path.parent.glob("*.json.gz") if other != path)
    path.write_bytes(other.read_bytes())


def emptied(path: Path) -> None:
    held = json.loads(gzip.decompress(path.read_bytes()))
    path.write_bytes(gzip.compress(json.dumps({**held, "answers": {"scene": 1}}).encode()))


@pytest.mark.parametrize(
    "damage",
    [
        foreign, flipped, swapped, emptied, lambda path: path.write_bytes(b""), lambda path: path.write_text("{}"),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(gzip.compress(b"[" * 100_000)),
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_file_is_ignored_and_made_again(own, damage):
    examples = read_examples(own.examples)
    store = PreparedAnswers(own.cache / "prepared", base_of(own))
    path = store.path(examples[1])
    assert path is not None
    damage(path)
    assert found(own) == [True, False, True]
    prepare_examples(own)
    assert found(own) == [True] * 3


def test_the_oldest_files_go(own, monkeypatch):
    size = sum(path.stat().st_size for path in (own.cache / "prepared").glob("*.json.gz"))
    monkeypatch.setattr(prepared_answers, "MAX_TOTAL_BYTES", int(1.5 * size))
    for path in (own.cache / "prepared").glob("*.json.gz"):
        os.utime(path, (1, 1))
    stale = own.cache / "prepared" / ".killed.json.gz.1.tmp"
    stale.write_bytes(b"half")
    os.utime(stale, (1, 1))
    change_checkpoint(own)
    prepare_examples(own)
    kept = sum(path.stat().st_size for path in (own.cache / "prepared").glob("*.json.gz"))
    assert found(own) == [True] * 3 and kept <= 1.5 * size and not stale.exists()


def test_a_cache_that_cannot_be_written_prepares_nothing(made, tmp_path):
    (tmp_path / "file").write_text("no folder")
    for cache in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/none")):
        assert open_prepared(dataclasses.replace(made, cache=cache)) is None


def test_without_checkpoint_or_examples_the_server_says_it_itself(made, tmp_path):
    for change in ({"checkpoint_folder": tmp_path}, {"examples": tmp_path}, {"checkpoints": ("/nowhere/model.pth",)}):
        assert open_prepared(dataclasses.replace(made, **change)) is None


@pytest.mark.slow
def test_two_processes_at_once_make_every_file_once(tmp_path):
    options = prepare(tmp_path)
    both = [PrepareProcess(options), PrepareProcess(options)]
    for process in both:
        process.start()
    seen: dict[str, int] = {}
    until = time.monotonic() + WAIT
    while any(process.is_running() for process in both):
        assert time.monotonic() < until
        for name, inode in files(options).items():
            assert seen.setdefault(name, inode) == inode, "it was written again"
        time.sleep(0.01)
    assert found(options) == [True] * 3 and len(files(options)) == 3
    assert not list((options.cache / "prepared").glob("*.tmp"))


def test_a_process_ends_with_its_server_and_a_server_goes_on_without_its_process(tmp_path):
    options = prepare(tmp_path)
    process = PrepareProcess(options)
    process.start()
    process._process.stdin.close()  # as the system does when the server is killed
    process._process.wait(WAIT)
    process.stop()
    examples = read_examples(options.examples)
    store = PreparedAnswers(options.cache / "prepared", base_of(options), process)
    process.start = lambda: None  # type: ignore[method-assign]
    assert store.find(examples[0], max_wait=float("inf")) is None


def test_an_example_that_is_late_is_waited_for_once_and_used_when_it_is_there(own):
    class Slow:
        def start(self) -> None:
            pass

        def is_running(self) -> bool:
            return True

    first, *_ = read_examples(own.examples)
    store = PreparedAnswers(own.cache / "prepared", base_of(own), Slow())
    path = store.path(first)
    assert path is not None
    path.rename(path.with_name("elsewhere"))
    began = time.monotonic()
    assert store.find(first, max_wait=1.0) is None and time.monotonic() - began >= 1.0
    began = time.monotonic()
    assert store.find(first, max_wait=60.0) is None and time.monotonic() - began < 30.0
    path.with_name("elsewhere").rename(path)
    assert store.find(first) is not None


def test_names_of_questions_do_not_depend_on_order_or_empty_parameters():
    one = answer_name("attention", {"key": "k", "block": 7, "logits": False, "head": None})
    assert one == answer_name("attention", {"logits": False, "block": 7.0, "key": "k"})
    assert one == 'attention {"block":7,"key":"k","logits":false}'
    assert one != answer_name("attention", {"logits": 0, "block": 7, "key": "k"})
