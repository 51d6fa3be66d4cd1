"""The folder of one training: what it is, how far it is, and what it has come to.

    training.json    identity, launches with versions and seconds, status; a checksum
    metrics.jsonl    one line a logged step, in their order, each step once
    checkpoints/     checkpoint-N; one without the file `whole.json` was being written when its process ended
    model/           the adapter or the weights, there when the training is finished
    locks/           who writes

Whoever is killed at any moment goes on from the newest whole checkpoint: the lines of metrics.jsonl beyond it
are dropped then, so that the steps that are taken again leave no second line.
"""

import contextlib
import json
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from grmeval import __version__
from grmeval.engines.models import is_model_file
from grmeval.errors import ConfigError, StoreError
from grmeval.files import is_left_behind, sync, write_json, write_text
from grmeval.store import commit, lock, memory, now, read_record, write_record
from grmeval.train.processes import is_main, together

__all__ = ["FORMAT", "Launch", "TrainingFolder"]

FORMAT = 1
"""Version of the folder's layout; a folder of a newer one is refused."""

LOCK_SECONDS = 60.0
"""How long to wait for another process to make a folder."""

WHOLE = "whole.json"
"""The file that a checkpoint gets last."""

_VERSIONS = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "deepspeed", "vllm")
_STEP = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Launch:
    """One process (or several that train together) at work: where it goes on from.

    `checkpoint` is None, and `step` 0, at the beginning.
    """

    checkpoint: Path | None
    step: int


class TrainingFolder:
    """One training on disk. Of several processes that train together only the first writes."""

    def __init__(self, path: Path) -> None:
        """Look into a training that is there; ConfigError: there is none, StoreError: it cannot be read."""
        self.path = path
        self.record = self._read()

    # ------------------------------------------------------------------ making and opening

    @classmethod
    def open(
        cls, path: Path, identity: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> "TrainingFolder":
        """The training at `path`, made where there is none; ConfigError: another one lies there.

        `identity` changes what is trained: stage, config, model, data. `facts` are told of it: names, counts.
        """
        wanted = json.loads(json.dumps(identity))
        if is_main():
            _make(path, wanted, facts)
        together()
        folder = cls(path)
        if unlike := _unlike(folder.record["identity"], wanted):
            raise ConfigError(
                f"{path}: holds another training: {'; '.join(unlike)}; name another folder by -o"
            )
        return folder

    def _read(self) -> dict[str, Any]:
        path = self.path / "training.json"
        try:
            record = read_record(path)
            made_by = int(record["format"])
        except FileNotFoundError:
            raise ConfigError(f"{self.path}: not a training: it has no training.json") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoreError(
                f"{path}: cannot be read: {error}; restore it, or move the folder away"
            ) from None
        if made_by > FORMAT:
            raise StoreError(
                f"{path}: written in format {made_by} by a newer grmeval; this one reads up to {FORMAT}"
            )
        return record

    # ------------------------------------------------------------------ reading

    @property
    def stage(self) -> str:
        """rft, rl or meta."""
        return str(self.record["identity"]["stage"])

    @property
    def finished(self) -> bool:
        """Whether the model is there, and nothing is left to do."""
        return bool(self.record["status"] == "finished")

    @property
    def model(self) -> Path:
        """Where the adapter or the weights are, or will be."""
        return self.path / "model"

    @property
    def checkpoints(self) -> Path:
        """The folder that a trainer writes into."""
        return self.path / "checkpoints"

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; what a killed process left of its last one is passed over.

        Each has `step`, and the numbers that were logged then.
        """
        try:
            lines = (self.path / "metrics.jsonl").read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        found = []
        for line in lines[:-1]:
            with contextlib.suppress(ValueError):
                found.append(dict(json.loads(line)))
        return found

    def last_checkpoint(self) -> Path | None:
        """The newest whole one."""
        whole = [p.parent for p in self.checkpoints.glob(f"checkpoint-*/{WHOLE}")]
        return max(whole, key=_step_of, default=None)

    # ------------------------------------------------------------------ writing

    @contextlib.contextmanager
    def launch(self) -> Iterator[Launch]:
        """Hold the folder while a trainer works; StoreError names another process that does.

        What no checkpoint vouches for is dropped. Seconds, memory and versions are noted, whatever ends it.
        """
        with contextlib.ExitStack() as held:
            if is_main():
                held.enter_context(lock(self.path / "locks" / "write", 0.0))
                self._tidy()
            together()
            checkpoint = self.last_checkpoint()
            step = _step_of(checkpoint) if checkpoint else 0
            if is_main():
                self._keep_metrics(step)
                held.enter_context(self._noted(step))
            yield Launch(checkpoint, step)

    @contextlib.contextmanager
    def _noted(self, step: int) -> Iterator[None]:
        began = time.monotonic()
        launch: dict[str, Any] = {"started": now(), "from_step": step, "grmeval": __version__}
        launch |= {"commit": commit(), "versions": _versions(), "machine": platform.platform()}
        self.update(launches=[*self._read()["launches"], launch])
        try:
            yield
        finally:
            launch["seconds"] = round(time.monotonic() - began, 1)
            launch["memory_mib"] = memory()
            self.update(launches=[*self._read()["launches"][:-1], launch])

    def _tidy(self) -> None:
        """Remove what was being written when a process ended."""
        for place in self.checkpoints.glob("checkpoint-*"):
            if not (place / WHOLE).exists():
                shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(self._unfinished, ignore_errors=True)

    def _keep_metrics(self, step: int) -> None:
        """Drop the lines beyond a step."""
        kept = [row for row in self.metrics() if row["step"] <= step]
        write_text(self.path / "metrics.jsonl", "".join(map(_line, kept)))

    def add_metrics(self, row: Mapping[str, Any]) -> None:
        """One line more, by one write; the first process alone."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(_line(row))

    def vouch(self, step: int) -> None:
        """Say that the checkpoint of this step, and every line up to it, is on disk."""
        place = self.checkpoints / f"checkpoint-{step}"
        for file in (self.path / "metrics.jsonl", *filter(Path.is_file, place.rglob("*"))):
            sync(file)
        write_json(place / WHOLE, {"step": step})

    def note_settings(self, settings: Mapping[str, Any]) -> None:
        """Keep what a trainer is told beside its defaults: {name: {"default": …, "value": …}}."""
        if is_main():
            self.update(trainer=settings)

    def trained(self, **result: Any) -> None:
        """Say that no step is left; `result` is what the training came to."""
        if is_main():
            self.update(status="trained", result=result)

    def finish(
        self, source: Path | None = None, prepare: Callable[[Path], None] = lambda model: None
    ) -> None:
        """Make model/ out of the newest checkpoint, or of `source`; the training is finished then.

        `prepare` may change the copy before anyone sees it.
        """
        together()
        if is_main():
            whence = source or self.last_checkpoint()
            if whence is None:
                raise StoreError(f"{self.checkpoints}: no checkpoint is there; train again")
            shutil.rmtree(self._unfinished, ignore_errors=True)
            self._unfinished.mkdir()
            for file in whence.iterdir():
                if file.is_file() and is_model_file(file.name):
                    shutil.copyfile(file, self._unfinished / file.name)
            prepare(self._unfinished)
            for file in self._unfinished.iterdir():
                sync(file)
            shutil.rmtree(self.model, ignore_errors=True)
            self._unfinished.replace(self.model)
            self.update(status="finished", finished=now())
        together()
        self.record = self._read()

    @property
    def _unfinished(self) -> Path:
        return self.path / "model.unfinished"

    def update(self, **changes: Any) -> None:
        """Change fields of training.json; by whoever holds the folder."""
        self.record = self._read() | changes
        write_record(self.path / "training.json", self.record)


def _make(path: Path, identity: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write training.json where there is none, or one without a checkpoint, which nothing is lost with."""
    record = path / "training.json"
    if record.exists():
        there = TrainingFolder(path)
        if there.last_checkpoint() or not _unlike(there.record["identity"], identity):
            return
        with lock(path / "locks" / "write", 0.0):
            _begin(record, identity, facts)
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
        others = [p.name for p in path.iterdir() if p.name != "locks" and not is_left_behind(p)]
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"-o {path}: a file is in the way; name a folder") from None
    except OSError as error:
        raise StoreError(f"-o {path}: cannot be made: {error.strerror or error}") from None
    if others and not record.exists():
        raise ConfigError(
            f"-o {path}: holds other things ({', '.join(sorted(others)[:3])}) and no training; name a new or "
            "an empty folder"
        )
    with lock(path / "locks" / "write", LOCK_SECONDS):
        if not record.exists():
            _begin(record, identity, facts)


def _begin(record: Path, identity: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    begun = {"format": FORMAT, "identity": identity, "facts": facts, "status": "running"}
    write_record(record, begun | {"launches": [], "result": {}})


def _step_of(checkpoint: Path) -> int:
    found = _STEP.fullmatch(checkpoint.name)
    return int(found[1]) if found else -1


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _unlike(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> Sequence[str]:
    """What tells two identities apart, in words."""
    flat = [dict(_flat(identity)) for identity in (there, wanted)]
    first, second = ({name: repr(value) for name, value in each.items()} for each in flat)
    return [
        f"{name} is {first.get(name, 'not said')} there and {second.get(name, 'not said')} here"
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    ]


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
