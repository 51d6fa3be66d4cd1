"""What a plan counts, against transformers' own tokenizer; what it expects of which stored run."""

import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.engines.gpus import find_gpu
from grmeval.engines.models import UNSEEN, resolve
from grmeval.engines.prefix import CPU_BLOCK, GPU_BLOCK
from grmeval.engines.vllm_model import is_cpu_build
from grmeval.errors import ConfigError
from grmeval.runs import Plan, configure, prepare
from grmeval.runs.forecast import expected_output, forecast, forecast_of_run
from grmeval.store import RunFolder
from tests.engines.test_prefix import walked
from tests.helpers import sampled


def model(folder: Path, template: str | None = None) -> Path:
    """The packaged model's tokenizer and config, beside weights that nobody could load."""
    base = Path(resolve("demo", None).location)
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (folder / name).symlink_to(base / name)
    (folder / "model.safetensors").write_bytes(b"")
    if template:
        (folder / "chat_template.jinja").write_text(template)
    return folder


def planned(results: Path, **settings: Any) -> Plan:
    return prepare(configure({"bench": "sample", "results": results} | settings))


def ids_of(plan: Plan, folder: Path) -> list[tuple[list[int], int]]:
    """Each prompt as transformers reads it, in the order of asking, and how many samples it serves."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for request in plan.requests(plan.missing(())):
        turns = [message._asdict() for message in request.messages]
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        found.append((list(ids), len(request.js)))
    return found


@pytest.mark.vllm
@pytest.mark.filterwarnings("default")
def test_every_prompt_is_tokenised_and_what_blocks_share_is_counted(tmp_path: Path) -> None:
    folder = model(tmp_path / "m")
    plan = planned(tmp_path, model=str(folder), k=5, limit=12, max_model_len=8192)
    asked = ids_of(plan, folder)
    prompts = forecast(plan).prompts
    assert prompts.exact
    assert (prompts.items, prompts.samples, prompts.distinct) == (12, 60, len(asked))
    assert prompts.tokens == sum(len(ids) * samples for ids, samples in asked)
    block = CPU_BLOCK if is_cpu_build() else GPU_BLOCK
    assert prompts.cached == walked(asked, block) > 0
    assert forecast(plan, find_gpu("h200")).prompts.cached == walked(asked, GPU_BLOCK)
    assert not (tmp_path / "sample").exists()  # nothing is written

    short = sorted(len(ids) for ids, _ in asked)[len(asked) // 2]
    settings = {"model": str(folder), "k": 5, "limit": 12, "max_tokens": 100}
    cut = planned(tmp_path, max_model_len=100 + short, **settings)
    found = forecast(cut, find_gpu("h200")).prompts
    assert found.too_long == sum(n for ids, n in asked if len(ids) > short) > 0
    fits = [(ids, n) for ids, n in asked if len(ids) <= short]
    assert found.tokens == sum(len(ids) * n for ids, n in fits)
    assert found.asked == 60 - found.too_long
    speed = {"block_size": 64, "enable_prefix_caching": False}
    assert forecast(planned(tmp_path, engine_args=speed, **settings)).prompts.cached == 0
    del speed["enable_prefix_caching"]
    large = forecast(planned(tmp_path, engine_args=speed, **settings)).prompts
    assert large.cached == walked(asked, 64)


@pytest.mark.vllm
@pytest.mark.filterwarnings("default")
def test_a_head_reads_finished_chats_and_writes_nothing(tmp_path: Path) -> None:
    folder = model(tmp_path / "rm")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").unlink()
    config |= {"architectures": ["LlamaForSequenceClassification"], "num_labels": 1}
    (folder / "config.json").write_text(json.dumps(config))
    plan = planned(tmp_path, model=str(folder), judge="scalar", k=1, limit=5)
    found = forecast(plan, find_gpu("l4"))
    chats = [chat for each in plan.requests(plan.missing(())) for chat in each.prompts]
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = [
        list(tokenizer.apply_chat_template([m._asdict() for m in chat], return_dict=False))
        for chat in chats
    ]
    assert found.prompts.distinct == len(chats) > found.prompts.samples == 5
    assert found.prompts.tokens == sum(map(len, ids))
    assert found.prompts.cached == walked([(each, 1) for each in ids], GPU_BLOCK) > 0
    assert (found.generated, found.expected) == (0, None)
    assert found.bound
    assert found.bound.decode == 0 < (found.bound.prefill or 0)


@pytest.mark.vllm
@pytest.mark.filterwarnings("default")
def test_a_prompt_that_the_template_refuses_is_named(tmp_path: Path) -> None:
    odd = "{{ raise_exception('no') if 'a' in messages[0].content }}"
    folder = model(tmp_path / "m", odd)
    with pytest.raises(ConfigError, match=r"\w+/[\w-]+: the model's chat template refuses"):
        forecast(planned(tmp_path, model=str(folder), k=1, limit=2))


def test_without_a_tokenizer_a_quarter_of_the_characters_is_about_right(tmp_path: Path) -> None:
    """A model that is neither here nor to be had."""
    config = configure({"bench": "sample", "model": "o/m", "k": 4, "results": tmp_path, "limit": 9})
    plan = prepare(config, model=UNSEEN)
    found = forecast(plan, find_gpu("h200"))
    lengths = [
        (sum(len(m.content) for m in request.messages) // 4, len(request.js))
        for request in plan.requests(plan.missing(()))
    ]
    assert not found.prompts.exact
    assert found.prompts.tokens == sum(length * samples for length, samples in lengths)
    # Every further sample of a prompt, give or take a block.
    assert found.prompts.cached == sum(length * (samples - 1) for length, samples in lengths)
    assert found.bound is None
    assert any("config.json is not at hand" in note for note in found.notes)


def test_samples_that_are_there_are_not_planned_again(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=3, limit=10)
    done = json.loads((folder.path / "run.json").read_text("utf-8"))["launches"][0]
    found = forecast(planned(tmp_path, engine="fake", k=8, limit=20))
    assert (found.have, found.prompts.samples) == (30, 20 * 8 - 30)
    assert found.expected
    assert found.expected.like == "this run"
    assert found.expected.tokens == done["tokens"] / 30
    assert found.generated == round(done["tokens"] / 30 * 130)
    nothing = forecast(planned(tmp_path, engine="fake", k=3, limit=10))
    assert (nothing.have, nothing.prompts.samples, nothing.generated) == (30, 0, 0)


def test_a_run_is_planned_as_one_launch_of_its_samples(tmp_path: Path) -> None:
    folder = sampled(tmp_path, k=2, limit=10)
    sampled(tmp_path, k=4, limit=10)
    launches = json.loads((folder.path / "run.json").read_text("utf-8"))["launches"]
    found = forecast_of_run(RunFolder(folder.path))
    assert found.prompts.samples == 40
    assert found.prompts.tokens == sum(launch["prompt_tokens"] for launch in launches)
    assert found.expected is None  # its own samples are the fact, not the plan


def test_the_run_that_is_most_like_it_tells_how_long_judgements_are(tmp_path: Path) -> None:
    plan = planned(tmp_path, engine="fake", k=1, limit=20, max_tokens=60)
    assert expected_output(plan) is None
    sampled(tmp_path, k=1, limit=15)  # too few to be believed
    sampled(tmp_path, k=1, limit=20, judge="pointwise-plain")  # another judge
    assert expected_output(plan) is None

    other = sampled(tmp_path, k=1, limit=20, engine_args={"chars": 80})
    found = expected_output(plan)
    assert found
    assert (found.run, found.samples) == (other.path, 20)
    assert found.like == "same judge, same model, other sampling settings"

    same = sampled(tmp_path, k=1, limit=16, seed=4)
    found = expected_output(plan)
    assert found
    assert (found.run, found.like) == (same.path, "same judge, same model")
    assert found.tokens == 60  # those of 1,024 at most, cut at this plan's 60
    assert expected_output(plan, but=same.path) == (
        sum(_tokens(other.path)) / 20,
        20,
        other.path,
        "same judge, same model, other sampling settings",
        0.0,
    )

    long = expected_output(planned(tmp_path, engine="fake", k=1, max_tokens=2000))
    assert long
    assert long.tokens == sum(_tokens(same.path)) / 16
    own = sampled(tmp_path, k=1, limit=16, max_tokens=60, engine_args={"truncated": 1.0})
    cut = expected_output(
        planned(tmp_path, engine="fake", k=1, engine_args={"truncated": 1.0}, max_tokens=90)
    )
    assert cut
    assert (cut.run, cut.cut) == (own.path, 1.0)


def test_a_simulated_judge_tells_nothing_of_a_model(tmp_path: Path) -> None:
    sampled(tmp_path, k=1, limit=20)
    config = configure({"bench": "sample", "model": "o/m", "k": 4, "results": tmp_path})
    assert expected_output(prepare(config, model=UNSEEN)) is None


def _tokens(run: Path) -> list[int]:
    import pyarrow.parquet as pq

    found: list[int] = pq.read_table(run / "samples.parquet")["tokens"].to_pylist()
    return found


def test_samples_that_stopped_items_do_without_are_not_to_come(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"engine": "fake", "k": 8, "limit": 10}
    run = sampled(tmp_path, adaptive=True, **settings)
    found = forecast(planned(tmp_path, adaptive=True, **settings))
    assert (found.prompts.samples, found.have) == (0, len(run.done()))
    assert forecast(planned(tmp_path, **settings)).prompts.samples == 80 - found.have
    more = forecast(planned(tmp_path, adaptive=True, **settings | {"k": 16}))
    assert more.prompts.samples == 160 - found.have
