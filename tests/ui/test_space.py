"""What hosting needs: the Space's settings, one command that uploads, the Dockerfile, and a server that writes nowhere
but into temporary folders."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from browser import ARGUMENTS, CHROMIUM
from hub_stub import HUB, committed, httpx, hub  # noqa: F401

from afa_viz.__main__ import main
from afa_viz.commands.space import space_files
from afa_viz.ui.localization import texts

try:
    from playwright.sync_api import sync_playwright
except ImportError:  # the server is then only asked for its page
    sync_playwright = None

ROOT = Path(__file__).parents[2]


def front_matter() -> dict[str, str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, settings, _ = text.split("---\n", 2)
    return {key: value.strip('"') for key, value in re.findall(r"^(\w+): (.+)$", settings, re.M)}


def test_the_settings_of_the_space_are_what_the_repository_is():
    import gradio

    found = front_matter()
    assert (found["sdk"], found["python_version"], found["suggested_hardware"]) == ("gradio", "3.12", "cpu-basic")
    assert (ROOT / found["app_file"]).is_file()
    least = re.search(r"^gradio>=([\d.]+)", (ROOT / "requirements.txt").read_text(), re.M)
    assert least and least[1].split(".")[:2] == found["sdk_version"].split(".")[:2]
    assert gradio.__version__.split(".")[0] == found["sdk_version"].split(".")[0]
    assert len(found["short_description"]) <= 60  # the hub's limit


# --- the upload ------------------------------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path):
    """A small clone: what a Space needs, and what must stay at home."""
    files = {
        "app.py": "1", "README.md": "---\nsdk: gradio\n---\n", "requirements.txt": "gradio", "LICENSE": "free",
        "afa_viz/__init__.py": "", "afa_viz/ui/texts/en.json": "{}", "checkpoints/a/model.safetensors": "weights",
        "docs/pictures/app.png": "picture", "docs/world.md": "home", "tests/test_a.py": "home", "runs/last.pt": "home",
        "afa_viz/__pycache__/x.pyc": "home", ".env": "home", "afa_viz/.cache": "home", ".git/config": "home",
    }  # fmt: skip
    for name, text in files.items():
        path = tmp_path / "clone" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "clone"


def test_a_space_may_fetch_a_model_of_timm_when_it_is_built(clone, hub, capsys):  # noqa: F811
    asked, _ = hub
    assert main(["space", "jane/afa-viz", "--folder", str(clone), "--preload", "timm:pvt_v2_b0"]) == 0
    readme = committed(asked)[0]["README.md"].decode()
    assert readme.startswith("---\nsdk: gradio\npreload_from_hub:\n- timm/pvt_v2_b0.in1k model.safetensors\n---\n")
    assert main(["space", "jane/afa-viz", "--folder", str(clone), "--preload", "checkpoints/a"]) == 2
    assert "expected timm:NAME" in capsys.readouterr().err


def test_one_command_uploads_what_a_space_needs(clone, hub, capsys):  # noqa: F811
    asked, _ = hub
    assert main(["space", "jane/afa-viz", "--folder", str(clone)]) == 0
    create = json.loads(asked[0].content)
    assert (create["type"], create["sdk"]) == ("space", "gradio")
    assert asked[0].headers["authorization"] == "Bearer hf_of_a_test"
    added, deleted = committed(asked)
    assert sorted(added) == [
        "LICENSE", "README.md", "afa_viz/__init__.py", "afa_viz/ui/texts/en.json", "app.py",
        "checkpoints/a/model.safetensors", "docs/pictures/app.png", "requirements.txt",
    ]  # fmt: skip
    assert added["checkpoints/a/model.safetensors"] == b"weights"
    assert deleted == ["old.txt"]
    assert "sent 8 files" in capsys.readouterr().out


def test_a_refusal_of_the_hub_is_one_sentence(clone, hub, capsys):  # noqa: F811
    _, refusals = hub
    refused = httpx.Response(403, json={"error": "You don't own jane"}, request=httpx.Request("POST", HUB))
    refusals.append(refused)
    assert main(["space", "jane/afa-viz", "--folder", str(clone)]) == 2
    output = capsys.readouterr().err
    assert output.startswith("afa_viz: the hub refused jane/afa-viz") and "Traceback" not in output


@pytest.mark.parametrize("name", ["afa-viz", "a/b/c", "/x", "x/"])
def test_a_space_has_an_owner_and_a_name(name, clone, capsys):
    assert main(["space", name, "--folder", str(clone)]) == 2
    assert "expected OWNER/NAME" in capsys.readouterr().err


def test_without_a_checkpoint_or_settings_nothing_is_sent(clone, capsys):
    (clone / "README.md").write_text("# no settings")
    assert main(["space", "jane/afa-viz", "--folder", str(clone)]) == 2
    assert "does not begin with the settings" in capsys.readouterr().err
    shutil.rmtree(clone / "checkpoints")
    assert main(["space", "jane/afa-viz", "--folder", str(clone)]) == 2
    assert "has no checkpoints" in capsys.readouterr().err


def test_a_dry_run_lists_the_real_repository(capsys):
    assert main(["space", "jane/afa-viz", "--dry-run"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert {"app.py", "README.md", "requirements.txt"} <= set(listed) and "MB" in listed[-1]
    assert any(name.startswith("checkpoints/") and name.endswith(".safetensors") for name in listed)
    assert listed[:-1] == space_files(ROOT)


def test_the_image_takes_what_the_app_needs():
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = {name.rstrip("/") for line in re.findall(r"^COPY (.+)$", docker, re.M) for name in line.split()[:-1]}
    assert {"app.py", "afa_viz", "checkpoints", "requirements.txt"} <= copied
    assert all((ROOT / name).exists() for name in copied)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied <= allowed
    assert docker.index("USER ") < docker.index('CMD ["python", "app.py"')  # not as root
    folders = dict(re.findall(r"(MPLCONFIGDIR|XDG_CACHE_HOME)=(\S+)", docker))
    assert len(folders) == 2 and all(folder.startswith("/tmp/") for folder in folders.values())  # all that is written
    ports = {*re.findall(r"EXPOSE (\d+)", docker), *re.findall(r"127\.0\.0\.1:(\d+)", docker)}
    ports |= set(re.findall(r'--port", "(\d+)', docker))
    assert ports == {"7860"}


# --- the server ------------------------------------------------------------------------------------------------------


def tree(*folders: Path) -> dict[str, int]:
    """Every file with its time of change, without compiled Python."""
    return {
        str(path): path.stat().st_mtime_ns
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def node() -> str | None:
    """A Node.js for rendering on the server's side: the system's, or the one that playwright brings."""
    try:
        import playwright
    except ImportError:
        return shutil.which("node")
    bundled = Path(playwright.__file__).parent / "driver" / "node"
    return shutil.which("node") or (str(bundled) if bundled.exists() else None)


def example_opened(address: str) -> list[str]:
    """Open an example by its address and another one by hand; what went wrong behind the page."""
    troubles: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("response", lambda r: troubles.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
        page.goto(f"{address}?example=default_004&tab=walk&lang=ko")  # parts of an address reach the server
        page.wait_for_selector(".afa[data-settled]")
        page.locator('[data-fill="picture"]', has_text=texts("ko")["example.default_004.title"]).wait_for()
        assert page.locator('[role=tabpanel][data-tab="walk"]').is_visible()
        page.locator("#afa-gallery .thumbnail-item").first.click()
        first = texts("ko")["example.default_216.title"]
        page.locator('[data-fill="picture"]', has_text=first).wait_for()
        browser.close()
    return troubles


@pytest.mark.slow
def test_as_on_spaces_it_serves_and_writes_into_temporary_folders_only(tmp_path):
    """Spaces ask for rendering on the server's side: it stays off, as Node.js would answer in front of the guard."""
    home, temp, clone = tmp_path / "home", tmp_path / "temp", tmp_path / "clone"
    for folder in (home, temp, clone):
        folder.mkdir()
    for name in ("app.py", "README.md"):
        shutil.copy(ROOT / name, clone)
    for name in ("afa_viz", "checkpoints"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = tree(home, clone)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(temp), "SPACE_ID": "jane/afa-viz",
        "SPACE_HOST": "jane-afa-viz.hf.space",
        "GRADIO_SERVER_PORT": str(port), "GRADIO_SSR_MODE": "true", "GRADIO_NODE_PATH": node() or "",
        "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
    }  # fmt: skip
    log = tmp_path / "log.txt"
    with open(log, "w") as file:
        app = subprocess.Popen([sys.executable, "app.py"], cwd=clone, env=environment, stdout=file, stderr=file)
    try:
        page, deadline = "", time.monotonic() + 120
        while not page:
            assert time.monotonic() < deadline and app.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
                    page = response.read().decode()
            except OSError:
                time.sleep(0.3)
        assert "AFA Viz" in page
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/gradio_api/info", timeout=10) as response:
            assert "/explain" in json.load(response)["named_endpoints"]
        assert "__sveltekit" not in page
        own = {"Host": "jane-afa-viz.hf.space"}
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/", headers=own)) as response:
            policy, page = response.headers["Content-Security-Policy"], response.read().decode()
        assert "https://jane-afa-viz.hf.space" in page and policy == "frame-ancestors 'self' *"  # the hub shows it
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": "a.hf.space"}))
        if sync_playwright is not None and CHROMIUM.exists():
            assert example_opened(f"http://127.0.0.1:{port}/") == []
    finally:
        app.terminate()
        app.wait(20)
    assert tree(home, clone) == before, log.read_text()
    assert "Traceback" not in log.read_text()
