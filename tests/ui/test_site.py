"""The static site without a browser: its files, its folder, its command, and what is sent to the hub."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import re
import resource
import subprocess
import sys
import time
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from app_fixtures import prepare, scene
from hub_stub import committed, hub  # noqa: F401
from PIL import Image
from static_site import build_large

from afa_viz.__main__ import main
from afa_viz.model.checkpoint import load_model
from afa_viz.pipeline import explain
from afa_viz.ui.handlers.answer_texts import answer_name
from afa_viz.ui.handlers.payload_attention import cell_maps
from afa_viz.ui.site import build
from afa_viz.ui.site.folder import MARK, replaced_folder, require_replaceable
from afa_viz.ui.site.held import held_attention
from afa_viz.ui.site.packing import file_name, pack, plane_differences
from afa_viz.ui.site.sizes import measure

ROOT = Path(__file__).parents[2]
SNAPSHOTS = ROOT / "checkpoints" / "sandbox" / "snapshots"
NAMES = json.loads((ROOT / "tests" / "support" / "answer_names.json").read_text(encoding="utf-8"))


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, file", [(name, file) for *_, name, file in NAMES])
def test_an_answer_has_one_file(name, file):
    """The tests under node hold the browser to the same list."""
    assert file_name(name) == file


def undone(differences: np.ndarray) -> np.ndarray:
    return differences.cumsum(axis=-1, dtype=np.uint8).cumsum(axis=-2, dtype=np.uint8)


def test_packing_loses_nothing():
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:40, :50]
    smooth = np.stack([(rows * cols // 9 + i).astype(np.uint8) for i in range(3)])
    noise = rng.integers(0, 256, (2, 4, 7), np.uint8)
    picture = rng.integers(0, 256, (9, 7, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    maps = {
        name: {"data": base64.b64encode(zlib.compress(v.tobytes(), 1)).decode(), "shape": list(v.shape), "low": 0.5}
        for name, v in {"smooth": smooth, "noise": noise, "line": noise.reshape(-1)}.items()
    }
    image = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    text = json.dumps({"maps": [maps], "image": image, "none": None, "words": "소 <b>"})
    found = json.loads(gzip.decompress(pack(text)))
    for name, values in {"smooth": smooth, "noise": noise, "line": noise.reshape(-1)}.items():
        packed = found["maps"][0][name]
        bytes_ = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8).reshape(packed["shape"])
        assert np.array_equal(undone(bytes_) if packed.get("filter") == "plane" else bytes_, values), name
        assert packed["low"] == 0.5
    assert found["maps"][0]["smooth"]["filter"] == "plane"
    webp = Image.open(io.BytesIO(base64.b64decode(found["image"].partition(",")[2])))
    assert np.array_equal(np.asarray(webp.convert("RGB")), picture)
    assert (found["none"], found["words"]) == (None, "소 <b>")
    assert pack(text) == pack(text), "the same answer is the same file"
    assert np.array_equal(undone(plane_differences(noise)), noise)


# --- the folder ------------------------------------------------------------------------------------------------------


def written(out: Path, words: str = "one") -> None:
    with replaced_folder(out) as folder:
        (folder / "images").mkdir()
        (folder / "images" / "a.dat").write_text(words)


def test_a_site_takes_the_place_of_an_earlier_one(tmp_path):
    out = tmp_path / "deep" / "site"
    written(out)
    written(out, "two")
    assert (out / "images" / "a.dat").read_text() == "two" and [p.name for p in out.parent.iterdir()] == ["site"]
    empty = tmp_path / "empty"
    empty.mkdir()
    written(empty)
    assert (empty / MARK).is_file()
    link = tmp_path / "link"
    link.symlink_to(out)
    written(link, "three")
    assert link.is_symlink() and (out / "images" / "a.dat").read_text() == "three"


def test_a_build_that_fails_leaves_the_earlier_site(tmp_path):
    out = tmp_path / "site"
    written(out)
    with pytest.raises(RuntimeError), replaced_folder(out) as folder:
        (folder / "b.dat").write_text("half")
        raise RuntimeError
    assert (out / "images" / "a.dat").read_text() == "one" and [p.name for p in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("change", ["another file", "a changed file", "no mark", "a broken mark", "a link", "a file"])
def test_what_is_not_ours_is_refused(tmp_path, change):
    out = tmp_path / "site"
    written(out)
    if change == "another file":
        (out / "CNAME").write_text("example.org")
    elif change == "a changed file":
        (out / "images" / "a.dat").write_text("mine")
    elif change == "no mark":
        (out / MARK).unlink()
    elif change == "a broken mark":
        (out / MARK).write_text("[1")
    elif change == "a link":
        (out / "images" / "elsewhere").symlink_to(tmp_path)
    else:
        out = tmp_path / "file"
        out.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=str(out)) as refused:
        require_replaceable(out)
    message = str(refused.value)
    assert message.endswith(".") and ": " in message or "; " in message
    with pytest.raises(ValueError), replaced_folder(out):
        raise AssertionError("not reached")
    assert sorted(tmp_path.rglob("*")) == before


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    """The weights of a small network."""
    return prepare(tmp_path_factory.mktemp("network")).checkpoint_folder / "tiny"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number, name in enumerate(["one.png", "Große Kuh.jpg"]):
        scene(number)[0].save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def site(network, pictures, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out") / "site"
    command = ["site", "--out", str(out), "--checkpoint", str(network), "--images", str(pictures)]
    assert main([*command, "--title", "Kühe & <more>", "--cache", str(out.parent)]) == 0
    return out


def contents(site: Path) -> dict:
    return json.loads(gzip.decompress(next(site.glob("site-*.dat")).read_bytes()))


def test_a_site_of_own_images(site):
    images = contents(site)["images"]
    assert [(image["title"], image["photograph"], image["gallery"]) for image in images] == [
        ("Große Kuh", False, True), ("one", False, True),
    ]  # fmt: skip
    for image in images:
        folder = site / "images" / image["folder"]
        assert sorted(path.name for path in folder.iterdir()) == image["files"] and image["folder"].isascii()
        assert (site / image["thumbnail"]).read_bytes().startswith(b"\xff\xd8")
        stages = json.loads(gzip.decompress((folder / "stages.dat").read_bytes()))
        assert stages["link"] == {"data": image["name"]} and stages["labels_given"] is False
    assert len({image["folder"] for image in images}) == 2


def test_the_page_names_files_that_are_there_and_no_other_host(site):
    page = (site / "index.html").read_text(encoding="utf-8")
    assert "<title>Kühe &amp; &lt;more&gt;: " in page and "<h1>Kühe &amp; &lt;more&gt;</h1>" in page
    named = [part.split('"')[0] for part in page.replace('src="', 'href="').split('href="')[1:]]
    assert len(named) >= 4
    for name in named:
        assert name.startswith(("data:", "#", "?", "https://")) or (site / name).is_file(), name
    head = page.partition("<template>")[0]
    assert "https://" not in head and "http://" not in head
    script = next(site.glob("explorer-*.js")).read_text(encoding="utf-8")
    assert contents(site) and next(site.glob("site-*.dat")).name in script


def test_sizes_are_counted(site):
    sizes = measure(site)
    assert 100_000 < sizes.first_view < 400_000 and 1000 < sizes.example < 150_000
    assert {"attention", "affinity", "lab_verdicts", "crf"} <= set(sizes.deeper)
    assert (
        sizes.whole > sizes.first_view and sizes.files == sum(path.is_file() for path in site.rglob("*")) - 1
    )  # plotly.js


def test_the_same_site_again_has_the_same_files(site, network, pictures):
    """But for what says how long it took."""

    def files() -> dict[str, bytes]:
        timed = re.compile(r"crf|compare|lab_verdicts-\d+-crf\.")
        paths = [path for path in site.rglob("*") if path.is_file() and not timed.match(path.name)]
        return {str(path.relative_to(site)): path.read_bytes() for path in paths if path.name != MARK}

    before = files()
    command = ["site", "--out", str(site), "--checkpoint", str(network), "--images", str(pictures)]
    assert main([*command, "--title", "Kühe & <more>", "--cache", str(site.parent)]) == 0
    assert files() == before


def test_a_data_set_is_gallery_and_data_set(network, tmp_path):
    for number in range(3):
        picture, mask = scene(number % 2)
        picture.save(tmp_path / f"p{number}.png")
    (tmp_path / "labels.csv").write_text("image,labels\n" + "".join(f"p{n}.png,cat\n" for n in range(3)))
    out = tmp_path.parent / f"{tmp_path.name}-site"
    command = ["site", "--out", str(out), "--checkpoint", str(network), "--snapshots", "0", "--limit", "2"]
    assert main([*command, "--data", "folder", "--root", str(tmp_path)]) == 0
    found = contents(out)
    assert [(image["name"], image["gallery"]) for image in found["images"]] == [("p0", True), ("p1", True)]
    listed = json.loads(gzip.decompress((out / found["dataset"]).read_bytes()))
    assert [(image["id"], image["labels"]) for image in listed["images"]] == [("p0", ["cat"]), ("p1", ["cat"])]
    assert all((out / image["image"]).is_file() for image in listed["images"])


@pytest.mark.parametrize("some", [False, True], ids=["blocks", "cells"])
def test_a_site_of_large_images_holds_the_attention_that_the_page_asks_for(tmp_path, monkeypatch, some):
    """Whole blocks, of which the page cuts heads and cells; or some cells alone, where blocks take too much room."""
    if some:
        monkeypatch.setattr(build, "held_attention", partial(held_attention, room=400_000))
    opened = build_large(tmp_path, monkeypatch)
    (image,) = contents(tmp_path / "www")["images"]
    folder = tmp_path / "www" / "images" / image["folder"]
    read = {name: json.loads(gzip.decompress((folder / name).read_bytes())) for name in image["files"]}
    held = read["stages.dat"]["held"]
    assert (held is not None and held["queries"] is not None) == some and "overview.dat" in read
    trace = opened.session.trace(opened.session.request("data:large", opened.model))
    blocks = range(8) if held is None else held["probs"]
    assert {6, 7} <= set(blocks)
    for block in blocks:
        for cell in held["queries"] if some else [None]:
            asked = {"key": image["key"], "block": block, "logits": False, **({"cell": cell} if cell else {})}
            answer = read[file_name(answer_name("attention", asked))]
            bytes_ = np.frombuffer(zlib.decompress(base64.b64decode(answer["data"])), np.uint8).reshape(answer["shape"])
            bytes_ = undone(bytes_) if answer.get("filter") else bytes_
            peaks = np.frombuffer(zlib.decompress(base64.b64decode(answer["peaks"])), "<f4")
            shown = bytes_ * peaks.reshape(*answer["shape"][:2], 1) / 255
            real = cell_maps(trace, block, cell=cell and tuple(cell)).numpy()
            assert np.abs(shown - real).max() <= real.max() / 255
    assert not some or all(file_name(answer_name("affinity", {"cell": cell})) in read for cell in held["queries"])


@pytest.mark.parametrize("kind", ["images", "data"])
def test_what_cannot_be_read_is_skipped_and_named(kind, network, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(build, "GROUPS", ("stages",))
    pictures = tmp_path / "two words"
    pictures.mkdir()
    for number in range(3):
        scene(number % 2)[0].save(pictures / f"p{number}.png")
    (pictures / "a.png").write_bytes(b"\x89PNG not")
    scene(0)[0].resize((8, 8)).save(pictures / "b.png")
    names = "".join(f"{name}.png,cat\n" for name in ("a", "b", "p0", "p1", "p2"))
    (pictures / "labels.csv").write_text("image,labels\n" + names)
    given = ["--images", str(pictures)] if kind == "images" else ["--data", "folder", "--root", str(pictures)]
    out, most = tmp_path / "my site", "2" if kind == "images" else "4"
    command = ["site", "--out", str(out), "--checkpoint", str(network), "--snapshots", "0", *given, "--limit", most]
    assert main([*command, "--cache", str(tmp_path / "cache")]) == 1
    shown = capsys.readouterr()
    small = ["b"] if kind == "data" else []  # an image of 8 pixels is too small for a photograph alone
    assert [image["name"] for image in contents(out)["images"]] == [*small, "p0", "p1"]
    listed = json.loads(gzip.decompress((out / contents(out)["dataset"]).read_bytes()))["images"]
    assert [image["id"] for image in listed] == [*small, "p0", "p1"]
    said = [line for line in shown.err.splitlines() if line.startswith("afa_viz: skipped: ")]
    names = ["a"] if kind == "data" else ["a.png", "b.png"]
    assert len(said) == len(names) and all(
        f"{name} cannot be shown: " in line for name, line in zip(names, said, strict=True)
    )
    assert f"--directory '{out}'" in shown.out


BAD = [
    (["--limit", "0"], "--limit is 0"),
    (["--snapshots", "-1"], "--snapshots is -1"),
    (["--images", "nowhere.png"], "nowhere.png does not exist"),
    (["--images", "{folder}/broken.png"], "broken.png cannot be shown"),
    (["--images", "{folder}/empty"], "holds no image file"),
    (["--data", "nonsense"], "--data is 'nonsense'"),
    (["--data", "folder:{folder}/nowhere"], "nowhere"),
    (["--root", "{folder}"], "needs --data"),
    (["--images", "{folder}/one.png", "--data", "sandbox"], "expected one of them"),
    (["--title", " "], "--title is empty"),
    (["--checkpoint", "{folder}/nothing"], "nothing"),
]


@pytest.mark.parametrize("given, says", BAD, ids=[" ".join(given) for given, _ in BAD])
def test_bad_arguments_are_one_sentence_and_leave_nothing(given, says, network, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG not")
    scene(0)[0].save(tmp_path / "one.png")
    before = sorted(tmp_path.rglob("*"))
    command = ["site", "--out", str(tmp_path / "site"), "--checkpoint", str(network), "--cache", str(tmp_path.parent)]
    assert main([*command, *(part.format(folder=tmp_path) for part in given)]) == 2
    output = capsys.readouterr().err.strip()
    assert says in output and len(output.splitlines()) == 1 and "Traceback" not in output
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_of_somebody_is_refused_before_anything_is_computed(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("mine")
    assert main(["site", "--out", str(tmp_path), "--checkpoint", "nowhere"]) == 2
    assert "is not empty and not a site" in capsys.readouterr().err and os.listdir(tmp_path) == ["thesis.tex"]


def test_help_says_what_it_does(capsys):
    assert main(["site", "--help"]) == 0
    output = capsys.readouterr().out
    assert all(option in output for option in ("--out", "--images", "--data", "--split", "--limit", "--checkpoint"))
    assert "no server" in output


# --- a static Space --------------------------------------------------------------------------------------------------


def test_a_static_space_is_sent_in_one_commit(hub, network, pictures, capsys, tmp_path):  # noqa: F811
    asked, _ = hub
    given = ["--checkpoint", str(network), "--images", str(pictures / "one.png"), "--title", 'A "site": 1']
    assert main(["space", "jane/afa-viz", "--static", *given]) == 0
    create = json.loads(asked[0].content)
    assert (create["type"], create["sdk"]) == ("space", "static")
    added, deleted = committed(asked)
    assert deleted == ["old.txt"]
    assert {"README.md", "index.html"} <= set(added) and not [name for name in added if name.endswith(".py")]
    _, front, _ = added["README.md"].decode("utf-8").split("---\n", 2)
    settings = dict(line.split(": ", 1) for line in front.strip().splitlines())
    assert (settings["sdk"], settings["app_file"], json.loads(settings["title"])) == (
        "static",
        "index.html",
        'A "site": 1',
    )
    assert len(settings["short_description"]) <= 60 and "sdk_version" not in settings
    assert f"sent {len(added)} files" in capsys.readouterr().out


def test_a_name_without_an_owner_is_refused_before_anything_is_built(capsys):
    assert main(["space", "afa-viz", "--static", "--checkpoint", "nowhere"]) == 2
    assert "expected OWNER/NAME" in capsys.readouterr().err


# --- the whole site --------------------------------------------------------------------------------------------------


def seconds_of_an_explanation() -> float:
    """Seconds of a processor that the bundled model takes for an example."""
    model, taken = load_model(device="cpu"), []
    for _ in range(4):
        before = time.thread_time()
        explain(model, ROOT / "afa_viz" / "examples" / "default_216.png", ["cow"])
        taken.append(time.thread_time() - before)
    return min(taken)


@pytest.mark.slow
def test_the_bundled_site_is_small_and_soon_built(tmp_path):
    """At most 60 s on two cores: counted as seconds of processors, since a test machine has other work too, and on a
    slower machine in explanations of an example."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}  # no scene is rendered yet
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "afa_viz", "site", "--out", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert "first view" in done.stdout and "100%" in done.stderr
    sizes = measure(tmp_path / "site")
    assert sizes.first_view <= 700_000 and sizes.example <= 300_000, sizes
    assert sizes.whole <= 25_000_000 and max(sizes.deeper.values()) <= 600_000, sizes
    files = [path for path in (tmp_path / "site").rglob("*") if not path.name.startswith("plotly-")]
    assert sum(path.stat().st_size for path in files) <= 25_500_000
    taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert taken <= max(120, 180 * seconds_of_an_explanation()), taken
    examples = json.loads((ROOT / "afa_viz" / "examples" / "examples.json").read_text(encoding="utf-8"))
    gallery = [image for image in contents(tmp_path / "site")["images"] if image["gallery"]]
    assert [image["name"] for image in gallery] == [example["name"] for example in examples]
    assert sum(file.startswith("snapshot-") for file in gallery[0]["files"]) == len(
        list(SNAPSHOTS.glob("*.safetensors"))
    )
