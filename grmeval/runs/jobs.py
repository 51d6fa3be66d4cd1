"""A suite's runs as jobs: what can be done here, under which settings, in which folder, at what cost."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grmeval.benches import Loaded, at_hand, expand, find_spec, load
from grmeval.config import RunConfig
from grmeval.engines.models import ModelRef
from grmeval.errors import GrmevalError, InfrastructureError
from grmeval.items import Message
from grmeval.runs.configure import configure
from grmeval.runs.meta_plan import meta_of
from grmeval.runs.plan import Plan, prepare
from grmeval.runs.sample import estimate
from grmeval.runs.store import RunFolder
from grmeval.runs.suite import Estimates, Suite, SuiteRun

__all__ = ["Choices", "Job", "Planner", "Work", "commands"]

MEASURED_FROM = 16
"""Samples that a run needs for its own speed to be believed."""


@dataclass(frozen=True)
class Choices:
    """What the user says of a suite: a model for each role, settings of every run, the most samples."""

    models: Mapping[str, str]
    settings: Mapping[str, Any]
    data: Mapping[str, Path]
    k: int | None = None


@dataclass(frozen=True)
class Work:
    """What is still to be asked: judgements of `items` items, their tokens, and seconds of one GPU.

    `prompt_tokens` (a meta RM's too) None: the rows are not here to be counted. `measured`: by this run's
    own launches, else assumed.
    """

    items: int
    samples: int
    prompt_tokens: int | None
    tokens: int
    seconds: float
    measured: bool


@dataclass(frozen=True)
class Job:
    """One benchmark of one run.

    `lacks`: why it cannot be done; `meta_lacks`: why it has no meta rewards, `meta` their name.
    `waits`: its critiques are not there yet. `path` and `work` None: not known.
    """

    run: str
    bench: str
    settings: Mapping[str, Any]
    k: int
    lacks: str | None = None
    waits: bool = False
    path: Path | None = None
    meta: str | None = None
    meta_lacks: str | None = None
    work: Work | None = None


@dataclass
class Planner:
    """Makes the jobs of a suite's runs, one run after the other; `jobs` holds the latest of each.

    `fetch`: rows and commits may be asked of the hub; else only what is here is looked at.
    """

    suite: Suite
    choices: Choices
    fetch: bool
    jobs: dict[tuple[str, str], Job] = field(default_factory=dict)
    _rows: dict[tuple[str, str], Loaded | GrmevalError | None] = field(default_factory=dict)

    @property
    def _fake(self) -> bool:
        return self.choices.settings.get("engine") == "fake"

    def plan(self, name: str) -> list[Job]:
        """The jobs of a run, one a benchmark; the run whose critiques it reads was planned before."""
        run = self.suite.runs[name]
        found = [self._job(name, run, bench) for bench in expand(run.bench)]
        self.jobs |= {(name, job.bench): job for job in found}
        return found

    def due(self, name: str) -> list[Job]:
        """The jobs of a run when its turn comes: critiques that they waited for are there by then."""
        read = self.suite.runs[name].critiques
        if read is None:
            return [job for job in self.jobs.values() if job.run == name]
        self.plan(read)
        return self.plan(name)

    def _job(self, name: str, run: SuiteRun, bench: str) -> Job:
        settings = self._settings(run, bench)
        job = Job(name, bench, settings, settings.get("k", 1))
        if lacks := self._no_model(run.model) or self._no_critiques(run, bench):
            return replace(job, lacks=lacks)
        try:
            loaded = self._load(bench, settings.get("layout", "list"))
            k = configure(settings).k
            if self.choices.k and self.choices.k < k:
                settings["k"] = k = self.choices.k
            job = self._with_meta(replace(job, k=k), run)
            if run.critiques and self._still_missing(run.critiques, bench):
                return replace(job, waits=True)
            return self._with_work(job, loaded)
        except GrmevalError as error:
            return replace(job, lacks=str(error))

    def _settings(self, run: SuiteRun, bench: str) -> dict[str, Any]:
        """What `grmeval run` is told: the suite's word wins over what holds for every run."""
        settings = dict(self.choices.settings) | run.settings | {"bench": bench}
        if not self._fake:
            settings["model"] = self._model_of(run.model)
        if data := self.choices.data.get(bench):
            settings["data"] = data
        if run.critiques and (made := self.jobs[run.critiques, bench].path):
            settings["critiques"] = str(made)
        return settings

    def _model_of(self, role: str) -> str | None:
        return self.choices.models.get(role) or self.suite.models[role].default

    def _no_model(self, role: str) -> str | None:
        if self._fake or self._model_of(role):
            return None
        return f"no model: --model {role}=NAME names {self.suite.models[role].title}"

    def _no_critiques(self, run: SuiteRun, bench: str) -> str | None:
        return self.jobs[run.critiques, bench].lacks if run.critiques else None

    def _still_missing(self, name: str, bench: str) -> bool:
        work = self.jobs[name, bench].work
        return work is None or work.samples > 0

    def _load(self, bench: str, layout: str) -> Loaded | None:
        """The rows; None: they are not here, and are not to be fetched now."""
        if (bench, layout) not in self._rows:
            data = self.choices.data.get(bench)
            try:
                here = self.fetch or data or at_hand(*find_spec(bench))
                self._rows[bench, layout] = load(bench, data, layout) if here else None
            except GrmevalError as error:
                self._rows[bench, layout] = type(error)(f"no rows: {error}")
        found = self._rows[bench, layout]
        if isinstance(found, GrmevalError):
            raise found
        return found

    def _with_meta(self, job: Job, run: SuiteRun) -> Job:
        """The rewards of its meta RM are asked for where there is one."""
        if run.meta is None:
            return job
        name = self._model_of(run.meta) or ("fake" if self._fake else None)
        if name is None:
            return replace(job, meta_lacks=self._no_model(run.meta))
        settings = {**job.settings, "meta_model": name}
        try:
            meta = meta_of(configure(settings))
        except InfrastructureError as error:
            if self.fetch:
                return replace(job, meta_lacks=str(error))
            return replace(job, settings=settings, meta=name)
        except GrmevalError as error:
            return replace(job, meta_lacks=str(error))
        return replace(job, settings=settings, meta=meta.name if meta else None)

    def _with_work(self, job: Job, loaded: Loaded | None) -> Job:
        config, model = configure(job.settings), None
        assumed = self.suite.estimate
        if loaded is None:
            return replace(job, work=_unseen(config, assumed))
        try:
            plan = prepare(config, loaded)
        except InfrastructureError:
            if self.fetch:
                raise
            model = ModelRef("", None, "not-looked-up", "")
            plan = prepare(config, loaded, model)
        path = None if model else plan.path
        return replace(job, path=path, work=_work(plan, path, bool(job.meta), assumed))


def _unseen(config: RunConfig, assumed: Estimates) -> Work:
    """The rows are not here: as many as the benchmark says there are, in its own layout."""
    spec, _ = find_spec(config.bench)
    items = min(sum(spec.expected.values()), config.limit or 2**31)
    samples = items * config.k
    tokens = _generated(config, samples, assumed)
    return Work(items, samples, None, tokens, tokens / assumed.generated_per_second, False)


def _work(plan: Plan, path: Path | None, meta: bool, assumed: Estimates) -> Work:
    folder = RunFolder(path) if path and (path / "run.json").exists() else None
    missing = plan.missing(folder.done() if folder else ())
    if not missing:
        return Work(0, 0, 0, 0, 0.0, folder is not None)
    found = estimate(plan, missing, 0, _about)
    launches = folder.record["launches"] if folder else []
    made = sum(launch.get("samples", 0) for launch in launches)
    if made >= MEASURED_FROM and not meta:
        share = found.samples / made
        tokens, seconds = (
            sum(launch.get(name, 0) for launch in launches) * share
            for name in ("tokens", "sample_seconds")
        )
        return Work(found.items, found.samples, found.prompt_tokens, round(tokens), seconds, True)
    tokens = _generated(plan.config, found.samples, assumed)
    prompts = found.prompt_tokens
    if meta:  # reads each prompt again, with one judgement
        prompts += round(found.prompt_tokens * found.samples / found.prompts) + tokens
    seconds = tokens / assumed.generated_per_second + prompts / assumed.prompt_per_second
    return Work(found.items, found.samples, prompts, tokens, seconds, False)


def _generated(config: RunConfig, samples: int, assumed: Estimates) -> int:
    from grmeval.judges import JUDGES

    if JUDGES[config.judge].head:
        return 0
    return round(samples * min(assumed.generated, config.max_tokens))


def _about(messages: tuple[Message, ...]) -> int:
    """Tokens of a chat without a tokenizer: a quarter of its characters."""
    return sum(len(message.content) for message in messages) // 4


def commands(jobs: Sequence[Job]) -> Iterator[tuple[list[Job], list[str]]]:
    """(jobs, the words of the `grmeval` command that does them): those of one run in one, so that its
    model is loaded once; those that read critiques by themselves."""
    together: dict[str, list[Job]] = {}
    for job in jobs:
        if job.lacks is None:
            alone = job.bench if "critiques" in job.settings or job.waits else ""
            together.setdefault(alone, []).append(job)
    for mine in together.values():
        yield mine, ["run", *_words(mine)]


def _words(jobs: Sequence[Job]) -> Iterator[str]:
    for job in jobs:
        yield from ("--bench", job.bench)
    for job in jobs:
        if data := job.settings.get("data"):
            yield from ("--data", f"{job.bench}={data}")
    for name, value in jobs[0].settings.items():
        flag = f"--{name.replace('_', '-')}"
        if name in ("bench", "data") or value is None:
            continue
        if isinstance(value, bool):
            yield flag if value else flag.replace("--", "--no-", 1)
        elif name.endswith("engine_args"):
            for key, setting in value.items():
                yield from (flag.removesuffix("s"), f"{key}={json.dumps(setting)}")
        elif isinstance(value, dict):
            yield from (flag, json.dumps(value))
        else:
            yield from (flag, f"{value:g}" if isinstance(value, float) else str(value))
