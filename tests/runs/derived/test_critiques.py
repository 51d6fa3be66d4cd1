"""A run whose head reads another run's judgements: from the command to the table."""

import json
import signal
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from scipy.stats import binom

from grmeval.benches import load
from grmeval.engines.heads import HeadEngine
from grmeval.engines.scorer import Reward, ScoreRequest
from grmeval.errors import ConfigError, EngineError
from grmeval.items import Message
from grmeval.runs import Engines, again, configure, extend, prepare
from grmeval.runs.derived import critiques_of, panel_of, with_critiques
from grmeval.score import scale, score
from grmeval.score.arrays import read_run
from grmeval.score.diagnosis import diagnose
from grmeval.store import RunFolder
from tests.benches.test_restricted import own_archive
from tests.helpers import Quiet, grmeval, rows, running, sampled, until_there_are

EACH = 160
"""Items of two responses, and as many of four."""


def lines(count: int = EACH) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{at:04d}",
            "subset": f"of-{n}",
            "conversation": f"Number {at}?",
            "responses": [f"{at}.{i}" for i in range(n)],
            "quality": [int(i == at % n) for i in range(n)],
        }
        for n in (2, 4)
        for at in range(count)
    ]


def written(path: Path, of: Iterable[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in of), "utf-8")
    return path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("rows") / "own.jsonl", lines())


def reading(critiques: RunFolder, results: Path, watcher: Quiet | None = None, **more: Any) -> Any:
    """The run that reads another one's judgements, with the same items and layout."""
    config = critiques.record["config"]
    same = {name: config[name] for name in ("bench", "layout", "k", "limit")}
    own = {"judge": "critique-scalar", "critiques": critiques.path}
    return sampled(results, watcher, **{**same, **own, **more})


class Hashes:
    """A scorer whose numbers are a function of the whole chat; it keeps what it was shown."""

    context = 10_000

    def __init__(self) -> None:
        self.seen: list[tuple[Message, ...]] = []

    def facts(self) -> dict[str, str]:
        return {"engine": "hashes"}

    @staticmethod
    def number(chat: Iterable[Message]) -> float:
        return crc32(repr([turn.content for turn in chat]).encode()) / 2**31 - 1

    def score(self, requests: Iterable[ScoreRequest]) -> Iterator[Reward]:
        for request in requests:
            self.seen.append(request.messages)
            yield Reward(request, self.number(request.messages), None, 5, 1)

    def close(self) -> None:
        pass


def headed(scorer: Hashes, results: Path, critiques: RunFolder, **more: Any) -> RunFolder:
    """As `reading`, its head a scorer."""
    config = critiques.record["config"]
    same = {name: config[name] for name in ("bench", "layout", "k", "limit")}
    own = {"judge": "critique-scalar", "critiques": critiques.path, "engine": "fake"}
    plan = prepare(configure({**same, **own, "results": results, **more}))
    with Engines(lambda seed: HeadEngine(scorer)) as engines:
        return extend(plan, Quiet(), engines)


# ---------------------------------------------------------------------- the truth


@pytest.mark.long
@pytest.mark.parametrize("accuracy", [0.7, 0.4])
def test_the_measured_accuracy_covers_the_truth(
    accuracy: float, bench: Path, tmp_path: Path
) -> None:
    critiques = sampled(tmp_path / "c", bench=str(bench), k=4)
    folder = reading(critiques, tmp_path / "r", engine_args={"accuracy": accuracy})
    everything = []
    for block in read_run(folder).blocks:
        assert block.valid.all()
        best = np.where(block.best[:, None], block.scores, -1).max(axis=2)
        rest = np.where(block.best[:, None], -1, block.scores).max(axis=2)
        right = best > rest
        assert right.shape == (EACH, 4)
        low, high = binom.interval(0.999, right.size, accuracy)
        assert low <= right.sum() <= high
        everything.append(right.mean())
    table = score(folder, k=1)
    assert table.rows[0].vote == "mean"
    assert table.rows[0].value == pytest.approx(np.mean(everything))


@pytest.mark.parametrize("layout", ["list", "single"])
def test_votes_are_means_of_the_heads_numbers(layout: str, tmp_path: Path) -> None:
    """From the command's result back to the texts that are stored, in plain Python."""
    path = written(tmp_path / "own.jsonl", lines(12))
    arguments = {"truncated": 0.2, "no_score": 0.1}
    critiques = sampled(tmp_path / "c", bench=str(path), layout=layout, k=3, engine_args=arguments)
    scorer = Hashes()
    folder = headed(scorer, tmp_path / "r", critiques)
    stored = {(row["subset"], row["id"], row["j"]): row for row in rows(critiques.path)}
    unread = {key for key, row in stored.items() if row["finish"] != "stop"}
    assert 0 < len(unread) < len(stored)
    assert {row["invalid"] for row in stored.values() if row["finish"] == "stop"} == {
        None,
        "no_score",
    }
    items = load(str(path), None, layout).items
    expected: dict[tuple[str, str, int], list[float]] = {}
    for item in items:
        for index, response in enumerate(item.responses):
            own = expected.setdefault((item.subset, item.pool or item.id, item.slot + index), [])
            for j in range(3):
                key = (item.subset, item.id, j)
                if key in unread:
                    continue
                row, n = stored[key], item.n
                request = packaged(row["order"].index(index) + 1, n)
                own.append(
                    Hashes.number(
                        [
                            *item.conversation,
                            Message("", response),
                            Message("", request),
                            Message("", row["text"]),
                        ]
                    )
                )
    for row in rows(folder.path):
        key = (row["subset"], row["id"], row["j"])
        assert row["invalid"] == ("no_critique" if key in unread else None)
        chats = 0 if key in unread else len(row["order"])
        assert row["tokens"] == stored[key]["tokens"]
        assert row["prompt_tokens"] == stored[key]["prompt_tokens"] + 5 * chats
        assert row["cached_tokens"] == stored[key]["cached_tokens"] + chats
    told = 0
    for verdict in score(folder).verdicts.to_pylist():
        for slot, total in enumerate(verdict["totals"] or ()):
            numbers = expected[verdict["subset"], verdict["id"], slot]
            if numbers:
                assert total == pytest.approx(sum(numbers) / len(numbers))
                told += 1
    assert told > 60
    # What this launch itself did: the critiques were not written in it.
    launch = RunFolder(folder.path).record["launches"][0]
    assert (launch["tokens"], launch["prompt_tokens"]) == (0, 5 * len(scorer.seen))


def packaged(number: int, n: int) -> str:
    """The packaged request, as it reads."""
    text = (
        "Give a critique of the answer above: what is right in it, what is wrong or missing, and how "
        "well it serves the request."
    )
    more = f" Your critique compares {n} answers by number; the answer above is number {number}."
    return text + (more if n > 1 else "")


def test_curves_and_diagnoses_take_numbers_that_are_not_whole(bench: Path, tmp_path: Path) -> None:
    critiques = sampled(tmp_path / "c", bench=str(bench), k=4, limit=80)
    folder = headed(Hashes(), tmp_path / "r", critiques)
    curve = [row for row in scale(folder, votes=("mean",)).rows if row.level == "overall"]
    assert [row.k for row in curve] == [1, 2, 4]
    right = [
        (block.scores.argmax(axis=2) == block.best.argmax(axis=1)[:, None])[block.valid.any(axis=1)]
        for block in read_run(folder).blocks
    ]
    assert sum(map(len, right)) == 80
    assert curve[0].value == pytest.approx(
        np.mean([item for block in right for item in block.mean(axis=1)])
    )
    assert diagnose(folder).parts


# ---------------------------------------------------------------------- resumed, extended, killed


def test_a_run_that_died_goes_on_and_another_k_extends_it(bench: Path, tmp_path: Path) -> None:
    failing = {"truncated": 0.1}
    critiques = sampled(tmp_path / "c", bench=str(bench), k=4, limit=20, engine_args=failing)
    whole = reading(critiques, tmp_path / "whole")
    with pytest.raises(EngineError):
        reading(critiques, tmp_path / "r", engine_args={"die_after": 33})
    watcher = Quiet()
    folder = reading(critiques, tmp_path / "r", watcher)
    assert watcher.samples == 80 - 33
    assert rows(folder.path) == rows(whole.path)
    extend(again(RunFolder(critiques.path), 6), Quiet())
    watcher = Quiet()
    extend(again(RunFolder(folder.path), 6), watcher)
    assert watcher.samples == 40
    assert [row for row in rows(folder.path) if row["j"] < 4] == rows(whole.path)


@pytest.mark.long
def test_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    critiques = sampled(tmp_path / "c", k=16, engine_args={"truncated": 0.05})
    words = ["run", "--engine", "fake", "--judge", "critique-scalar", "--k", 16]
    words += ["--critiques", critiques.path, "--engine-arg", "latency=0.001"]
    kills, seen = 0, 0
    for more in random.integers(1, 200, size=2):
        with running(*words, "--results", tmp_path / "torn") as at_work:
            until_there_are(seen + int(more), lambda: stored(tmp_path / "torn"), at_work)
        kills += at_work.returncode == -signal.SIGKILL
        done = stored(tmp_path / "torn")
        assert done > seen or done == 75 * 16
        seen = done
    assert kills == 2
    found = []
    for name in ("torn", "whole"):
        finished = grmeval(*words, "--results", tmp_path / name)
        assert finished.returncode == 0, finished.stderr
        found.append(rows(next((tmp_path / name).glob("*/*/*"))))
    assert found[0] == found[1]
    assert len(found[0]) == 75 * 16
    print(f"{kills} kills; {seen} samples before the last command")


def stored(results: Path) -> int:
    return sum(len(RunFolder(record.parent).done()) for record in results.glob("*/*/*/run.json"))


def test_latest_is_the_last_run_that_has_texts(tmp_path: Path) -> None:
    critiques = sampled(tmp_path, k=2, limit=4)
    words = ("run", "--engine", "fake", "--judge", "critique-scalar", "--critiques", "latest")
    asked = (*words, "--k", 2, "--limit", 4, "--results", tmp_path)
    first, second = grmeval(*asked), grmeval(*asked)
    assert (first.returncode, second.returncode) == (0, 0), (first.stderr, second.stderr)
    assert "every sample is there, no model is loaded" in second.stderr
    assert f"; critiques {critiques.path.name}; " in first.stdout
    (folder,) = (
        path for path in tmp_path.glob("*/*/*") if path != critiques.path and path.is_dir()
    )
    assert score(RunFolder(folder), reparse=True).footer.count(
        "texts read again by this parser: 0 readings differ"
    )


def test_latest_takes_no_panel_and_no_import(tmp_path: Path) -> None:
    runs = [sampled(tmp_path, k=1, seed=seed) for seed in (1, 2)]
    panel_of(runs, tmp_path).make()
    line = {"subset": "all", "id": "a", "j": 0, "scores": [1, 2], "quality": [1, 0], "text": "t"}
    file = written(tmp_path / "i.jsonl", [line])
    own = [{"id": "a", "subset": "all", "conversation": "?", "responses": ["a", "b"]}]
    bench = written(tmp_path / "own.jsonl", [row | {"quality": [1, 0]} for row in own])
    words = ("import", "scores", file, "--bench", bench, "--model", "m", "--results", tmp_path)
    assert grmeval(*words).returncode == 0
    settings = {"judge": "critique-scalar", "critiques": "latest"}
    assert with_critiques(settings, tmp_path)["critiques"] == runs[1].path


def test_what_a_head_cannot_feel_makes_no_other_run(tmp_path: Path) -> None:
    critiques = sampled(tmp_path / "c", k=1, limit=4)
    more: dict[str, Any] = {"temperature": 0.9, "top_p": 0.5, "max_tokens": 77, "structured": True}
    more["stop_at_score"] = True
    for own in ({"judge": "scalar"}, {"judge": "critique-scalar", "critiques": critiques.path}):
        plain = sampled(tmp_path / "r", limit=4, k=1, **own)
        assert sampled(tmp_path / "r", limit=4, k=1, **own, **more).path == plain.path
        assert not [line for line in score(plain).footer if "T=" in line or "top-p" in line]
    with pytest.raises(ConfigError, match="--temperature"):
        configure({"engine": "fake", "judge": "scalar", "temperature": 99})


# ---------------------------------------------------------------------- what is read


def test_only_what_is_asked_for_is_read_and_only_when_it_is(bench: Path, tmp_path: Path) -> None:
    critiques = sampled(tmp_path / "c", bench=str(bench), k=4, limit=20)
    config = configure(
        {
            **{
                "engine": "fake",
                "bench": str(bench),
                "judge": "critique-scalar",
                "limit": 7,
                "k": 2,
            },
            **{"critiques": critiques.path, "results": tmp_path / "r"},
        }
    )
    plan = prepare(config)
    source: Any = plan.judge.critiques  # type: ignore[attr-defined]
    before = source._found
    list(plan.requests(plan.missing([])))
    inside = {(*item.key, j) for item in plan.items() for j in range(2)}
    assert before is None
    assert set(source._found) == inside
    assert len(inside) == 14
    one = critiques_of(config)
    assert one is not None
    assert one.run == critiques.path.name


def test_another_run_of_critiques_or_another_template_is_another_run(
    bench: Path, tmp_path: Path
) -> None:
    made = [
        sampled(tmp_path / "c", bench=str(bench), k=1, limit=4, engine_args={"chars": chars})
        for chars in (9, 99)
    ]
    own = written(tmp_path / "own.jinja", [])
    own.write_text("Your view?", "utf-8")
    paths = [
        reading(made[0], tmp_path / "r").path,
        reading(made[0], tmp_path / "r", k=1).path,
        reading(made[1], tmp_path / "r").path,
        reading(made[0], tmp_path / "r", template=own).path,
    ]
    assert paths[0] == paths[1]
    assert len(set(paths)) == 3
    identity = RunFolder(paths[0]).record["identity"]
    assert identity["judge"]["critiques"] == made[0].path.name
    assert "critiques" not in identity


# ---------------------------------------------------------------------- mistakes


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows, rows of the same name with other texts, and runs of each kind that cannot be read."""
    here = tmp_path_factory.mktemp("mistakes")
    own = written(here / "own.jsonl", lines(4))
    other = written(here / "other" / "own.jsonl", lines(5))
    fine = sampled(here / "fine", bench=str(own), k=2)
    sampled(here / "few", bench=str(own), k=2, limit=3)
    sampled(here / "rows", bench=str(other), k=2)
    sampled(here / "bench", bench="sample", k=2)
    sampled(here / "head", bench=str(own), judge="scalar", k=1)
    head = sampled(here / "other-head", bench=str(own), judge="scalar", k=1, seed=1)
    panel_of([fine, head], here / "panel").make()
    writing = sampled(here / "writing", bench=str(own), k=1, seed=5)
    panel_of([fine, writing], here / "texts").make()
    reading(fine, here / "itself")
    judged = [{"subset": line["subset"], "id": line["id"], "j": 0} for line in lines(4)]
    scores = [row | {"scores": [1] * int(row["subset"][-1])} for row in judged]
    for name, more in (("silent", {}), ("said", {"text": "Fine.", "order": None})):
        file = written(here / f"{name}.jsonl", [row | more for row in scores])
        words = ("import", "scores", file, "--bench", own, "--model", "m")
        found = grmeval(*words, "--results", here / name)
        assert found.returncode == 0, found.stderr
    return here


def asked(mistaken: Path, run: str | None, *more: object) -> subprocess.CompletedProcess[str]:
    words = ["run", "--engine", "fake", "--bench", mistaken / "own.jsonl", "--k", 2]
    words += ["--results", mistaken / "results"]
    if run is not None:
        folders = [path.parent for path in (mistaken / run).glob("*/*/*/run.json")]
        words += ["--critiques", folders[0] if folders else run]
    return grmeval(*words, *more)


JUDGE = ("--judge", "critique-scalar")


@pytest.mark.parametrize(
    ("run", "more", "said"),
    [
        (
            None,
            JUDGE,
            "--judge critique-scalar: which critiques? --critiques RUN: a run of a judge",
        ),
        ("fine", (), "--critiques: judge pointwise reads none; --judge critique-scalar does"),
        ("fine", ("--judge", "scalar", "--k", 1), "--critiques: judge scalar reads none"),
        ("nowhere", JUDGE, "RUN 'nowhere': no path, no run-id, no name, and not `latest`"),
        ("latest", JUDGE, "no run with samples in it"),
        ("bench", JUDGE, "its judgements are of other items: bench sample, and here bench own"),
        (
            "fine",
            (*JUDGE, "--layout", "single"),
            "of other items: layout list, and here layout single",
        ),
        ("rows", JUDGE, "its judgements are of other rows: data "),
        ("head", JUDGE, "a run of judge scalar, which writes no texts"),
        ("itself", JUDGE, "a run of judge critique-scalar, which writes no texts"),
        ("panel", JUDGE, "a panel with judge scalar, which writes no texts"),
        ("silent", (*JUDGE, "--k", 1), "it has no texts: there is nothing to read"),
        ("said", JUDGE, "; the imported file has no more: import one that has"),
        (
            "texts",
            (*JUDGE, "--k", 3),
            "; give its members more samples, then the same `grmeval panel`",
        ),
        ("few", JUDGE, "which was asked for --limit 3 of --limit-seed 0: take the same here"),
        ("fine", (*JUDGE, "--k", 3), "8 of 8 items have 2 of 3 critiques in "),
        ("fine", (*JUDGE, "--k", 3), "which `grmeval run … --k 3` extends"),
        ("few", JUDGE, "5 of 8 items have 0 of 2 critiques in "),
        ("fine", (*JUDGE, "--system", "Be kind."), "judge critique-scalar takes no system"),
        ("fine", (*JUDGE, "--vote", "majority"), "judge critique-scalar allows mean, sum"),
    ],
)
def test_a_mistake_is_said_before_anything_is_written(
    run: str | None, more: tuple[object, ...], said: str, mistaken: Path
) -> None:
    found = asked(mistaken, run, *more)
    assert (found.returncode, said in found.stderr) == (2, True), found.stderr
    assert not (mistaken / "results").exists()


def test_as_many_as_there_are_can_be_read(mistaken: Path, tmp_path: Path) -> None:
    few = next((mistaken / "few").glob("*/*/*"))
    words = (
        "run",
        "--engine",
        "fake",
        *JUDGE,
        "--bench",
        mistaken / "own.jsonl",
        "--critiques",
        few,
    )
    found = grmeval(*words, "--limit", 3, "--k", 2, "--results", tmp_path)
    assert found.returncode == 0, found.stderr


def test_imported_texts_are_read_where_it_is_known_what_they_call_which(
    mistaken: Path, tmp_path: Path
) -> None:
    said = RunFolder(next((mistaken / "said").glob("*/*/*")))
    own: dict[str, Any] = {"bench": str(mistaken / "own.jsonl"), "judge": "critique-scalar", "k": 1}
    folder = sampled(tmp_path, **own, critiques=said.path)
    assert {row["invalid"] for row in rows(folder.path)} == {"no_critique"}
    ordered = [
        {"subset": line["subset"], "id": line["id"], "j": 0, "text": "Fine."}
        | {"scores": line["quality"], "order": list(range(len(line["quality"])))}
        for line in lines(4)
    ]
    file = written(tmp_path / "ordered.jsonl", ordered)
    words = ("import", "scores", file, "--bench", own["bench"], "--model", "m")
    found = grmeval(*words, "--results", tmp_path / "i")
    assert found.returncode == 0, found.stderr
    folder = sampled(tmp_path, **own, critiques=next((tmp_path / "i").glob("*/*/*")))
    assert {row["invalid"] for row in rows(folder.path)} == {None}


# ---------------------------------------------------------------------- shown


def test_the_chats_are_shown(mistaken: Path) -> None:
    fine = RunFolder(next((mistaken / "fine").glob("*/*/*")))
    words = (
        "prompt",
        mistaken / "own.jsonl",
        *JUDGE,
        "--critiques",
        fine.path,
        "--item",
        "of-2/0001",
    )
    found = grmeval(*words)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("the answer above is number") == 2
    assert "\nchat 2 of 2\n" in found.stdout
    chats = json.loads(grmeval(*words, "--j", 1, "--json").stdout)["chats"]
    (row,) = (r for r in rows(fine.path) if (r["subset"], r["id"], r["j"]) == ("of-2", "0001", 1))
    assert [chat[-1]["content"] for chat in chats] == [row["text"]] * 2
    late = grmeval(*words, "--j", 2)
    assert (late.returncode, "have 2 of 3 critiques" in late.stderr) == (2, True), late.stderr


def test_critiques_of_a_restricted_benchmark_are_withheld(tmp_path: Path) -> None:
    archive = own_archive(tmp_path)
    run = sampled(tmp_path, bench="realmistake", data=archive, k=1, limit=4)
    item = rows(run.path)[0]
    words = ["prompt", "realmistake", "--data", archive, *JUDGE, "--critiques", run.path]
    words += ["--item", f"{item['subset']}/{item['id']}"]
    said = item["text"].splitlines()[0]
    for more in ((), ("--json",)):
        found = grmeval(*words, *more)
        assert found.returncode == 0, found.stderr
        assert said not in found.stdout
        assert "restricted benchmark: critiques are shown with --texts" in found.stdout
        assert said in grmeval(*words, *more, "--texts").stdout


def test_a_settings_file_names_the_run_beside_it(mistaken: Path, tmp_path: Path) -> None:
    fine = next((mistaken / "fine").glob("*/*/*"))
    (tmp_path / "c").symlink_to(fine)
    text = 'judge = "critique-scalar"\ncritiques = "./c"\nengine = "fake"\nk = 2\n'
    (tmp_path / "own.toml").write_text(text + f'bench = "{mistaken / "own.jsonl"}"\n', "utf-8")
    found = grmeval("run", "--config", tmp_path / "own.toml", "--results", tmp_path / "r")
    assert found.returncode == 0, found.stderr
    assert f"; critiques {fine.name}; " in found.stdout
