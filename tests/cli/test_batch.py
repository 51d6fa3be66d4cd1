"""Batch files: `export --what requests` writes what is missing, `import answers` takes back what came."""

import hashlib
import json
import random
from collections.abc import Callable
from math import exp
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from grmeval.engines.models import ModelRef
from grmeval.runs import configure, prepare
from grmeval.runs import requests as batch_requests
from grmeval.store import RunFolder, all_runs
from tests.benches.test_restricted import own_archive
from tests.helpers import ask, grmeval, sampled

Row = dict[str, Any]
RUN = ("run", "--bench", "sample", "--engine", "batch", "--model", "org/judge", "--limit", 8)


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """What a run with an engine holds: the texts that the answers below have."""
    return sampled(tmp_path_factory.mktemp("fake"), k=4, limit=8)


@pytest.fixture(scope="module")
def texts(fake: RunFolder) -> dict[tuple[str, int], Row]:
    """(prompt as it is sent, j) -> the fake engine's sample."""
    known = fake.record["config"]
    plan = prepare(configure({"bench": "sample", "engine": "fake", "k": 4, "limit": 8}))
    assert known["orders"] == plan.config.orders
    samples = {(r["subset"], r["id"], r["j"]): r for r in rows_of(fake.path)}
    return {
        (request.messages[-1].content, j): samples[(*request.key, j)]
        for request in plan.requests([(item, tuple(range(4))) for item in plan.items()])
        for j in request.js
    }


def rows_of(folder: Path) -> list[Row]:
    return list(pq.read_table(folder / "samples.parquet").to_pylist())


def asked(results: Path, *more: object) -> tuple[Path, list[Row]]:
    """(a run that nothing was asked for, its requests)."""
    found = grmeval(*RUN, "--k", 4, "--results", results, *more)
    assert found.returncode == 3, found.stderr
    assert " samples wait for answers" in found.stderr
    assert "error" not in found.stderr  # it is the first step of every batch
    (folder,) = all_runs(results)
    return folder, requests_of(folder)


def requests_of(folder: Path, *more: object) -> list[Row]:
    lines = ask("export", folder, "--what", "requests", *more).splitlines()
    return [json.loads(line) for line in lines]


def answered(request: Row, texts: dict[tuple[str, int], Row]) -> Row:
    """As hosted services write it."""
    j = int(request["custom_id"].rpartition("-")[2])
    sample = texts[request["body"]["messages"][-1]["content"], j]
    message = {"role": "assistant", "content": sample["text"], "refusal": None}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "judge-2026-11-01",
        "choices": [{"index": 0, "message": message, "finish_reason": sample["finish"]}],
        "usage": {
            "prompt_tokens": sample["prompt_tokens"],
            "completion_tokens": sample["tokens"],
            "prompt_tokens_details": {"cached_tokens": sample["cached_tokens"]},
        },
    }
    response = {"status_code": 200, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": request["custom_id"], "response": response, "error": None}


def written(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_round_trip_gives_the_run_that_the_same_texts_give(
    fake: RunFolder, texts: dict[tuple[str, int], Row], tmp_path: Path
) -> None:
    folder, requests = asked(tmp_path)
    assert len({r["custom_id"] for r in requests}) == len(requests) == 32
    rows = [answered(request, texts) for request in requests]
    random.Random(1).shuffle(rows)
    file = written(tmp_path / "answers.jsonl", [*rows, *rows[:3]])
    found = grmeval("import", "answers", file, "--results", tmp_path)
    assert found.returncode == 0, found.stderr
    assert "32 answers imported, 3 are there already" in found.stderr
    changed = {"launch", "parser"}

    def plain(folder: Path) -> list[Row]:
        return [{n: v for n, v in row.items() if n not in changed} for row in rows_of(folder)]

    assert plain(folder) == plain(fake.path)
    tables = json.loads((folder / "accuracy.json").read_text())
    assert tables["rows"] == json.loads(ask("score", fake.path, "--json"))["rows"]
    (launch,) = RunFolder(folder).record["launches"]
    assert launch["engine"] == {"engine": "batch", "model": "judge-2026-11-01"}
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert launch["files"] == [f"answers.jsonl sha256:{digest}"]
    before = (folder / "samples.parquet").read_bytes(), (folder / "run.json").read_bytes()
    again = grmeval("import", "answers", file, "--results", tmp_path)
    assert again.returncode == 0, again.stderr
    assert "0 answers imported, 35 are there already" in again.stderr
    assert requests_of(folder) == []
    assert len(RunFolder(folder).record["launches"]) == 1
    assert before[0] == (folder / "samples.parquet").read_bytes()
    none = tmp_path / "none.jsonl"
    export = grmeval("export", folder, "--what", "requests", "--to", none)
    assert export.stderr == "nothing is missing of k=4; --k 8 asks for more\n"
    assert (export.returncode, none.exists()) == (0, False)


def test_what_an_engine_left_may_come_from_a_batch(
    fake: RunFolder, texts: dict[tuple[str, int], Row], tmp_path: Path
) -> None:
    run = sampled(tmp_path, k=2, limit=8)
    requests = requests_of(run.path, "--k", 4)
    assert len(requests) == 16
    assert all(request["body"]["model"] == "fake" for request in requests)
    rows = [answered(request, texts) for request in requests]
    said = ask("import", "answers", written(tmp_path / "a.jsonl", rows), "--into", run.path)
    assert "2 launches of unlike engines" in " ".join(said.split())
    assert [row["text"] for row in rows_of(run.path)] == [row["text"] for row in rows_of(fake.path)]


def test_a_request_says_all_that_the_run_says(tmp_path: Path) -> None:
    more = ("--system", "Be fair.", "--temperature", 0.7, "--top-p", 0.9, "--max-tokens", 99)
    fields = ("--engine-arg", 'reasoning_effort="low"', "--engine-arg", "top_p=null")
    _, requests = asked(tmp_path, *more, *fields, "--chat-template-kwargs", '{"a": 1}')
    for request in requests:
        assert request.keys() == {"custom_id", "method", "url", "body"}
        assert (request["method"], request["url"]) == ("POST", "/v1/chat/completions")
        body = dict(request["body"])
        assert [turn["role"] for turn in body.pop("messages")] == ["system", "user"]
        assert 0 <= body.pop("seed") < 2**31
        assert body == {
            "model": "org/judge",
            "temperature": 0.7,
            "max_tokens": 99,
            "chat_template_kwargs": {"a": 1},
            "reasoning_effort": "low",
        }
    assert len({request["body"]["seed"] for request in requests}) == len(requests)
    # Of every service that took the format over: letters, digits, _ and -, at most 64.
    assert all(
        len(r["custom_id"]) <= 64 and r["custom_id"].replace("-", "").isalnum() for r in requests
    )


def test_without_seeds_and_greedy_there_are_none(tmp_path: Path) -> None:
    folder, _ = asked(tmp_path / "a")
    assert not any("seed" in r["body"] for r in requests_of(folder, "--no-seeds"))
    greedy = ("--greedy", "--k", 1)
    _, requests = asked(tmp_path / "b", *greedy)
    assert not any("seed" in r["body"] for r in requests)


def test_constrained_decoding_and_vllms_own_settings_are_told_to_vllm(tmp_path: Path) -> None:
    _, requests = asked(tmp_path, "--structured")
    assert all("boxed" in r["body"]["structured_outputs"]["regex"] for r in requests)
    assert not any("top_k" in r["body"] for r in requests)


def test_what_failed_stays_missing_and_is_named_and_asked_for_again(
    texts: dict[tuple[str, int], Row], tmp_path: Path
) -> None:
    folder, requests = asked(tmp_path)
    rows = [answered(request, texts) for request in requests]
    rows[0] |= {"response": None, "error": {"code": "batch_expired", "message": "too late"}}
    rows[1]["response"] = {"status_code": 500, "body": {"error": {"message": "boom", "code": 500}}}
    rows[2]["response"]["body"]["choices"] = []
    rows[3]["response"]["body"]["choices"][0]["finish_reason"] = "abort"
    del rows[30:]  # a part of the file
    file = written(tmp_path / "some.jsonl", rows)
    found = grmeval("import", "answers", file, "--results", tmp_path)
    assert found.returncode == 3
    said = " ".join(found.stderr.split())
    assert "26 answers imported" in said
    assert f"1 failed: batch_expired too late ({file}, line 1)" in said
    assert f"1 failed: 500 boom ({file}, line 2)" in said
    assert f"its answer cannot be read (no choices) ({file}, line 3)" in said
    assert f"(a choice that ended with 'abort') ({file}, line 4)" in said
    assert (
        "6 samples of k=4 are missing; `grmeval export RUN --what requests` asks for them" in said
    )
    left = [*requests[:4], *requests[30:]]
    assert requests_of(folder) == left
    # An error, and the answer that came when it was asked again: in one file, in any order.
    rest = [answered(request, texts) for request in left]
    file = written(tmp_path / "rest.jsonl", [rows[0], *rest, rows[1]])
    found = grmeval("import", "answers", file, "--results", tmp_path)
    assert found.returncode == 0, found.stderr
    assert "6 answers imported" in found.stderr
    assert " failed: " not in found.stderr
    assert len(rows_of(folder)) == 32


def test_a_sample_that_is_there_is_never_replaced(
    texts: dict[tuple[str, int], Row], tmp_path: Path
) -> None:
    folder, requests = asked(tmp_path)
    first, other = (answered(requests[0], texts) for _ in range(2))
    other["response"]["body"]["choices"][0]["message"]["content"] = "Scores: \\boxed{1, 1}"
    file = written(tmp_path / "twice.jsonl", [first, other])
    for new, there in ((1, 1), (0, 2)):
        said = ask("import", "answers", file, "--results", tmp_path, code=3)
        assert f"{new} answers imported, {there} are there already" in said
    (row,) = rows_of(folder)
    assert row["text"] == first["response"]["body"]["choices"][0]["message"]["content"]


def foreign(row: Row) -> None:
    row["custom_id"] = "0" * 12 + row["custom_id"][12:]


def of_no_item(row: Row) -> None:
    row["custom_id"] = row["custom_id"][:13] + "0" * 16 + row["custom_id"][29:]


def of_another_order(row: Row) -> None:
    row["custom_id"] = row["custom_id"][:30] + "000000" + row["custom_id"][36:]


def of_another_program(row: Row) -> None:
    row["custom_id"] = "request-7"


def without_id(row: Row) -> None:
    del row["custom_id"]


def without_answer(row: Row) -> None:
    del row["response"], row["error"]


def a_request(row: Row) -> None:
    row |= {"method": "POST", "url": "/v1/chat/completions", "body": {}}


SPOILT = {
    foreign: "is of the run 000000000000",
    of_no_item: "is of no item of this run",
    of_another_order: "shows other orders of responses than the run's sample j = ",
    of_another_program: "custom_id 'request-7' is no name that `grmeval export` gives",
    without_id: "no answer of a batch: it has no custom_id",
    without_answer: "neither 'response' nor 'error'",
    a_request: "a request, not an answer",
}


def test_rows_that_are_not_of_the_run_are_refused_before_anything_is_written(
    texts: dict[tuple[str, int], Row], tmp_path: Path
) -> None:
    folder, requests = asked(tmp_path)
    for spoil, said in SPOILT.items():
        rows = [answered(request, texts) for request in requests[:3]]
        spoil(rows[1])
        file = written(tmp_path / "answers.jsonl", rows)
        error = ask("import", "answers", file, "--into", folder, code=2)
        assert f"{file}, line 2: " in error
        assert said in error
    assert not (folder / "samples.parquet").exists()
    assert RunFolder(folder).record["launches"] == []
    assert "RUN '000000000000'" in ask("import", "answers", only(foreign, file), code=2)


def only(spoil: Callable[[Row], None], file: Path) -> Path:
    """The file with its first row alone, spoilt."""
    row = json.loads(file.read_text().splitlines()[0])
    spoil(row)
    return written(file, [row])


def test_a_torn_file_and_a_file_of_scores_are_refused(
    texts: dict[tuple[str, int], Row], tmp_path: Path
) -> None:
    folder, requests = asked(tmp_path)
    rows = [answered(request, texts) for request in requests[:2]]
    file = written(tmp_path / "answers.jsonl", rows)
    file.write_text(file.read_text()[:-40])
    assert "answers.jsonl, line 2: not JSON" in ask(
        "import", "answers", file, "--into", folder, code=2
    )
    written(file, rows)
    scores = ("import", "scores", file, "--bench", "sample", "--model", "m", "--results", tmp_path)
    assert "line 1: a line of a batch: `grmeval import answers`" in ask(*scores, code=2)


def test_more_k_is_asked_for_and_becomes_the_record(
    texts: dict[tuple[str, int], Row], tmp_path: Path
) -> None:
    found = grmeval(*RUN, "--k", 2, "--results", tmp_path)
    assert found.returncode == 3
    (folder,) = all_runs(tmp_path)
    first = [answered(request, texts) for request in requests_of(folder)]
    assert len(first) == 16
    file = written(tmp_path / "first.jsonl", first)
    ask("import", "answers", file, "--results", tmp_path, "--json")
    requests_of(folder, "--k", 4)
    again = grmeval("import", "answers", file, "--results", tmp_path)
    assert again.returncode == 3
    assert "k=2" in again.stdout.splitlines()[0]
    assert "16 samples of k=4 are missing" in again.stderr
    more = requests_of(folder, "--k", 4, "--limit", 6)
    assert len(more) == 12
    more = requests_of(folder, "--k", 4, "--limit", 8)
    second = written(tmp_path / "second.jsonl", [answered(request, texts) for request in more])
    ask("import", "answers", second, "--results", tmp_path)
    assert json.loads((folder / "accuracy.json").read_text())["rows"][0]["k"] == 4


def test_reasoning_is_thinking_and_what_is_too_long_is_said(
    texts: dict[tuple[str, int], Row], tmp_path: Path
) -> None:
    folder, requests = asked(tmp_path)
    rows = [answered(request, texts) for request in requests[:4]]
    said = [row["response"]["body"]["choices"][0]["message"] for row in rows]
    said[0]["reasoning_content"] = "Hm. \\boxed{1, 2}"
    said[1]["reasoning"] = "So."
    said[2] |= {"content": None, "refusal": "I will not judge."}
    error = {"error": {"message": "This model's maximum context length is 16 tokens.", "code": 400}}
    rows[3]["response"] = {"status_code": 400, "body": None}
    rows[3]["error"] = error  # as vLLM writes it
    file = written(tmp_path / "answers.jsonl", rows)
    assert "4 answers imported" in ask("import", "answers", file, "--into", folder, code=3)
    found = {(r["subset"], r["id"], r["j"]): r for r in rows_of(folder)}
    thoughts = sorted(row["thinking"] for row in found.values())
    assert thoughts == ["", "", "Hm. \\boxed{1, 2}", "So."]
    assert sum(row["scores"] is not None for row in found.values()) == 2
    assert {row["invalid"] for row in found.values()} == {None, "no_score", "prompt_too_long"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engine", "batch"), "--model NAME says which one, as the service calls it"),
        (("--engine", "batch", "--model", "m", "--dtype", "bfloat16"), "drop --dtype"),
        (("--engine", "batch", "--model", "m", "--judge", "scalar"), "a head gives chats a number"),
        (("--engine", "batch", "--model", "m", "--engine-arg", "n=4"), "--engine-arg n: use --k"),
        (
            ("--engine", "batch", "--model", "m", "--engine-arg", "seed=1"),
            "seed=null sends none",
        ),
        (
            ("--engine", "batch", "--model", "m", "--engine-arg", "api_key=abc"),
            "looks like a secret",
        ),
    ],
)
def test_runs_that_no_batch_could_answer_are_refused(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    error = ask("run", "--bench", "sample", *words, "--results", tmp_path, code=2)
    assert said in error
    assert "abc" not in error
    assert not list(tmp_path.iterdir())


def test_options_of_requests_and_of_other_rows_are_kept_apart(
    fake: RunFolder, tmp_path: Path
) -> None:
    folder = fake.path
    assert "did you mean 'requests'?" in ask("export", folder, "--what", "request", code=2)
    assert "--k: of --what requests" in ask("export", folder, "--k", 4, code=2)
    assert "--texts: requests are" in ask("export", folder, "--what", "requests", "--texts", code=2)
    csv = ("--to", tmp_path / "r.csv")
    assert "the ending says the format: .jsonl" in ask(
        "export", folder, "--what", "requests", *csv, code=2
    )
    assert not (tmp_path / "r.csv").exists()


def test_a_head_and_a_restricted_benchmark_have_no_requests(tmp_path: Path) -> None:
    run = sampled(tmp_path / "a", judge="scalar", k=1, limit=2)
    error = ask("export", run.path, "--what", "requests", code=2)
    assert "--judge scalar: a head gives chats a number each" in error
    archive = own_archive(tmp_path)
    rows = ("--bench", "realmistake", "--data", archive, "--limit", 2, "--results", tmp_path / "b")
    error = ask("run", *rows, "--engine", "batch", "--model", "m", code=2)
    assert "restricted benchmark" in error
    ask("run", *rows, "--engine", "fake", "--k", 1)
    file = tmp_path / "requests.jsonl"
    more = ("--what", "requests", "--k", 2, "--to", file, "--results", tmp_path / "b")
    assert "restricted benchmark" in ask("export", "latest", *more, code=2)
    assert not file.exists()


def test_the_probability_of_a_pick_is_that_of_its_tokens(tmp_path: Path) -> None:
    results = tmp_path / "r"
    words = ("--judge", "index-prob", "--bench", "sample", "--subset", "facts-pairs", "--k", 1)
    model = ("--engine", "batch", "--model", "m", "--results", results)
    assert grmeval("run", *words, *model).returncode == 3
    (folder,) = all_runs(results)
    requests = requests_of(folder)
    rows = []
    for request, pick in zip(requests, ["1"] * 7 + ["\u00e9"], strict=True):
        assert request["body"]["logprobs"] is True
        pieces = ["\u00e9 Best Response: \\boxed{", pick, "}", "<|im_end|>"]
        tokens = [{"token": p, "bytes": list(p.encode()), "logprob": -0.5} for p in pieces]
        message = {"role": "assistant", "content": "".join(pieces[:3])}
        choice = {"message": message, "finish_reason": "stop", "logprobs": {"content": tokens}}
        response = {"status_code": 200, "body": {"choices": [choice]}}
        rows.append({"custom_id": request["custom_id"], "response": response, "error": None})
    rows[0]["response"]["body"]["choices"][0]["logprobs"] = None
    file = written(tmp_path / "answers.jsonl", rows)
    ask("import", "answers", file, "--results", results)
    weights = sorted((row["weight"] for row in rows_of(folder)), key=str)
    assert weights == [pytest.approx(exp(-0.5))] * 6 + [None] * 2


def test_a_run_that_stops_at_the_score_stops_there_in_answers_too(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=1, limit=4, subset=("facts-pairs",), stop_at_score=True).path
    begin = "Specific Criteria: 1. Correctness (100 %)\nAnalysis: fine.\nScores: \\boxed{7, 2}"
    rows = []
    for request in requests_of(folder, "--k", 2):
        message = {"content": f"{begin}\nOn second thought:\nScores: \\boxed{{2, 7}}"}
        body = {"choices": [{"message": message, "finish_reason": "length"}]}
        response = {"status_code": 200, "body": body}
        rows.append({"custom_id": request["custom_id"], "response": response})
    ask("import", "answers", written(tmp_path / "a.jsonl", rows), "--into", folder)
    imported = [row for row in rows_of(folder) if row["j"] == 1]
    assert len(imported) == len(rows) == 4
    for row in imported:
        assert (row["text"], row["finish"]) == (begin, "stop")
        assert [row["scores"][at] for at in row["order"]] == [7, 2]


def test_answers_that_make_no_sense_are_read_as_far_as_they_do(
    texts: dict[tuple[str, int], Row], tmp_path: Path
) -> None:
    folder, requests = asked(tmp_path)
    rows = [answered(request, texts) for request in requests[:7]]
    bodies = [row["response"]["body"] for row in rows]
    bodies[0]["usage"] = {"prompt_tokens": 2**40, "completion_tokens": 2**31}
    bodies[1]["usage"] = "none"
    bodies[2]["usage"] = {"prompt_tokens_details": [1]}
    bodies[3]["model"] = "half \ud800"
    bodies[4]["choices"][0]["message"]["reasoning_content"] = "half \ud800"
    bodies[5]["choices"][0]["finish_reason"] = {}
    bodies[6]["choices"][0]["message"]["content"] = {"a": 1}
    file = written(tmp_path / "answers.jsonl", rows)
    said = ask("import", "answers", file, "--into", folder, code=3)
    assert "5 answers imported" in said
    assert "(a content that is no text)" in said
    found = rows_of(folder)
    assert sum(row["tokens"] == 0 for row in found) == 3
    assert sum(row["thinking"] == "half ?" for row in found) == 1
    (launch,) = RunFolder(folder).record["launches"]
    assert launch["engine"]["model"] == "judge-2026-11-01 + half ?"


def test_a_sample_that_nobody_asked_for_is_refused(
    texts: dict[tuple[str, int], Row], tmp_path: Path
) -> None:
    folder, requests = asked(tmp_path)
    row = next(r for r in requests if r["custom_id"].endswith("-0"))
    more = answered(row, texts) | {"custom_id": row["custom_id"].removesuffix("0") + "4"}
    file = written(tmp_path / "answers.jsonl", [more])
    error = ask("import", "answers", file, "--into", folder, code=2)
    assert "is of sample j = 4, and k = 4 were asked for" in error


def test_requests_of_an_adaptive_run_leave_out_what_it_stopped(tmp_path: Path) -> None:
    run = sampled(tmp_path, k=8, adaptive=True)
    assert len(run.done()) < 75 * 8
    file = tmp_path / "requests.jsonl"
    words = ("export", run.path, "--what", "requests", "--to", file)
    found = grmeval(*words)
    left = 75 * 8 - len(run.done())
    assert f"{left} samples of items that stopped early (--adaptive) are left out" in found.stderr
    assert file.read_text() == ""
    assert grmeval(*words, "--k", 8).returncode == 0
    assert len(file.read_text().splitlines()) == left


def test_requests_of_a_run_on_ray_are_those_of_vllm() -> None:
    model = ModelRef("org/judge", None, "judge", "org/judge")
    for engine, told in (("ray", True), ("vllm", True), ("batch", False)):
        asked = {"bench": "sample", "engine": engine, "model": "org/judge", "k": 1, "limit": 1}
        plan = prepare(configure(asked), model=model)
        (line,) = batch_requests(plan, plan.missing(()), "org/judge")
        assert ("skip_special_tokens" in line["body"]) == told
