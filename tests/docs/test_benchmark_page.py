"""docs/benchmarks.md: figures beside targets and curves, from a report; and the page that is there is its script's."""

from __future__ import annotations

import json

import make_benchmark_page as maker
import pytest
from PIL import Image

MACHINE = {
    "commit": "0123456789abcdef", "uncommitted_changes": False, "cpu": "Z80", "cpu_capability": "8 bit",
    "threads": 1, "cores": 2, "load_before": 0.25,
}  # fmt: skip


def stages(network: float, cam: float, par: float) -> dict[str, float]:
    return {"network": network, "cam": cam, "cam_par": par}


def small_report() -> dict:
    """A full trace that meets its target, one that does not, and costs that grow by known powers."""
    sizes = [
        {"name": "bundled by size", "size": size, "target_s": None, "cpu_median_s": size**2 / 1e5,
         "stages_cpu_s": stages(0.1, 0.1, size**4 / 1e9)}
        for size in (100, 200)
    ]  # fmt: skip
    rows = [
        {"name": "bundled", "size": 256, "target_s": 0.5, "median_s": 0.375},
        {"name": "mit_b1", "size": 512, "target_s": 4.0, "median_s": 4.25},
        *sizes,
    ]
    users = [{"users": count, "median_s": 0.1, "p95_s": 0.2 * count} for count in (1, 10)]
    return {"explain": {"machine": MACHINE, "rows": rows}, "users": {"machine": MACHINE, "rows": users}}


def test_figures_stand_beside_targets_and_costs_are_drawn(tmp_path):
    given = tmp_path / "measured.json"
    given.write_text(json.dumps(small_report()))
    maker.main([str(given)], tmp_path)
    lines = (tmp_path / "benchmarks.md").read_text(encoding="utf-8").splitlines()
    place = "`bench explain` | Z80 (8 bit), 1 of 2 cores, load 0.2 before | `0123456789`"
    assert f"| Full trace, bundled, 256² pixels | 0.375 s | ≤ 0.5 s | met | {place} |" in lines
    assert f"| Full trace, mit_b1, 512² pixels | 4.25 s | ≤ 4 s | **missed** | {place} |" in lines
    assert "| PAR against its textbook form | not measured yet | | | `bench par` | | |" in lines
    powers = {line.split(" | ")[0][2:]: line.split(" | ")[4] for line in lines if "→" in line and line.count("|") == 8}
    assert powers == {
        "cost of": "power", "full trace": "1.00", "of it the network and the CAM": "0.00", "of it PAR": "2.00",
        "95 % of the answers within": "1.00", "half of them within": "0.00",
    }  # fmt: skip
    assert lines[-1] == "Not measured yet: `bench maps`, `bench walk`."
    picture = Image.open(tmp_path / maker.PICTURE)
    assert picture.width > 900 and len(picture.getcolors(256)) > 8


def test_a_new_report_takes_the_place_of_its_group_only(tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text(json.dumps(small_report()))
    later = small_report()["explain"]
    later["machine"] = MACHINE | {"commit": "fedcba9876543210", "uncommitted_changes": True}
    second.write_text(json.dumps({"explain": later}))
    maker.main([str(first)], tmp_path)
    maker.main([str(second)], tmp_path)
    kept = json.loads((tmp_path / "data" / "benchmarks.json").read_text(encoding="utf-8"))
    assert kept == {"explain": later, "users": small_report()["users"]}
    assert "`fedcba9876` + changes" in (tmp_path / "benchmarks.md").read_text(encoding="utf-8")


def test_what_is_no_report_is_refused(tmp_path):
    (tmp_path / "x.json").write_text('{"speed": {}}')
    with pytest.raises(ValueError, match="got the groups .'speed'.; expected those of `bench --help`"):
        maker.main([str(tmp_path / "x.json")], tmp_path)


def test_the_page_is_what_its_script_writes(tmp_path):
    earlier, reports = (
        json.loads(path.read_text(encoding="utf-8")) for path in (maker.EARLIER, maker.OUT / maker.REPORTS)
    )
    made = maker.page(reports, tmp_path, earlier)
    assert made == (maker.OUT / maker.PAGE).read_text(encoding="utf-8"), "run tools/make_benchmark_page.py"


def test_figures_of_an_earlier_version_stand_beside_them():
    before = small_report() | {"unknown": {}}
    before["explain"]["rows"] = [before["explain"]["rows"][0] | {"median_s": 0.5}]
    before["explain"]["machine"] = MACHINE | {"commit": "aaaaaaaaaaaaaaaa"}
    commits = "`aaaaaaaaaa` | `0123456789`"
    assert maker.earlier_rows(small_report(), before)[:2] == [
        f"| Full trace, bundled, 256² pixels | 0.5 s | 0.375 s | {commits} |",
        f"| Full trace, mit_b1, 512² pixels | – | 4.25 s | {commits} |",
    ]
