"""What is called as a secret is, anywhere in a setting, is refused before it is printed or stored."""

import json
from pathlib import Path
from typing import Any

import pytest

from grmeval.errors import ConfigError
from grmeval.runs import configure
from grmeval.secret_keys import refuse_secrets
from tests.helpers import grmeval

SECRET = "geheim-5b1c"
SECRETS: list[Any] = [
    *(
        {name: SECRET}
        for name in (
            *(
                "token",
                "hf_token",
                "HF_TOKEN",
                "hfToken",
                "HFToken",
                "api-key",
                "apikey",
                "api_keys",
                "apiKey",
            ),
            *(
                "a.password",
                "client_secret",
                "Authorization",
                "credentials",
                "aws_secret_access_key",
                "key2",
            ),
        )
    ),
    {"pin_key": 1234},
    {"a": {"b": [{"c": 1}, {"token": SECRET}]}},
    {"a": json.dumps({"b": {"token": SECRET}})},
    {"a": f"{{'token': '{SECRET}'"},
    {"a": f'[{{"b": "x", api_key: {SECRET}'},
    {"endpoint": f"https://me:{SECRET}@x.example/v1"},
    {"a": f"https://{SECRET}@x.example/v1"},
    {"a": {f"https://{SECRET}@x.example/v1": 1}},
    {"a": f'{{"b": "https://{SECRET}@x.example/v1"'},
    *(
        {name: SECRET}
        for name in ("pat", "githubPAT", "passwordHash", "client-secret-value", "apiKeyValue")
    ),
    *({name: SECRET} for name in ("my.credentials.file", "token_hash", "auth", "dbPwd")),
]
SETTINGS = [
    {"max_num_batched_tokens": 8192, "num_speculative_tokens": 5, "tokens": 3},
    {"hf_overrides": {"num_key_value_heads": 8, "eos_token_id": 2, "pad_token": "<pad>"}},
    {"max_tokens": "lots", "max_num_batched_tokens": "8k"},
    {"tokenizer_mode": "slow", "monkey": "x", "keyword": "y", "skip_tokenizer_init": True},
    {"kv_cache": "fp8", "kv_cache_dtype": "auto", "token_type": "x", "key_value": "y", "path": "p"},
    {"tokenizer": "t", "max_tokens": 9, "pattern": "a@b", "secretary": "x", "author": "me"},
    {"patch_size": 14, "compass": "n", "token_type_ids": [0], "mail": "mailto:me@x.example"},
    {"system": "the key: be kind", "url": "https://x.example:8000/v1"},
    {"a": '{"b": [1, 2]}', "b": "[x]"},
]


@pytest.mark.parametrize("values", SECRETS, ids=str)
def test_a_secret_is_refused_and_never_said(values: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        refuse_secrets("--engine-arg ", values)
    assert str(caught.value).startswith("--engine-arg ")
    assert "HF_TOKEN for the hub" in str(caught.value)
    assert SECRET not in str(caught.value)
    for table in ("engine_args", "meta_engine_args", "chat_template_kwargs"):
        with pytest.raises(ConfigError, match="looks like a secret"):
            configure({"engine": "fake", table: values})


@pytest.mark.parametrize("values", SETTINGS, ids=str)
def test_settings_of_models_pass(values: Any) -> None:
    refuse_secrets("--engine-arg ", values)


SUITE = f"""
title = "mine"
tables = []
[models.grm]
title = "a model"
[runs.one]
model = "grm"
bench = ["sample"]
settings = {{ engine_args = {{ a = {{ token = "{SECRET}" }} }} }}
[estimate]
generated = 1
generated_per_second = 1
prompt_per_second = 1
"""


def test_it_reaches_neither_disk_nor_screen(tmp_path: Path) -> None:
    nested = f'hf_overrides={{"a": [{{"token": "{SECRET}"}}]}}'
    (tmp_path / "suite.toml").write_text(SUITE)
    (tmp_path / "table.toml").write_text(f'[engine_args.a]\napi_key = "{SECRET}"\n')
    (tmp_path / "text.toml").write_text(f'engine_args = "token={SECRET}"\n')
    fake = ("run", "--engine", "fake", "--results", tmp_path / "results")
    mistaken = (
        (*fake, "--engine-arg", f"token:{SECRET}"),
        (*fake, "--engine-arg", f"={SECRET}"),
        (*fake, "--config", tmp_path / "text.toml"),
        (*fake, "--data", f"no=https://me:{SECRET}@x.example/m"),
    )
    for words in (
        *mistaken,
        (*fake, "--engine-arg", nested),
        (*fake, "--engine-arg", nested[:-2]),
        (*fake, "--meta-model", "m", "--meta-engine-arg", nested),
        (*fake, "--chat-template-kwargs", f'{{"token": "{SECRET}"}}'),
        (*fake, "--chat-template-kwargs", f'{{"token": "{SECRET}"'),
        (*fake, "--chat-template-kwargs", f'{{"a": "https://{SECRET}@x.example/x"'),
        ("run", "--model", f"https://{SECRET}@x.example/m", "--results", tmp_path / "results"),
        ("run", "--model", f"https://me:{SECRET}@x.example/m", "--results", tmp_path / "results"),
        (*fake, "--data", f"https://me:{SECRET}@x.example/m"),
        (*fake, "--config", tmp_path / "table.toml"),
        ("meta-score", "latest", "--meta-model", "m", "--engine-arg", nested),
        ("suite", tmp_path / "suite.toml", "--model", "demo", "--dry-run"),
        (
            "suite",
            "deepseek-grm",
            "--model",
            "demo",
            "--dry-run",
            "--set",
            f"engine_args={{{nested[13:]}}}",
        ),
    ):
        done = grmeval(*words, cwd=tmp_path)
        assert done.returncode == 2, (words, done.stderr)
        assert SECRET not in done.stdout + done.stderr, words
        assert done.stderr.startswith("error: ")
        assert ("looks like a secret" in done.stderr) is (words not in mistaken), words
    assert not (tmp_path / "results").exists()
