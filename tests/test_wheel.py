"""The wheel carries its benchmarks, templates and presets, and works from any folder."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.long
def test_a_wheel_works_away_from_the_checkout(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True)
    wheel = next(tmp_path.glob("*.whl"))
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    for expected in (
        "tasks/sample.jsonl",
        "tasks/rmb.toml",
        "tasks/templates/pointwise.jinja",
        "tasks/templates/index.jinja",
        "tasks/templates/meta.jinja",
        "tasks/models/demo.toml",
        "published/index.toml",
        "published/deepseek-grm.csv",
        "published/later-systems.csv",
    ):
        assert f"grmeval/{expected}" in names
    assert not [name for name in names if name.startswith(("tests/", "perf/", "results/"))]
    script = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import grmeval; "
        f"assert grmeval.__file__.startswith({str(site)!r}), grmeval.__file__; "
        "from grmeval.report.published import paper_tables; assert paper_tables(); "
        "sys.argv = ['grmeval', 'run', '--engine', 'fake', '--limit', '8', '--k', '2']; "
        "from grmeval.cli import main; main()"
    )
    away = tmp_path / "away"
    away.mkdir()
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=away, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "grmeval sample" in found.stdout
    assert list((away / "results").glob("sample/fake/*/accuracy.csv"))
