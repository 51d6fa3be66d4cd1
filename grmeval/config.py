"""One frozen configuration of a run; every field declares what it is, and its text is the CLI's help.

identity    changes what a sample means: enters the run-id
execution   how fast, where, how many: the same run-id
scoring     how stored samples become numbers: a re-read, never a new sample
"""

import re
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from grmeval import resources
from grmeval.errors import ConfigError, nearest
from grmeval.secret_keys import refuse_secrets, without_user

__all__ = ["RunConfig", "Shard", "build", "processes", "roles"]

ROLES = ("identity", "execution", "scoring")


def _field(role: str, text: str, default: Any = None, **limits: Any) -> Any:
    return Field(default, description=text, json_schema_extra={"role": role}, **limits)


class Shard(BaseModel):
    """Part `index` (1-based) of `count` parts of the items."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    index: int = Field(ge=1)
    count: int = Field(ge=1)

    @model_validator(mode="after")
    def _inside(self) -> "Shard":
        if self.index > self.count:
            raise ValueError(f"shard {self.index} of {self.count}")
        return self

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read `i/n`."""
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        index, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= index <= count:
            raise ConfigError(f"--shard {text!r}: expected i/n with 1 <= i <= n, such as 2/8")
        return cls(index=index, count=count)

    def __str__(self) -> str:
        return f"{self.index}-of-{self.count}"


class RunConfig(BaseModel):
    """What one run of one benchmark was asked to do."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    # what is judged
    bench: str = _field("identity", "Benchmark: an id, or a file of yours.", "sample")
    data: Path | None = _field(
        "identity", "Local copy of the benchmark: a folder, or its archive (.tar.xz, .tar, .zip)."
    )
    layout: Literal["list", "pairs", "single"] = _field(
        "identity",
        "Responses of an item: list (all in one prompt), pairs (best against each other one), "
        "single (each by itself, totals compared).",
        "list",
    )
    # who judges, with which words
    judge: Literal[
        "pointwise",
        "pointwise-plain",
        "pointwise-principles",
        "pointwise-reference",
        "index",
        "index-prob",
        "scalar",
        "scalar-pair",
        "critique-scalar",
    ] = _field("identity", "Judge, how a model is asked; `grmeval judges` lists them.", "pointwise")
    principles: Path | None = _field(
        "identity",
        "Principles for the judge pointwise-principles: JSON lines with subset, id and principles, or "
        "a text for all items.",
    )
    critiques: Path | None = _field(
        "identity",
        "Run whose judgements the judge critique-scalar reads: a folder, a run-id or its first 4 "
        "characters, its name, or `latest`.",
    )
    template: Path | None = _field(
        "identity", "Jinja file with another prompt text, or the name of a packaged one (smol)."
    )
    system: str | None = _field("identity", "System message put before the prompt.")
    chat_template_kwargs: dict[str, Any] = _field(
        "identity", "JSON object handed to the model's chat template.", {}
    )
    structured: bool = _field(
        "identity", "Constrain decoding to the output format (principles, analysis, scores).", False
    )
    stop_at_score: bool = _field(
        "identity",
        "End a judgement behind its first complete score line: what would follow is neither paid nor read.",
        False,
    )
    # the model
    engine: Literal["vllm", "ray", "server", "batch", "fake"] = _field(
        "identity",
        "Engine that answers: vllm, ray (vLLM in replicas on a Ray cluster: the same run), server "
        "(--base-url), batch (nobody here: answers come in files) or fake.",
        "vllm",
    )
    model_tag: str | None = _field(
        "identity",
        "What a served model is, in your words: the run's name holds it in place of what the server says.",
        min_length=1,
        max_length=200,
    )
    model: str | None = _field("identity", "Model: a preset, a folder, or a hub id.")
    revision: str | None = _field("identity", "Branch, tag or commit of a hub model.")
    lora: Path | None = _field("identity", "Folder of a LoRA adapter for the model.")
    trust_remote_code: bool = _field(
        "identity", "Run Python code that the model brings along. Only for models you trust.", False
    )
    dtype: Literal["auto", "half", "float16", "bfloat16", "float", "float32"] = _field(
        "identity", "Number format of the weights: auto, bfloat16, float16, float32.", "auto"
    )
    max_model_len: int | None = _field(
        "identity", "Context in tokens; by default the model's own, up to 16,384.", ge=16
    )
    engine_args: dict[str, Any] = _field(
        "identity", "Engine setting as key=value (speed-only keys keep the run-id).", {}
    )
    # sampling
    temperature: float = _field("identity", "Sampling temperature; 0 is greedy.", 0.5, ge=0, le=10)
    top_p: float = _field("identity", "Nucleus sampling mass.", 1.0, gt=0, le=1)
    max_tokens: int = _field("identity", "Token limit of one judgement.", 1024, ge=1)
    orders: Literal["balanced", "random"] = _field(
        "identity",
        "Response orders: balanced (rotations of a seeded order) or random (a fresh one each).",
        "balanced",
    )
    seed: int = _field("identity", "Seed of response orders and engine.", 0, ge=0, lt=2**63)
    limit_seed: int = _field(
        "identity",
        "Seed of the order that --limit takes the first N of: the same items, whatever --seed is.",
        0,
        ge=0,
        lt=2**63,
    )
    # how much, where, how fast
    k: int = _field("execution", "Samples an item.", 8, ge=1, le=100_000)
    adaptive: bool = _field(
        "execution",
        "Stop an item when its verdict will not change any more; --k is then the most.",
        False,
    )
    k_min: int = _field(
        "execution", "Samples of every item under --adaptive, at least.", 2, ge=1, le=100_000
    )
    epsilon: float = _field(
        "execution",
        "Chance of a changed verdict at which --adaptive stops an item; 0: where none can change.",
        0.02,
        ge=0,
        lt=0.5,
    )
    limit: int | None = _field(
        "execution", "Only the first N items of a stratified order.", ge=1, le=2**31 - 1
    )
    subset: tuple[str, ...] | None = _field(
        "execution",
        "Only the items of this subset, a name or a pattern such as 'math/*'; those of --section are added, "
        "and --limit takes the first N of all these.",
        min_length=1,
    )
    section: tuple[str, ...] | None = _field(
        "execution", "Only the items of this section.", min_length=1
    )
    shard: Shard | None = _field("execution", "Part i/n of the items, for n machines at once.")
    results: Path = _field("execution", "Folder of run folders.", Path("results"))
    tensor_parallel: int = _field("execution", "GPUs that share one copy of the model.", 1, ge=1)
    base_url: tuple[str, ...] | None = _field(
        "execution",
        "Address of a server with the chat API of OpenAI, such as http://localhost:8000/v1.",
        min_length=1,
    )
    concurrency: int | None = _field(
        "execution",
        "Samples in flight at each server; by default as many as it keeps up with.",
        ge=1,
        le=100_000,
    )
    allow_identical: bool = _field(
        "execution", "Go on where a server gives the same text again.", False
    )
    keep_logprob: bool = _field(
        "execution",
        "Keep the mean log-probability of each judgement's tokens, for --meta-model logprob.",
        False,
    )
    data_parallel: int | Literal["auto"] = _field(
        "execution",
        "Copies of the model, each in a process with its own GPUs (without a GPU: its own cores), that share "
        "the items; auto: as many as the GPUs hold.",
        1,
    )
    replicas: int | None = _field(
        "execution",
        "Copies of the model on a Ray cluster, which share the items; with --engine ray, or fake to try it. "
        "[default: 1 with --engine ray]",
        ge=1,
        le=4096,
    )
    ray_address: str | None = _field(
        "execution",
        "HOST:PORT of the Ray cluster's head, auto or local. [default: RAY_ADDRESS, else local: one that is "
        "started on this machine]",
    )
    # meta rewards, which lie beside the samples
    meta_model: str | None = _field(
        "scoring",
        "Meta RM that scores the judgements: a preset, a folder, or a hub id; logprob: no model, but each "
        "judgement's own log-probability (--keep-logprob).",
    )
    meta_template: Path | None = _field(
        "scoring", "Jinja file with another prompt for the meta RM."
    )
    meta_engine_args: dict[str, Any] = _field(
        "scoring", "Engine setting of the meta RM as key=value.", {}
    )
    k_meta: int | None = _field(
        "scoring",
        "Samples that the vote meta keeps, at most k.",
        ge=1,
    )
    # scoring
    vote: tuple[str, ...] | None = _field(
        "scoring",
        "Vote: sum, mean, median, majority, borda, max, token-prob, meta[:MODEL] or "
        "meta-weighted[:MODEL].",
        min_length=1,
    )
    protocol: Literal["official", "paper"] = _field(
        "scoring",
        "Rules for ties and unreadable items: official (the benchmark's own) or paper (shared).",
        "official",
    )
    ties: Literal["official", "wrong", "share", "half", "random"] | None = _field(
        "scoring", "Ties: official, wrong, share, half or random."
    )
    on_invalid: Literal["official", "wrong", "share", "half", "drop"] | None = _field(
        "scoring",
        "Items without a readable judgement: official, wrong, share, half or drop.",
    )

    prices: Path | None = _field(
        "scoring", "TOML with what each model costs, by the token or by the GPU-hour."
    )

    @field_validator(
        "data", "principles", "critiques", "template", "lora", "results", "meta_template", "prices"
    )
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()

    @field_validator("template", mode="before")
    @classmethod
    def _packaged(cls, given: Any) -> Any:
        return resources.template(Path(given)) if isinstance(given, str | Path) else given

    @field_validator("data_parallel", mode="before")
    @classmethod
    def _processes(cls, value: Any) -> Any:
        return processes(value)

    @model_validator(mode="before")
    @classmethod
    def _without_secrets(cls, values: Any) -> Any:
        for name in ("engine_args", "chat_template_kwargs", "meta_engine_args"):
            refuse_secrets(f"{name}.", values.get(name))
        for name, value in values.items():
            if name == "base_url":
                refuse_secrets("--base-url ", value)
            if isinstance(value, str | Path) and without_user(str(value)) != str(value):
                refuse_secrets(f"{name} ", str(value))
        return values

    @property
    def greedy(self) -> bool:
        """Temperature 0: the same prompt gives the same judgement."""
        return self.temperature == 0

    def identity(self) -> dict[str, Any]:
        """The identity fields, as JSON values; `grmeval.runs.plan` replaces names by content."""
        return self._role("identity")

    def execution(self) -> dict[str, Any]:
        """The execution fields, as JSON values."""
        return self._role("execution")

    def _role(self, role: str) -> dict[str, Any]:
        return self.model_dump(mode="json", include={n for n, r in roles().items() if r == role})


def processes(value: Any) -> Any:
    """A number of processes, of at least 1, or `auto`; ValueError: neither."""
    if value == "auto" or (type(value) is int and value >= 1):
        return value
    if type(value) is str and re.fullmatch(r"[1-9]\d{0,5}", value):
        return int(value)
    raise ValueError("expected a number of processes, at least 1, or auto")


def roles() -> dict[str, str]:
    """Field name -> identity, execution or scoring."""
    found = {}
    for name, info in RunConfig.model_fields.items():
        extra = info.json_schema_extra
        role = extra.get("role") if isinstance(extra, dict) else None
        if role not in ROLES:
            raise TypeError(f"RunConfig.{name} does not declare a role: one of {ROLES}")
        found[name] = str(role)
    return found


def build(values: dict[str, Any]) -> RunConfig:
    """Make a RunConfig; ConfigError names the flag, what was given and what is allowed."""
    try:
        return RunConfig(**values)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(problem) for problem in error.errors())) from None


def _explain(problem: Any) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "configuration"
    if problem["type"] == "extra_forbidden":
        return f"unknown setting {name!r}; {nearest(name, sorted(RunConfig.model_fields))}"
    flag, given = f"--{name.replace('_', '-')}", problem["input"]
    if problem["type"] == "literal_error":
        allowed = get_args(RunConfig.model_fields[name].annotation)
        words = [w for part in allowed for w in (get_args(part) or (part,)) if isinstance(w, str)]
        return f"{flag} {given!r}: {nearest(str(given), words)}"
    message = problem["msg"].removeprefix("Value error, ")
    said = f"{flag}: {message[0].lower()}{message[1:]}"
    # A table, and what stands where one is expected, may hold a secret.
    table = RunConfig.model_fields[name].annotation == dict[str, Any]
    return f"{said} (given: {type(given).__name__ if table else repr(given)[:200]})"
