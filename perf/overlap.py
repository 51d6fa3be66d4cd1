"""Decontamination: what `grmeval spct data` finds of planted overlaps, how fast, in how much memory.

    python perf/overlap.py sample rmb=RMB.tar.xz judgebench=JudgeBench.tar.xz … [--rows 80000] [--small]

Makes a training file whose rows hold text of Python's standard library (no benchmark has that), plants texts
of the benchmarks in some, and runs the command on it as a process of its own. Printed: which share of each
kind was dropped, which share of the rows without a plant, seconds and peak memory of the whole command:
reading, comparing, writing. Nothing is planted of benchmarks whose authors want no plain text of them; they
are compared all the same.
"""

import argparse
import contextlib
import json
import random
import re
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from grmeval.benches import find_spec, load
from grmeval.benches.overlap import NGRAM, THRESHOLD
from grmeval.benches.overlap.words import words

Random = random.Random
SEED = 0


def changed(text: str, rng: Random) -> str:
    """Another case, other spaces, other punctuation; what the words are stays."""
    text = re.sub(r"[.,;:!?]+(?=\s|$)", lambda _: rng.choice(["", "!", " .", ";"]), text)
    text = re.sub(r"\s+", lambda _: rng.choice(["  ", "\n", " "]), text)
    return rng.choice([str.upper, str.lower, str.title, str.capitalize])(text)


def half(text: str, rng: Random) -> str:
    """The first or the second half of its words."""
    found = text.split()
    middle = (len(found) + 1) // 2
    return " ".join(found[:middle] if rng.random() < 0.5 else found[-middle:])


def reworded(text: str, rng: Random) -> str:
    """Sentences turned round, every fifth word left out: much the same words, and no long run of them."""
    sentences = re.split(r"(?<=[.!?])\s+", text)
    return " ".join(word for i, word in enumerate(words(" ".join(sentences[::-1]))) if i % 5 != 4)


class Filler:
    """Text that no benchmark has: stretches of the sources of the standard library."""

    def __init__(self, rng: Random) -> None:
        folder = Path(sysconfig.get_paths()["stdlib"])
        text = [path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.py"))]
        self._words, self._rng = " ".join(text).split(), rng

    def __call__(self, least: int, most: int) -> str:
        size = self._rng.randint(least, most)
        start = self._rng.randrange(len(self._words) - size)
        return " ".join(self._words[start : start + size])


def texts_of(benches: dict[str, Path | None]) -> tuple[list[str], list[str]]:
    """Prompts and responses that may be planted, each once."""
    prompts, responses = dict[str, None](), dict[str, None]()
    for bench, path in benches.items():
        if find_spec(bench)[0].source.restricted:
            print(f"nothing of {bench} is planted: its authors want no plain text of it")
            continue
        for item in load(bench, path).items:
            prompts[
                "\n".join(turn.content for turn in item.conversation if turn.role != "system")
            ] = None
            responses |= dict.fromkeys(item.responses)
    return list(prompts), [text for text in responses if len(words(text)) >= NGRAM]


def planted_rows(
    benches: dict[str, Path | None], count: int, each: int, filler: Filler, rng: Random
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind of plant or "", row)."""
    prompts, responses = texts_of(benches)
    long = [text for text in prompts if len(text.split()) >= 2 * NGRAM + 2]
    short = [text for text in prompts if len(text.split()) < 2 * NGRAM]
    around: Callable[[str], str] = lambda text: f"{filler(20, 60)} {text} {filler(20, 60)}"  # noqa: E731
    kinds: dict[str, tuple[list[str], Callable[[str], str]]] = {
        "a whole prompt": (prompts, str),
        "the same, other case, spaces, punctuation": (prompts, lambda text: changed(text, rng)),
        "a whole prompt inside other text": (long, around),
        f"half a prompt of {2 * NGRAM + 2} words or more inside other text": (
            long,
            lambda text: around(half(text, rng)),
        ),
        f"half a shorter prompt inside other text (less than {NGRAM} words)": (
            short,
            lambda text: around(half(text, rng)),
        ),
        "a response quoted inside a response": (responses, around),
        "a reworded prompt (a control: no run of words is left)": (
            long,
            lambda text: reworded(text, rng),
        ),
    }
    rows = list[tuple[str, str]]()
    for kind, (texts, made) in kinds.items():
        chosen = rng.sample(texts, min(each, len(texts)))
        rows += [(kind, made(text)) for text in chosen]
    rows += [("", "")] * (count - len(rows))
    rng.shuffle(rows)
    for number, (kind, text) in enumerate(rows):
        two = [filler(60, 400), filler(60, 400)]
        prompt = filler(10, 150)
        if "response" in kind:
            two[number % 2] = text
        elif kind:
            prompt = text
        yield kind, {"id": number, "prompt": prompt, "responses": two, "quality": [1, 0]}


def measured(words: list[str]) -> tuple[float, float, float]:
    """(seconds, seconds of CPU, peak MiB) of a process: the system's own peak, looked at until it ends."""
    started, peak = time.perf_counter(), 0.0
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        status = Path(f"/proc/{child.pid}/status")
        while child.poll() is None:
            time.sleep(0.05)
            with contextlib.suppress(OSError):  # it has just ended
                if found := re.search(r"VmHWM:\s+(\d+)", status.read_text()):
                    peak = max(peak, int(found[1]) / 1024)
        assert child.stderr
        if child.returncode:
            sys.exit(f"{' '.join(words)}: exit {child.returncode}\n{child.stderr.read()}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, peak


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("copies", nargs="*", metavar="BENCH[=PATH]", default=["sample"])
    parser.add_argument("--rows", type=int, default=80_000)
    parser.add_argument("--each", type=int, default=500, help="plants of a kind (%(default)s)")
    parser.add_argument("--small", action="store_true", help="400 rows, 5 plants of a kind")
    given = parser.parse_args()
    count, each = (400, 5) if given.small else (given.rows, given.each)
    copies = {bench: path for bench, _, path in (copy.partition("=") for copy in given.copies)}
    places = {bench: Path(path).absolute() if path else None for bench, path in copies.items()}
    rng = Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        rows, out = Path(folder) / "rows.jsonl", Path(folder) / "out"
        kinds = list[str]()
        with rows.open("w", encoding="utf-8") as file:
            for kind, row in planted_rows(places, count, each, Filler(rng), rng):
                kinds.append(kind)
                file.write(json.dumps(row) + "\n")
        size = rows.stat().st_size / 2**20
        against = [word for bench in copies for word in ("--against", bench)]
        data = [f"--data={bench}={path}" for bench, path in places.items() if path]
        asked = ["spct", "data", "--source", str(rows), "-o", str(out), *against, *data]
        asked += ["--max-characters", str(10**7)]
        seconds, cpu, peak = measured([sys.executable, "-m", "grmeval", *asked])
        record = json.loads((out / "data.json").read_text("utf-8"))
        kept = {int(item.id) for item in load(str(out / "bench.toml")).items}
    dropped = record["sources"][0]["dropped"]
    assert set(dropped) <= {"prompt", "response"}, dropped
    texts = sum(each["texts"] for each in record["overlaps"])
    print(f"{count:,} rows ({size:,.0f} MiB) against {texts:,} texts of {', '.join(copies)}")
    print(f"runs of {NGRAM} words, {THRESHOLD:.0%} of a text")
    print(f"{seconds:.0f} s ({cpu:.0f} s of CPU), {peak / 1024:.2f} GiB at the most\n")
    print("| planted | rows | dropped |\n|---|--:|--:|")
    total = Counter(kinds)
    gone = Counter(kind for number, kind in enumerate(kinds) if number not in kept)
    for kind in [*dict.fromkeys(kind for kind in sorted(total) if kind), ""]:
        print(f"| {kind or 'nothing'} | {total[kind]:,} | {gone[kind] / total[kind]:.2%} |")


if __name__ == "__main__":
    main()
