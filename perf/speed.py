"""Runs the scripts of this folder, and writes what they print into docs/speed.md.

    python perf/speed.py [--copies rmb=RMB.tar.xz realmistake=data.zip …]
    python perf/speed.py --small

The first runs those whose figures docs/speed.md holds, one after the other on an idle machine, and puts
each output between that script's marks in the page; a script whose mark is missing, or that fails, ends it
and leaves the page as it was. The second runs every script in the smallest form that goes through all of
its code, keeps no figure, and fails where one does: CI sees a change that breaks a benchmark.
"""

import argparse
import platform
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "speed.md"


class Script(NamedTuple):
    """Its arguments in the smallest form, and in full: None, where docs/speed.md holds no figure of it."""

    small: str
    full: str | None = None


SCRIPTS = {
    "engine": Script("--items 1 --k 2 --max-tokens 4 --repeats 1 --dtype float32", ""),
    "harness": Script("--samples 320", ""),
    "benches": Script("sample --k 2", "sample"),
    "score": Script("--samples 3200", ""),
    "curves": Script("--items 60 --loop 5 --replicates 100", ""),
    "fit": Script("--bench sample", "--bench sample"),
    "server": Script("--requests 40 --in-flight 1 8 --memory 80", ""),
    "workers": Script(
        "--items 2 --k 2 --max-tokens 4 --rounds 1 --latency 0.001 --dtype float32", ""
    ),
    "gpu": Script("--prompts 2 --tokens 4"),
    "replicas": Script("--items 1 --k 2 --max-tokens 4 --arms actors --replicas 1"),
    "nights": Script("--nights 20 --runs 1 --only 28"),
    "seeds": Script("--replicates 5 --processes 1"),
    "stop": Script("--small", ""),
    "agree": Script("--small"),
    "adaptive": Script("--small"),
    "overlap": Script("--small"),
    "rl_rises": Script("--small --seeds 1"),
    "coverage": Script("--replicates 20 --resamples 19 --only 28-item --processes 1"),
}


def output(name: str, arguments: str) -> str:
    """What a script prints; the end of this one where it fails."""
    words = [sys.executable, str(HERE / f"{name}.py"), *shlex.split(arguments)]
    print(f"python perf/{name}.py {arguments}", flush=True)
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"perf/{name}.py {arguments}: exit code {done.returncode}")
    if not done.stdout.strip():
        sys.exit(f"perf/{name}.py {arguments}: printed nothing")
    return done.stdout.rstrip()


def marked(name: str) -> re.Pattern[str]:
    """What the page holds of a script, between its marks."""
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)


def machine() -> str:
    """What the figures are of."""
    found = Path("/proc/cpuinfo")
    text = found.read_text("utf-8") if found.exists() else ""
    names = re.findall(r"model name\s*: (.*)", text)
    cores = f"{len(names)} x {names[0]}" if names else platform.processor() or platform.machine()
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "pyarrow"))
    return f"{cores}; CPython {platform.python_version()}; {packages}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="every script, in its smallest form")
    parser.add_argument("--copies", nargs="*", default=[], metavar="BENCH=PATH")
    parser.add_argument("--only", nargs="*", default=list(SCRIPTS), choices=SCRIPTS)
    given = parser.parse_args()
    if given.small:
        for name in given.only:
            output(name, SCRIPTS[name].small)
        print(f"{len(given.only)} scripts run")
        return
    page = PAGE.read_text("utf-8")
    wanted = {n: s.full for n, s in SCRIPTS.items() if s.full is not None and n in given.only}
    if lacking := [name for name in wanted if not marked(name).search(page)]:
        sys.exit(f"{PAGE}: no marks <!-- NAME --> and <!-- /NAME --> for {', '.join(lacking)}")
    written = {}
    copies = {bench: path for bench, _, path in (copy.partition("=") for copy in given.copies)}
    for name, arguments in wanted.items():
        shown = arguments
        if name == "benches" and copies:
            arguments = shlex.join(given.copies)
            shown = " ".join(f"{bench}=…" for bench in copies)
        if name == "fit" and "rmb" in copies:
            arguments = shlex.join(["--bench", "rmb", "--data", copies["rmb"]])
            shown = "--bench rmb --data …"
        lines = output(name, arguments).splitlines()
        asked = f"$ python perf/{name}.py {shown}".rstrip()
        written[name] = [asked, *lines, "", f"({machine()})"]
    for name, lines in written.items():
        block = "".join(f"    {line}".rstrip() + "\n" for line in lines)
        page = marked(name).sub(f"\n{block}\n".replace("\\", r"\\"), page)
    PAGE.write_text(page, "utf-8")
    print(f"written to {PAGE}")


if __name__ == "__main__":
    main()
