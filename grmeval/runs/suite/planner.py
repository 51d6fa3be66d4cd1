"""A suite's runs as jobs: what can be done here, under which settings, in which folder, at what cost."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grmeval.benches import Loaded, at_hand, expand, find_spec, load, on_hub
from grmeval.engines.models import UNSEEN
from grmeval.errors import DataError, GrmevalError, InfrastructureError, UsageError
from grmeval.runs.configuration import configure
from grmeval.runs.make_plan import prepare
from grmeval.runs.meta import meta_of
from grmeval.runs.suite.estimate import Work, unseen_work, work_of
from grmeval.runs.suite.file import Suite, SuiteRun

__all__ = ["Choices", "Job", "Planner", "commands"]


@dataclass(frozen=True)
class Choices:
    """What the user says of a suite: a model for each role, settings of every run, the most samples."""

    models: Mapping[str, str]
    settings: Mapping[str, Any]
    data: Mapping[str, Path]
    k: int | None = None


@dataclass(frozen=True)
class Job:
    """One benchmark of one run.

    `lacks`: why it cannot be done; `meta_lacks`: why it has no meta rewards, `meta` their name; `broken`: it
    could be, had the hub answered. `waits`: its critiques are not there yet. `path`, `work` None: not known.
    """

    run: str
    bench: str
    settings: Mapping[str, Any]
    k: int
    lacks: str | None = None
    broken: bool = False
    waits: bool = False
    path: Path | None = None
    meta: str | None = None
    meta_lacks: str | None = None
    work: Work | None = None


class _NoRows(GrmevalError):
    """A benchmark's rows are neither here nor to be had; `broken`: because nobody answered."""

    def __init__(self, said: str, broken: bool) -> None:
        super().__init__(said)
        self.broken = broken


@dataclass
class Planner:
    """Makes the jobs of a suite's runs, one run after the other; `jobs` holds the latest of each.

    `fetch`: rows and commits may be asked of the hub; else only what is here is looked at.
    """

    suite: Suite
    choices: Choices
    fetch: bool
    jobs: dict[tuple[str, str], Job] = field(default_factory=dict)
    _rows: dict[tuple[str, str], Loaded | _NoRows | None] = field(default_factory=dict)

    @property
    def _fake(self) -> bool:
        return self.choices.settings.get("engine") == "fake"

    def plan(self, name: str) -> list[Job]:
        """The jobs of a run, one a benchmark; the run whose critiques it reads was planned before.

        ConfigError, DataError: a mistake in what the suite or its user says.
        """
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
            if run.critiques and self._still_missing(run.critiques, bench):
                return replace(job, waits=True)
            k = configure(settings).k
            if self.choices.k and self.choices.k < k:
                settings["k"] = k = self.choices.k
            return self._with_work(self._with_meta(replace(job, k=k), run), loaded)
        except _NoRows as error:
            return replace(job, lacks=f"no rows: {error}", broken=error.broken)
        except InfrastructureError as error:
            return replace(job, lacks=str(error), broken=True)
        except UsageError as error:
            raise type(error)(f"{name} on {bench}: {error}") from None

    def _settings(self, run: SuiteRun, bench: str) -> dict[str, Any]:
        """What `grmeval run` is told: the suite's word wins over what holds for every run."""
        settings = dict(self.choices.settings) | run.settings | {"bench": bench}
        if not self._fake:
            settings["model"] = self._model_of(run.model)
        if data := self.choices.data.get(bench):
            settings["data"] = data
        if run.critiques:
            settings["critiques"] = str(
                self.jobs[run.critiques, bench].path or f"<{run.critiques}>"
            )
        if self.choices.k and settings.get("k", 0) > self.choices.k:
            settings["k"] = self.choices.k
        return settings

    def _model_of(self, role: str) -> str | None:
        """Defaults are for who names no model: they belong together."""
        named = self.choices.models
        return named.get(role) if named else self.suite.models[role].default

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
            self._rows[bench, layout] = self._looked_up(bench, layout)
        found = self._rows[bench, layout]
        if isinstance(found, _NoRows):
            raise found
        return found

    def _looked_up(self, bench: str, layout: str) -> "Loaded | _NoRows | None":
        here = at_hand(*find_spec(bench))
        if data := self.choices.data.get(bench):
            return load(bench, data, layout)
        if not here and not self.fetch and on_hub(find_spec(bench)[0]):
            return None
        try:
            return load(bench, None, layout)
        except (InfrastructureError, DataError) as error:
            if here:
                raise
            return _NoRows(str(error), isinstance(error, InfrastructureError))

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
                return replace(job, meta_lacks=str(error), broken=True)
            return replace(job, settings=settings, meta=name)
        return replace(job, settings=settings, meta=meta.name if meta else None)

    def _with_work(self, job: Job, loaded: Loaded | None) -> Job:
        config = configure(job.settings)
        if loaded is None:
            return replace(job, work=unseen_work(config, self.suite.estimate))
        try:
            plan = prepare(config, loaded)
        except InfrastructureError:
            if self.fetch:
                raise
            plan = prepare(config, loaded, UNSEEN)
        path = None if plan.model == UNSEEN else plan.path
        return replace(job, path=path, work=work_of(plan, path, job.meta, self.suite.estimate))


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
        if name not in ("bench", "data") and value is not None:
            yield from _setting(name, value)


def _setting(name: str, value: Any) -> Iterator[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        yield flag if value else flag.replace("--", "--no-", 1)
    elif name.endswith("engine_args"):
        for key, setting in value.items():
            yield from (flag.removesuffix("s"), f"{key}={json.dumps(setting)}")
    elif isinstance(value, dict):
        yield from (flag, json.dumps(value))
    else:
        for each in value if isinstance(value, list | tuple) else [value]:
            yield from (flag, str(each))
