"""Workers of a pool that are processes of this machine, each with GPUs or cores of its own.

They are started anew, never forked: what CUDA, OpenMP and vLLM hold does not survive a fork, and each reads
its environment as it is imported. A process, and whatever it starts, is a process group, which ends as one:
when the pool says so, and when the process that holds the pool is gone.
"""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from hashlib import sha256
from multiprocessing import Pipe
from typing import Any

from grmeval.engines.engine import Engine
from grmeval.engines.messages import Event, Gone, Order
from grmeval.engines.places import Place
from grmeval.engines.pool import EnginePool, ScorerPool
from grmeval.engines.scorer import Scorer

__all__ = ["ProcessWorker", "engine_of", "scorer_of", "worker_seeds"]

LAST_WORDS = 1500
"""Characters of what a process printed that are shown where it died without a word to the pool."""


def engine_of(
    places: Sequence[Place], opens: Callable[[int], Callable[[], Engine]], seed: int
) -> Engine:
    """An engine in each place, or the one that is loaded here where there is one place.

    `opens(seed)` gives what loads one with this seed: it is pickled, and so is every request.
    """
    if len(places) == 1:
        return opens(seed)()
    seeds = worker_seeds(seed, len(places))
    facts = _facts(places) | {"seeds": ", ".join(map(str, seeds))}
    return EnginePool(_workers(places, [opens(each) for each in seeds]), facts)


def scorer_of(places: Sequence[Place], opens: Callable[[], Scorer]) -> Scorer:
    """The same for a scorer, which draws nothing."""
    if len(places) == 1:
        return opens()
    return ScorerPool(_workers(places, [opens] * len(places)), _facts(places))


def worker_seeds(seed: int, count: int) -> list[int]:
    """Each worker's own, of 32 bits: with one seed, engines that get alike requests draw alike texts."""
    digests = (sha256(f"{seed}\0worker {at}".encode()).digest() for at in range(count))
    return [int.from_bytes(digest[:4], "big") for digest in digests]


def _facts(places: Sequence[Place]) -> dict[str, str]:
    names = [place.name for place in places if place.name]
    return {"places": "; ".join(names)} if names else {}


def _workers(places: Sequence[Place], opens: Sequence[Callable[[], Any]]) -> "list[ProcessWorker]":
    count = len(places)
    return [
        ProcessWorker(f"process {at} of {count}", place, each)
        for at, (place, each) in enumerate(zip(places, opens, strict=True), 1)
    ]


def _program(descriptor: int, cores: tuple[int, ...]) -> str:
    """What a process runs: it finds modules where this one does, and nothing beside the user's files."""
    here = f"import sys; sys.path[:] = {sys.path!r}"
    return f"{here}; from grmeval.engines.serve import main; main({descriptor}, {cores!r})"


class ProcessWorker:
    """A Worker that is a process in a place; `opens` loads its model there."""

    def __init__(self, name: str, place: Place, opens: Callable[[], Any]) -> None:
        self.name = f"{name} ({place.name})" if place.name else name
        self._place, self._opens = place, opens
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, tell: Callable[[Event], None]) -> None:
        """See Worker."""
        opens = pickle.dumps(self._opens)  # before anything is there that would have to end
        self._pipe, theirs = Pipe()
        # What it prints would run through the display: it is kept for the case that it dies.
        self._said = tempfile.TemporaryFile("w+b")  # noqa: SIM115 (as long as the process)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _program(theirs.fileno(), self._place.cores)],
                env=os.environ | dict(self._place.environment),
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                pass_fds=[theirs.fileno()],
                process_group=0,
            )
        self._listener = threading.Thread(
            target=self._listen, args=(opens, tell), name=self.name, daemon=True
        )
        self._listener.start()

    def send(self, order: Order) -> None:
        """See Worker."""
        with contextlib.suppress(OSError):  # it is dead: that is told anyhow
            self._pipe.send(order)

    def close(self, patience: float) -> None:
        """See Worker."""
        if self._process is None:
            return
        if patience:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        self._kill(self._process)
        self._listener.join()
        self._pipe.close()
        self._said.close()
        self._process = None

    def again(self) -> bool:
        """See Worker: what ends a process of this machine (memory is short) would end the next one too."""
        return False

    def _kill(self, process: "subprocess.Popen[bytes]") -> None:
        """With whatever it started, which may have outlived it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _listen(self, opens: bytes, tell: Callable[[Event], None]) -> None:
        process = self._process
        assert process is not None
        with contextlib.suppress(EOFError, OSError):  # its end, maybe in the middle of a message
            self._pipe.send_bytes(opens)
            while True:
                tell(self._pipe.recv())
        with contextlib.suppress(subprocess.TimeoutExpired):  # what else it does before it ends
            process.wait(5)
        tell(Gone(self._why(process)))

    def _why(self, process: "subprocess.Popen[bytes]") -> str:
        """How it ended, and its last words."""
        code = process.poll()
        if code is None:
            how = "does not listen any more"
        elif code < 0:
            name = signal.Signals(-code).name
            memory = ", as the system does where memory is short" if name == "SIGKILL" else ""
            how = f"killed by {name}{memory}"
        else:
            how = f"ended with exit code {code}"
        with contextlib.suppress(OSError, ValueError):
            size = self._said.seek(0, os.SEEK_END)
            self._said.seek(max(0, size - LAST_WORDS))
            if last := self._said.read().decode("utf-8", "replace").strip():
                return f"{how}\n  " + "\n  ".join(last.splitlines())
        return how
