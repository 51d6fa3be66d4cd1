"""Rows from the hub: asked once, pinned to a commit, taken from the cache when the hub is gone."""

import io
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers import grmeval
from tests.hub import COMMIT, Handler, Hub, serve

REPOSITORY = ("dataset", "allenai/reward-bench")
PRIOR = ("dataset", "allenai/preference-test-sets")


def parquet(*rows: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), buffer)
    return buffer.getvalue()


def pair(subset: str, number: int) -> dict[str, Any]:
    models = {"chosen_model": "a", "rejected_model": "b"}
    texts = {"prompt": f"Question {number}", "chosen": "good", "rejected": "bad"}
    return texts | models | {"subset": subset, "id": number}


FILES = {
    "data/filtered-00000-of-00001.parquet": parquet(*(pair("llmbar-natural", i) for i in range(3))),
    "data/raw-00000-of-00001.parquet": b"never asked for",
}


def run(hub: Hub, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    bench = ("--bench", "rewardbench") if "--bench" not in more else ()
    words = ("run", *bench, "--engine", "fake", "--k", "1", "--results", folder / "r", *more)
    cache = {"GRMEVAL_CACHE": str(folder / "cache")}
    return grmeval(*words, env=hub.environment(folder / "hf") | cache)


def test_rows_are_downloaded_once_and_survive_the_hub(tmp_path: Path) -> None:
    with serve(Hub(files={REPOSITORY: FILES})) as hub:
        first = run(hub, tmp_path)
        assert first.returncode == 0, first.stderr
        assert "3/100" in first.stdout
        downloads = [line for line in hub.asked if line.startswith("GET") and "resolve" in line]
        assert len(downloads) == 1
        assert "filtered" in downloads[0]
        hub.asked.clear()
        again = run(hub, tmp_path)
        assert "every sample is there" in again.stderr
        assert not [line for line in hub.asked if "resolve" in line]
        hub.status = 503
        assert "every sample is there" in run(hub, tmp_path).stderr
    assert "every sample is there" in run(hub, tmp_path).stderr  # nobody listens any more
    (record,) = tmp_path.glob("r/*/*/*/run.json")
    assert f"hub:allenai/reward-bench@{COMMIT}" in record.read_text("utf-8")


def test_a_cache_without_the_rows_is_no_copy(tmp_path: Path) -> None:
    """As another tool may have left it: the card alone."""
    repository = tmp_path / "hf" / "hub" / "datasets--allenai--reward-bench"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    (repository / "snapshots" / COMMIT / "README.md").write_text("card")
    with serve(Hub(files={REPOSITORY: FILES}, status=503)) as hub:
        found = run(hub, tmp_path)
    assert (found.returncode, "is not in its cache" in found.stderr) == (3, True), found.stderr


def test_prior_sets_come_from_their_own_repository(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hello"}]
    row = {"prompt": turns, "chosen": "good", "rejected": "bad"}
    sets = ("anthropic_helpful", "anthropic_hhh", "shp", "summarize", "pku_better")
    prior = {f"data/{name}-00000-of-00001.parquet": parquet(row, row) for name in sets}
    with serve(Hub(files={REPOSITORY: FILES, PRIOR: prior})) as hub:
        found = run(hub, tmp_path, "--bench", "rewardbench-prior", "--json")
    assert found.returncode == 0, found.stderr
    for name in sets[:4]:
        assert f'"name": "{name}"' in found.stdout
    assert "pku" not in found.stdout


@pytest.mark.parametrize(
    ("status", "files", "code", "said"),
    [
        (200, {}, 2, "no such dataset on the hub, or it is private"),
        (503, {REPOSITORY: FILES}, 3, "the hub is out of reach, and allenai/reward-bench is not"),
        (200, {REPOSITORY: {"README.md": b""}}, 2, "no file *filtered-*.parquet in it"),
    ],
)
def test_what_the_hub_cannot_give_is_said(
    tmp_path: Path,
    status: int,
    files: dict[tuple[str, str], dict[str, bytes]],
    code: int,
    said: str,
) -> None:
    with serve(Hub(files=files, status=status)) as hub:
        found = run(hub, tmp_path)
    assert found.returncode == code, found.stderr
    assert said in found.stderr
    assert not (tmp_path / "r").exists()


PAGE = b"<html>log in</html>"


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        *(("/api/", body) for body in (PAGE, b"{}", b"[]", b'{"id": "a/b", "sha": "../../x"}')),
        *(("/tree/", body) for body in (PAGE, b"[1]", b'[{"type": "file"}]')),
        ("/tree/", b'[{"type": "file", "path": "../filtered-0.parquet", "size": 1, "oid": "a"}]'),
    ],
)
def test_an_answer_that_is_none_is_as_no_hub(
    at: str, answer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A captive portal answers everything; what is cached still serves."""
    send = Handler.send

    def other(self: Handler, status: int, body: bytes, *more: Any, **how: Any) -> None:
        send(self, status, answer if at in self.path else body, *more, **how)

    with serve(Hub(files={REPOSITORY: FILES})) as hub:
        with monkeypatch.context() as portal:
            portal.setattr(Handler, "send", other)
            found = run(hub, tmp_path)
            assert (found.returncode, "Traceback" in found.stderr) == (3, False), found.stderr
            assert "its answer " in found.stderr
            assert not list((tmp_path / "cache").glob("commits.json")) or at == "/tree/"
        if (at, answer) in (("/api/", PAGE), ("/tree/", PAGE)):
            assert run(hub, tmp_path).returncode == 0
            monkeypatch.setattr(Handler, "send", other)
            assert run(hub, tmp_path).returncode == 0


def test_a_renamed_column_lists_the_names_found(tmp_path: Path) -> None:
    row = pair("llmbar-natural", 1)
    row["best"] = row.pop("chosen")
    files = {"data/filtered-00000-of-00001.parquet": parquet(row)}
    with serve(Hub(files={REPOSITORY: files})) as hub:
        found = run(hub, tmp_path)
    assert found.returncode == 2
    assert "row 1: no column 'chosen'; found: best, chosen_model" in found.stderr
