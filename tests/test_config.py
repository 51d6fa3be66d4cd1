"""The configuration: every field has a role, limits name their flag, the run-id follows identity."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import grmeval.config
from grmeval import resources
from grmeval.config import ROLES, RunConfig, Shard, build, roles
from grmeval.errors import ConfigError
from grmeval.runs import OF_A_SERVER, configure, prepare
from grmeval.store import run_id
from tests.helpers import sampled

# ---------------------------------------------------------------------- roles and limits


def test_every_field_declares_a_role_and_a_help_text() -> None:
    assert set(roles()) == set(RunConfig.model_fields)
    assert set(roles().values()) == set(ROLES)
    assert [n for n, info in RunConfig.model_fields.items() if not info.description] == []


def test_an_undeclared_field_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(BaseModel):
        fresh: int = 0

    monkeypatch.setattr(grmeval.config, "RunConfig", Careless)
    with pytest.raises(TypeError, match=r"RunConfig\.fresh does not declare a role"):
        roles()


def test_the_configuration_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        build({}).k = 9


@pytest.mark.parametrize(
    ("key", "meant"), [("temprature", "temperature"), ("max_token", "max_tokens"), ("K", None)]
)
def test_an_unknown_key_is_refused_with_the_nearest_name(key: str, meant: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        build({key: 1})
    assert f"unknown setting {key!r}" in str(caught.value)
    assert meant is None or f"did you mean {meant!r}?" in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_model_len", 15),
        ("temperature", -0.1),
        ("temperature", 10.5),
        ("temperature", "hot"),
        ("temperature", float("nan")),
        ("top_p", 0),
        ("top_p", 1.01),
        ("max_tokens", 0),
        ("seed", -1),
        ("seed", 2**63),
        ("k", 0),
        ("k", 100_001),
        ("k", 1.5),
        ("limit", 0),
        ("tensor_parallel", 0),
        ("data_parallel", 0),
        ("data_parallel", "all"),
        ("data_parallel", True),
        ("chat_template_kwargs", [1]),
        ("engine_args", "a=b"),
        ("structured", "perhaps"),
        ("vote", "sum"),
        ("shard", {"index": 0, "count": 1}),
    ],
)
def test_a_value_out_of_bounds_names_its_flag(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^--{field.replace('_', '-')}: .*given: "):
        build({field: value})


@pytest.mark.parametrize(
    ("field", "word", "meant"),
    [
        ("layout", "pair", "pairs"),
        ("judge", "pointwize", "pointwise"),
        ("engine", "vlm", "vllm"),
        ("orders", "balance", "balanced"),
        ("ties", "shar", "share"),
        ("on_invalid", "dropp", "drop"),
        ("protocol", "papers", "paper"),
        ("dtype", "bfloat", "float"),
    ],
)
def test_an_unknown_word_gets_the_nearest(field: str, word: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build({field: word})
    said = str(caught.value)
    assert said.startswith(f"--{field.replace('_', '-')} {word!r}: allowed: ")
    assert said.endswith(f"did you mean {meant!r}?")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("max_model_len", [16]),
        ("temperature", [0, 10]),
        ("top_p", [1e-9, 1]),
        ("seed", [0, 2**63 - 1]),
        ("k", [1, 100_000]),
        ("limit", [1]),
    ],
)
def test_the_bounds_themselves_are_allowed(field: str, values: list[Any]) -> None:
    assert [getattr(build({field: value}), field) for value in values] == values


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        build({"k": 0, "top_p": 2, "colour": "red"})
    assert [
        line.split(":")[0].split(";")[0] for line in sorted(str(caught.value).splitlines())
    ] == [
        "--k",
        "--top-p",
        "unknown setting 'colour'",
    ]


@pytest.mark.parametrize(("text", "pair"), [("1/1", (1, 1)), ("2/8", (2, 8)), ("08/8", (8, 8))])
def test_a_shard_is_read(text: str, pair: tuple[int, int]) -> None:
    shard = Shard.parse(text)
    assert (shard.index, shard.count) == pair
    assert str(shard) == f"{pair[0]}-of-{pair[1]}"


@pytest.mark.parametrize(
    "text",
    ["", "/", "1", "1/", "/2", "0/2", "3/2", "-1/2", "1/0", "a/b", "1/2/3", "1.0/2", " 1/2", "²/3"],
)
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--shard .*expected i/n"):
        Shard.parse(text)


# ---------------------------------------------------------------------- the run-id


def identified(**changes: Any) -> str:
    return run_id(prepare(configure({"engine": "fake", **changes})).identity)


def neutral_rows(folder: Path, answer: str = "4") -> Path:
    row = {"id": "1", "subset": "arithmetic-pairs", "conversation": "2 + 2?", "quality": [1, 0]}
    path = folder / "rows.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row | {"responses": [answer, "5"]}), "utf-8")
    return path


def rmb_rows(folder: Path) -> Path:
    row = {
        "pair_uid": "1",
        "conversation_input": [{"role": "user", "content": "2 + 2?"}],
        "chosen": {"answer": "4"},
        "reject": {"answer": "5"},
    }
    path = folder / "RMB_dataset" / "Pairwise_set" / "Harmlessness" / "S1.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps([row]), "utf-8")
    return folder


def model_folder(folder: Path, weights: bytes = b"weights") -> str:
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "chat_template.jinja"):
        (folder / name).write_text("{}", "utf-8")
    (folder / "model.safetensors").write_bytes(weights)
    return str(folder)


def template(folder: Path, text: str = "{{ responses }}") -> Path:
    path = folder / "own.jinja"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def nothing_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRMEVAL_CACHE", str(tmp_path / "cache"))


SERVED = {"engine": "server", "base_url": ("http://one/v1",), "model_tag": "mine"}

SAME: dict[str, Any] = {
    "k": 32,
    "adaptive": True,
    "k_min": 4,
    "epsilon": 0.05,
    "limit": 3,
    "subset": ("facts-pairs",),
    "section": ("Code",),
    "shard": Shard(index=1, count=2),
    "results": Path("elsewhere"),
    "tensor_parallel": 2,
    "base_url": ("http://two/v1", "http://three/v1"),
    "concurrency": 8,
    "allow_identical": True,
    "keep_logprob": True,
    "data_parallel": 2,
    "replicas": 2,
    "ray_address": "10.0.0.1:6379",
    "meta_model": "some-meta-rm",
    "meta_template": Path("meta.jinja"),
    "meta_engine_args": {"auc": 0.9},
    "k_meta": 4,
    "vote": ("mean", "majority"),
    "protocol": "paper",
    "ties": "share",
    "on_invalid": "drop",
    "prices": Path("prices.toml"),
}


def test_the_table_of_harmless_fields_is_whole() -> None:
    assert set(SAME) == {name for name, role in roles().items() if role != "identity"}


@pytest.mark.parametrize("field", SAME)
def test_execution_and_scoring_keep_the_run_id(field: str) -> None:
    given = SERVED if field in OF_A_SERVER else {}
    assert getattr(build(given), field) != SAME[field]
    assert identified(**given | {field: SAME[field]}) == identified(**given)


CHANGED: dict[str, Callable[[Path], dict[str, Any]]] = {
    "bench": lambda tmp: {"bench": "rmb", "data": rmb_rows(tmp)},
    "data": lambda tmp: {"data": neutral_rows(tmp)},
    "layout": lambda tmp: {"layout": "pairs"},
    "judge": lambda tmp: {"judge": "pointwise-plain"},
    "principles": lambda tmp: {
        "judge": "pointwise-principles",
        "principles": template(tmp, "Be exact (100 %)."),
    },
    "critiques": lambda tmp: {
        "judge": "critique-scalar",
        "critiques": sampled(tmp, k=8, limit=1).path,
        "limit": 1,
    },
    "template": lambda tmp: {"template": template(tmp)},
    "system": lambda tmp: {"system": "Be strict."},
    "chat_template_kwargs": lambda tmp: {"chat_template_kwargs": {"enable_thinking": False}},
    "structured": lambda tmp: {"structured": True},
    "stop_at_score": lambda tmp: {"stop_at_score": True},
    "trust_remote_code": lambda tmp: {"trust_remote_code": True},
    "engine": lambda tmp: {"engine": "vllm", "model": model_folder(tmp / "m")},
    "dtype": lambda tmp: {"dtype": "bfloat16"},
    "max_model_len": lambda tmp: {"max_model_len": 4096},
    "engine_args": lambda tmp: {"engine_args": {"accuracy": 0.9}},
    "temperature": lambda tmp: {"temperature": 1.0},
    "top_p": lambda tmp: {"top_p": 0.9},
    "max_tokens": lambda tmp: {"max_tokens": 512},
    "orders": lambda tmp: {"orders": "random"},
    "seed": lambda tmp: {"seed": 1},
    "limit_seed": lambda tmp: {"limit_seed": 1},
}
# These mean nothing to the fake engine: see below.
OTHERWISE = {"model", "revision", "lora", "model_tag"}


def test_the_table_of_identity_fields_is_whole() -> None:
    identity = {name for name, role in roles().items() if role == "identity"}
    assert set(CHANGED) | OTHERWISE == identity


@pytest.mark.parametrize("field", CHANGED)
def test_identity_changes_the_run_id(
    field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_shared(tmp_path, monkeypatch)
    assert identified(**CHANGED[field](tmp_path)) != identified()


def test_a_tag_says_which_served_model_it_is() -> None:
    assert identified(**SERVED | {"model_tag": "theirs"}) != identified(**SERVED)
    assert identified(**SERVED | {"model": "another name"}) == identified(**SERVED)


def test_all_those_run_ids_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing_shared(tmp_path, monkeypatch)
    ids = {
        identified(**change(tmp_path / field))
        for field, change in CHANGED.items()
        if field != "engine"
    }
    assert len(ids) == len(CHANGED) - 1


def test_the_run_id_is_of_contents_not_of_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_shared(tmp_path, monkeypatch)
    packaged = resources.tasks() / "sample.jsonl"
    shutil.copy(packaged, tmp_path / "copy.jsonl")
    assert identified(data=tmp_path / "copy.jsonl") == identified()
    shutil.copy(resources.tasks() / "templates" / "pointwise.jinja", tmp_path / "copy.jinja")
    assert identified(template=tmp_path / "copy.jinja") == identified()
    one, other, heavier = (
        identified(engine="vllm", model=model_folder(tmp_path / name, weights))
        for name, weights in [("one", b"w"), ("other", b"w"), ("heavier", b"W")]
    )
    assert one == other != heavier


def test_an_adapter_is_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing_shared(tmp_path, monkeypatch)
    model = {"engine": "vllm", "model": model_folder(tmp_path / "m")}
    adapters = []
    for name, weights in (("one", b"w"), ("other", b"w"), ("heavier", b"W")):
        adapters.append(tmp_path / name)
        adapters[-1].mkdir()
        (adapters[-1] / "adapter_config.json").write_text('{"r": 8}', "utf-8")
        (adapters[-1] / "adapter_model.safetensors").write_bytes(weights)
    plain = identified(**model)
    one, other, heavier = (identified(**model, lora=adapter) for adapter in adapters)
    assert one == other
    assert len({plain, one, heavier}) == 3
    (adapters[0] / "adapter_config.json").unlink()
    with pytest.raises(ConfigError, match=r"--lora .*one: not an adapter folder"):
        identified(**model, lora=adapters[0])


def test_principles_are_identity_by_what_the_file_holds(tmp_path: Path) -> None:
    texts = {"one": "Be exact.", "other": "Be exact.", "third": "Be kind."}
    one, other, third = (
        identified(judge="pointwise-principles", principles=template(tmp_path / name, text))
        for name, text in texts.items()
    )
    assert one == other != third


def test_the_run_ids_of_the_first_judge_stay_what_they_were(tmp_path: Path) -> None:
    # Computed before there was another judge.
    assert identified(data=neutral_rows(tmp_path)) == "3c0cea971d6a"
    more = {"structured": True, "orders": "random", "engine_args": {"accuracy": 0.9}}
    assert identified(data=neutral_rows(tmp_path), **more) == "050242f22243"


def test_what_is_not_set_is_not_in_the_identity() -> None:
    identity = prepare(configure({"engine": "fake"})).identity
    assert {"system", "structured", "stop_at_score", "trust_remote_code", "engine_args"}.isdisjoint(
        identity
    )
    assert (identity["seed"], identity["orders"]) == (0, "balanced")


def test_one_changed_word_in_the_data_is_another_run(tmp_path: Path) -> None:
    ids = [identified(data=neutral_rows(tmp_path, answer)) for answer in ("4", "four")]
    assert ids[0] != ids[1]


def test_a_commit_of_a_hub_model_is_identity() -> None:
    hub = {"engine": "vllm", "model": "owner/name"}
    ids = {
        identified(**hub, revision="a" * 40),
        identified(**hub, revision="b" * 40),
        identified(engine="vllm", model="owner/other", revision="a" * 40),
    }
    assert len(ids) == 3


@pytest.mark.parametrize(
    "arguments", [{"latency": 0.5}, {"window": 4}, {"die_after": 9}, {"window": 1, "latency": 1}]
)
def test_settings_of_speed_alone_keep_the_run_id(arguments: dict[str, Any]) -> None:
    assert identified(engine_args=arguments) == identified()
    with_truth = identified(engine_args={"accuracy": 0.9})
    assert identified(engine_args={"accuracy": 0.9, **arguments}) == with_truth


def test_a_setting_at_its_default_is_no_setting() -> None:
    assert identified(engine_args={"accuracy": 0.7, "ties": 0.3}) == identified()


def test_vllm_has_its_own_settings_of_speed() -> None:
    hub = {"engine": "vllm", "model": "owner/name", "revision": "a" * 40}
    ids = [
        identified(**hub, engine_args=arguments)
        for arguments in ({}, {"gpu_memory_utilization": 0.5}, {"quantization": "fp8"})
    ]
    assert ids[0] == ids[1] != ids[2]


def test_run_id_does_not_depend_on_the_order_of_keys() -> None:
    assert run_id({"a": 1, "b": {"c": 2, "d": 3}}) == run_id({"b": {"d": 3, "c": 2}, "a": 1})
    assert run_id({"a": "\ud800\0"}) != run_id({"a": "\0"})


def test_the_preset_gives_way_to_what_was_asked() -> None:
    assert configure({"model": "demo"}).max_tokens == 256
    assert configure({"model": "demo", "max_tokens": 99}).max_tokens == 99
    assert configure({"model": "demo", "structured": False}).structured is False


@pytest.mark.parametrize(("given", "k"), [({}, 1), ({"k": 2}, 2)])
def test_greedy_means_one_sample_unless_told(given: dict[str, int], k: int) -> None:
    assert configure({"engine": "fake", "temperature": 0, **given}).k == k


def test_greedy_refuses_more_samples_than_there_are_prompts() -> None:
    prepare(configure({"engine": "fake", "temperature": 0, "k": 1}))
    with pytest.raises(
        ConfigError, match=r"--k 2 with --greedy: some items have 1 distinct prompts"
    ):
        prepare(configure({"engine": "fake", "temperature": 0, "k": 2}))


def test_a_vote_that_the_judge_does_not_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="--vote 'token-prob': judge pointwise allows sum"):
        prepare(configure({"engine": "fake", "vote": ("token-prob",)}))
