"""A meta RM is trained, killed, resumed, served by vLLM; its votes gain where there is something to learn."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grmeval.engines.scorer import ScoreRequest
from grmeval.score.diagnosis import diagnose
from grmeval.store import RunFolder
from grmeval.train.folder import TrainingFolder
from grmeval.train.settings import read_config
from tests.helpers import ask, grmeval, running, sampled, until
from tests.runs.meta.test_score import stored
from tests.tiny import tiny_llama

pytestmark = [pytest.mark.train, pytest.mark.long, pytest.mark.filterwarnings("default")]

TELLING = {"tell": 0.8, "accuracy": 0.6, "noise": 1, "chars": 20}
"""A world where a meta RM can learn: the best AUC there is 1 - 0.2^2 / 2 = 0.98."""

SETS = (
    *(
        "lora=null",
        "model.dtype=float32",
        "meta.bf16=false",
        "meta.batch=16",
        "meta.micro_batch=16",
    ),
    *("meta.learning_rate=3e-3", "meta.held_out=0.25", "meta.max_length=512"),
    *("meta.save_every=5", "meta.evaluate_every=5", "meta.log_every=1"),
)


FEW = ("meta.epochs=null", "meta.batch=8", "meta.micro_batch=4")


def settings(*more: str) -> list[str]:
    return [word for each in (*SETS, *more) for word in ("--set", each)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("models") / "tiny", width=64, heads=2)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Pairs alone: 40 prompts, 8 judgements of each."""
    place = tmp_path_factory.mktemp("judged")
    return sampled(place / "results", bench=str(pairs(place, 40)), k=8, engine_args=TELLING)


def pairs(place: Path, count: int, first: int = 0) -> Path:
    rows = [
        {"id": str(i), "prompt": f"{i} + 1?", "responses": [str(i + 1), "no"], "quality": [1, 0]}
        for i in range(first, first + count)
    ]
    path = place / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def trained(run: RunFolder, base: Path, out: Path, *more: str) -> TrainingFolder:
    words = ("meta", "train", run.path, "--config", "smol", "--base", base, "-o", out)
    found = grmeval(*words, *settings(*more))
    assert found.returncode == 0, found.stderr
    return TrainingFolder(out)


def logged(folder: TrainingFolder, name: str) -> dict[int, float]:
    found = [(row["step"], row[name]) for row in folder.metrics() if name in row]
    assert len(dict(found)) == len(found)  # no step twice
    return dict(found)


def test_a_few_steps_from_a_run_to_a_model_with_a_head(
    tmp_path: Path, judged: RunFolder, base: Path
) -> None:
    from transformers import AutoModelForSequenceClassification

    out = tmp_path / "out"
    more = ("meta.epochs=null", "meta.steps=5", "meta.pos_weight=balanced")
    folder = trained(judged, base, out, *more)
    facts = folder.record["facts"]
    parts = facts["train"], facts["held_out"]
    assert sum(part["items"] for part in parts) == 40
    assert sum(part["judgements"] for part in parts) + sum(facts["left_out"].values()) == 320
    assert facts["pos_weight"] == pytest.approx(
        (parts[0]["judgements"] - parts[0]["right"]) / parts[0]["right"]
    )
    assert list(logged(folder, "loss")) == [1, 2, 3, 4, 5]
    assert set(logged(folder, "eval_auc")) == set(logged(folder, "eval_auc_inside")) == {5}
    model = AutoModelForSequenceClassification.from_pretrained(folder.model)
    assert (type(model).__name__, model.config.num_labels) == ("LlamaForSequenceClassification", 1)
    card = (out / "README.md").read_text("utf-8").replace("\\", "")
    assert "items with right and wrong ones" in card
    assert "eval_auc_inside" in card
    # The same command has nothing to do; another one is refused.
    words = ("meta", "train", judged.path, "--config", "smol", "--base", base, "-o", out)
    again = grmeval(*words, *settings(*more))
    assert again.returncode == 0
    assert "nothing is left to do" in again.stderr
    other = ask(*words, *settings(*more, "meta.learning_rate=1e-3"), code=2)
    assert "holds another training: config.meta.learning_rate is 0.003 there" in other


def test_what_cannot_be_learned_from_is_said_before_anything_is_loaded(
    tmp_path: Path, base: Path
) -> None:
    place = tmp_path / "rows"
    place.mkdir()
    bench = str(pairs(place, 8))
    out = tmp_path / "out"
    for args, k, more, said in (
        ({"accuracy": 1.0}, 2, (), "judgements to train on are right: there is nothing to tell"),
        ({"accuracy": 0.5}, 1, (), "has right and wrong judgements, so that no AUC inside items"),
        ({"accuracy": 0.5}, 2, ("meta.max_length=20",), "longer than meta.max_length 20 tokens"),
        ({"no_score": 1.0}, 2, (), "no judgement to learn from (left out: 16 unreadable)"),
    ):
        run = sampled(tmp_path / "results", bench=bench, k=k, engine_args=args)
        words = ("meta", "train", run.path, "--config", "smol", "--base", base, "-o", out)
        assert said in ask(*words, *settings(*more), code=2)
        assert not out.exists()


def test_a_dry_run_takes_a_few_steps_and_writes_nothing(
    tmp_path: Path, judged: RunFolder, base: Path
) -> None:
    out = tmp_path / "out"
    words = ("meta", "train", judged.path, "--config", "smol", "--base", base, "-o", out)
    found = grmeval(*words, *settings(), "--dry-run")
    assert found.returncode == 0, found.stderr
    assert "items with right and wrong ones" in found.stderr
    for row in ("optimizer steps", "memory together, GiB", "measured: tokens/s", "hours here"):
        assert row in found.stdout
    assert not out.exists()


def test_a_batch_of_unlike_lengths_has_the_logits_of_each_alone(base: Path) -> None:
    """Also where the tokenizer's own padding token ends every chat."""
    import torch
    from transformers import AutoTokenizer

    from grmeval.train.meta.head import make_model, padding
    from grmeval.train.meta.train import _collator
    from grmeval.train.model import find_model

    config = read_config("smol", ["lora=null", "model.dtype=float32"], model__name=str(base))
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    end = tokenizer.pad_token_id
    assert end is not None
    rng = np.random.default_rng(0)
    ids = [[*map(int, rng.integers(100, 5000, length)), end] for length in (3, 9, 40)]
    pad = padding(tokenizer, {end})
    assert pad != end
    assert tokenizer.pad_token_id == pad
    model: Any = make_model(config.model, None, find_model(config.model), pad, 0).eval()
    batch = _collator(pad)([{"input_ids": each, "labels": 0.0} for each in ids])
    del batch["labels"]
    with torch.no_grad():
        together = model(**batch).logits[:, 0]
        alone = [float(model(input_ids=torch.tensor([each])).logits[0, 0]) for each in ids]
    assert together.tolist() == pytest.approx(alone, abs=1e-5)


def test_the_loss_is_the_mean_over_a_step_and_weighs_the_right(base: Path) -> None:
    from types import SimpleNamespace

    import torch

    from grmeval.train.meta.train import _loss

    outputs = SimpleNamespace(logits=torch.tensor([[2.0], [-1.0]]))
    labels = torch.tensor([1.0, 0.0])
    right, wrong = np.log1p(np.exp(-2.0)), np.log1p(np.exp(-1.0))
    assert float(_loss(1.0)(outputs, labels)) == pytest.approx((right + wrong) / 2)
    # Two of the eight examples of an optimizer step, in one micro-batch of it.
    found = float(_loss(3.0)(outputs, labels, num_items_in_batch=8))
    assert found == pytest.approx((3 * right + wrong) / 8)


def test_killed_it_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, judged: RunFolder, base: Path
) -> None:
    more = (*FEW, "meta.steps=12", "meta.save_every=3", "meta.evaluate_every=6", "meta.patience=9")
    whole = trained(judged, base, tmp_path / "whole", *more)
    out = tmp_path / "out"
    words = ("meta", "train", judged.path, "--config", "smol", "--base", base, "-o", out)

    def steps() -> int:
        with_torn = (
            (out / "metrics.jsonl").read_bytes() if (out / "metrics.jsonl").exists() else b""
        )
        return with_torn.count(b'"loss"')

    with running(*words, *settings(*more)) as at_work:
        assert until(lambda: steps() >= 8, at_work)
        os.kill(at_work.pid, signal.SIGKILL)
    killed = TrainingFolder(out)
    assert killed.record["status"] == "running"
    newest = killed.last_checkpoint()
    assert newest is not None
    assert newest.name in ("checkpoint-3", "checkpoint-6", "checkpoint-9")
    resumed = trained(judged, base, out, *more)
    assert resumed.finished
    assert resumed.record["result"]["steps"] == whole.record["result"]["steps"] == 12
    assert [launch["from_step"] for launch in resumed.record["launches"]] == [
        0,
        int(newest.name.partition("-")[2]),
    ]
    for name in ("loss", "eval_auc_inside", "eval_auc"):
        before, after = logged(whole, name), logged(resumed, name)
        assert list(after) == list(before)
        assert list(after.values()) == pytest.approx(list(before.values()), rel=1e-3, abs=1e-4)
    assert list(logged(resumed, "loss")) == list(range(1, 13))
    assert resumed.record["result"]["source"] == whole.record["result"]["source"]


def test_an_early_stop_keeps_the_best_and_a_kill_behind_it_takes_no_step(
    tmp_path: Path, judged: RunFolder, base: Path
) -> None:
    """The learning rate is far too small: no evaluation is better than the first."""
    steps = ("meta.steps=60", "meta.save_every=2", "meta.evaluate_every=2")
    more = (*FEW, *steps, "meta.patience=2", "meta.learning_rate=1e-12")
    folder = trained(judged, base, tmp_path / "out", *more)
    result = folder.record["result"]
    assert result == {"steps": 6, "source": "checkpoint-2"}
    assert list(logged(folder, "eval_auc_inside")) == [2, 4, 6]
    # As it was when the last checkpoint had been written, and nothing after it.
    shutil.rmtree(folder.model)
    folder.update(status="running", result={})
    again = trained(judged, base, folder.path, *more)
    assert again.record["result"] == result
    assert list(logged(again, "eval_auc_inside")) == [2, 4, 6]
    assert (again.model / "config.json").exists()


@pytest.mark.vllm
def test_what_was_learned_is_served_by_vllm_and_its_votes_gain(
    tmp_path: Path, judged: RunFolder, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """k_meta = k / 2 = 4, as in the paper; the run that is voted on has other prompts, and another seed."""
    from grmeval.engines.vllm_scorer import VllmScorer

    adapter = ("lora.rank=8", "lora.alpha=16", "lora.save_dtype=float32")
    steps = (
        *FEW,
        "meta.micro_batch=8",
        "meta.steps=45",
        "meta.save_every=15",
        "meta.evaluate_every=15",
    )
    sets = (*(each for each in SETS if each != "lora=null"), *adapter, *steps)
    words = (
        "meta",
        "train",
        judged.path,
        "--config",
        "smol",
        "--base",
        base,
        "-o",
        tmp_path / "out",
    )
    done = grmeval(*words, *(word for each in sets for word in ("--set", each)))
    assert done.returncode == 0, done.stderr
    folder = TrainingFolder(tmp_path / "out")
    inside = logged(folder, "eval_auc_inside")
    best = max(inside.values())
    print(f"held out, AUC inside items by step: {inside}")
    assert folder.record["result"]["source"] == f"checkpoint-{max(inside, key=lambda s: inside[s])}"
    assert best > 0.85
    assert not list(folder.model.glob("adapter*"))

    (tmp_path / "new").mkdir()
    bench = str(pairs(tmp_path / "new", 40, first=1000))
    new = sampled(tmp_path / "results", bench=bench, k=8, seed=1, engine_args=TELLING)
    ids: dict[tuple[Any, int], list[int]] = {}
    plain = VllmScorer._submit

    def spy(self: VllmScorer, number: str, asked: ScoreRequest, tokens: list[int]) -> None:
        ids[asked.key, asked.j] = tokens
        plain(self, number, asked, tokens)

    monkeypatch.setattr(VllmScorer, "_submit", spy)
    asked = ("meta-score", new.path, "--meta-model", folder.model, "--dtype", "float32")
    scored = grmeval(*asked, "--max-model-len", 1024, "--name", "mine")
    assert scored.returncode == 0, scored.stderr
    assert _same_tokens(new, base, ids)
    assert _furthest(new, folder, ids) < 1e-3
    (part,) = (part for part in diagnose(new).parts if part.name == "meta:mine")
    rows = {(row.name, row.measure): row for row in part.findings}
    found = {name: rows[name, "AUC"] for name in ("all judgements", "judgements of one item")}
    gain = rows["k=8: the best 4 less all", "gain"]
    for name, row in {**found, "gain": gain}.items():
        print(f"a new run, {name}: {row.value:.3f} [{row.low:.3f}, {row.high:.3f}]")
    assert found["judgements of one item"].value > 0.85
    assert gain.low > 0
    votes = ("--vote", "sum", "--vote", "meta:mine", "--k-meta", 4, "--json")
    table = json.loads(ask("score", new.path, *votes))["rows"]
    accuracy = {row["vote"]: row["value"] for row in table if row["level"] == "overall"}
    print(f"accuracy: {accuracy}")
    assert accuracy["meta:mine"] > accuracy["sum"]


def _same_tokens(run: RunFolder, base: Path, ids: dict[tuple[Any, int], list[int]]) -> bool:
    """Training on this run would see the very tokens that vLLM was given."""
    from grmeval.train.meta.prepare import prepare

    config = read_config("smol", SETS, "meta", model__name=str(base))
    given = prepare([run], config)
    learnt = {(e.example.key, e.example.j): e.ids for e in (*given.train, *given.held_out)}
    return len(learnt) == 320 and learnt == ids


def _furthest(
    run: RunFolder, folder: TrainingFolder, ids: dict[tuple[Any, int], list[int]]
) -> float:
    """How far a reward of vLLM is from the model's own logit in transformers, at most."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder.model, dtype=torch.float32)
    rewards = {(tuple(name[:2]), name[2]): r for name, r in stored(run, "mine").items()}
    apart = []
    with torch.no_grad():
        for (key, j), tokens in list(ids.items())[:40]:
            logit = float(model(input_ids=torch.tensor([tokens])).logits[0, 0])
            apart.append(abs(logit - float(rewards[tuple(key), j] or np.nan)))
    return max(apart)
