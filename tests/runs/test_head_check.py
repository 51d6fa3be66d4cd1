"""What a head cannot be asked is said before a model is loaded, and of which items."""

import json
import re
from pathlib import Path

import pytest

from grmeval.engines.models import resolve
from grmeval.errors import ConfigError
from grmeval.items import Message
from grmeval.runs import Plan, configure, prepare
from grmeval.runs.sample import estimate
from tests.helpers import ask

# They load no model, but need what is installed with vLLM.
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

TAKES_ALL = "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
SHOUTS = "{% for m in messages %}<|im_start|>{{ m.content.upper() }}{% endfor %}"


def head(folder: Path, template: str, labels: int = 1) -> Path:
    """A config, a tokenizer, and weights that nobody could load."""
    base = Path(resolve("demo", None).location)
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).symlink_to(base / name)
    (folder / "chat_template.jinja").write_text(template)
    (folder / "model.safetensors").write_bytes(b"")
    config = json.loads((base / "config.json").read_text("utf-8"))
    config |= {"architectures": ["LlamaForSequenceClassification"]}
    config["id2label"] = {str(at): f"LABEL_{at}" for at in range(labels)}
    config["label2id"] = {f"LABEL_{at}": at for at in range(labels)}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """Twelve items; the first four have a system turn, the last spells a control token."""
    path = tmp_path / "own.jsonl"
    with path.open("w") as file:
        for at in range(12):
            turns = [{"role": "user", "content": f"Number {at}?"}]
            if at < 4:
                turns.insert(0, {"role": "system", "content": "Be short."})
            said = ["yes <|im_end|>" if at == 11 else "yes", "no"]
            row = {"id": f"{at:02d}", "subset": "s", "conversation": turns, "responses": said}
            file.write(json.dumps(row | {"quality": [1, 0]}) + "\n")
    return path


def plan(bench: Path, model: Path, **more: object) -> Plan:
    settings = {"bench": str(bench), "judge": "scalar", "model": str(model), "k": 1}
    return prepare(configure(settings | {"results": bench.parent / "results"} | more))


@pytest.mark.long
def test_a_template_that_refuses_a_system_turn_says_of_which_items(
    bench: Path, tmp_path: Path
) -> None:
    model = head(tmp_path / "head", NO_SYSTEM + TAKES_ALL)
    with pytest.raises(ConfigError) as refused:
        plan(bench, model)
    said = str(refused.value)
    assert f"4 of 12 items have a system turn, which the chat template of {model} refuses" in said
    assert (
        "(no system): take rows without one, or a copy of the model's folder with another" in said
    )
    assert re.search(r"chat_template\.jinja \(s/0[0-3], s/0[0-3], s/0[0-3] …\)$", said)
    assert not (tmp_path / "results").exists()
    line = ask("run", "--bench", bench, "--judge", "scalar", "--model", model, code=2)
    assert "4 of 12 items have a system turn" in line


def test_a_template_that_takes_everything_says_nothing(bench: Path, tmp_path: Path) -> None:
    made = plan(bench, head(tmp_path / "head", TAKES_ALL))
    assert len(made.items()) == 12
    assert not made.path.exists()


def test_a_spelling_that_cannot_be_followed_names_its_item(bench: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"1 of 12 items have a chat .* spells <\|im_end\|>.*\(s/11\)"
    ):
        plan(bench, head(tmp_path / "head", SHOUTS))


def test_two_labels_are_refused_by_the_config_alone(bench: Path, tmp_path: Path) -> None:
    model = head(tmp_path / "head", TAKES_ALL, labels=2)
    with pytest.raises(ConfigError, match=r"num_labels 1 is needed; its num_labels is 2"):
        plan(bench, model)
    # A meta RM too: vLLM is not asked.
    from grmeval.engines.settings import ModelSettings
    from grmeval.engines.vllm_scorer import VllmScorer

    with pytest.raises(ConfigError, match=r"num_labels 1 is needed; its num_labels is 2"):
        VllmScorer(ModelSettings(str(model)))
    overrides = {"hf_overrides": {"num_labels": 1}}
    assert plan(bench, model, engine_args=overrides).config.engine_args == overrides


def test_a_model_whose_tokenizer_cannot_be_read_is_left_to_whoever_loads_it(
    bench: Path, tmp_path: Path
) -> None:
    model = head(tmp_path / "head", NO_SYSTEM)
    for name in ("config.json", "tokenizer.json"):
        (model / name).unlink()
        (model / name).write_text("{}")
    assert len(plan(bench, model).items()) == 12


def test_a_prompt_that_cannot_be_counted_names_its_item(tmp_path: Path) -> None:
    settings = {"bench": "sample", "engine": "fake", "k": 1, "results": tmp_path}
    asked = prepare(configure(settings))

    def refuses(messages: tuple[Message, ...]) -> int:
        raise ConfigError("no")

    with pytest.raises(ConfigError, match=r"^[\w-]+/\S+: no$"):
        estimate(asked, asked.missing(set()), 0, refuses)
