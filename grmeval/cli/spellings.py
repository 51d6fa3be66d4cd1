"""Words that people bring along from other programs: what each is called here.

To answer one more, add a line to the tables below; tests check that what they name exists.
"""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["COMMANDS", "EXTRA", "HERE", "OPTIONS", "SHORT", "in_our_words", "other_command"]

SHORT = {"--k": "-k", "--j": "-j"}
"""One letter for options whose long name is one letter, in every command that has them."""

_VLLM = (
    *("--block-size", "--calculate-kv-scales", "--cpu-offload-gb"),
    *("--distributed-executor-backend", "--enable-chunked-prefill", "--enable-expert-parallel"),
    *("--enable-prefix-caching", "--enforce-eager", "--gpu-memory-utilization", "--kv-cache-dtype"),
    *("--limit-mm-per-prompt", "--load-format", "--max-num-batched-tokens", "--max-num-seqs"),
    *("--max-seq-len-to-capture", "--pipeline-parallel-size", "--quantization", "--rope-scaling"),
    *("--swap-space", "--tokenizer", "--tokenizer-mode"),
)
"""vLLM's own engine settings: here all go through one option."""

_KEPT = "every judgement is kept; `grmeval export` writes them"
_RESUMED = "nothing is asked twice: the same command goes on, `grmeval clean` puts runs away"
_RUN = "a run is named without a flag, as in `grmeval score RUN`"
_KEY = "the key of a server is that of the environment: GRMEVAL_API_KEY"
_SHOTS = "no examples are shown; a --template of yours can hold some"

OPTIONS = {
    # how often each item is asked
    **dict.fromkeys(
        (
            *("-n", "--n", "--n-samples", "--num-samples", "--samples", "--num-generations"),
            *("--num-return-sequences", "--epochs", "--repeats", "--best-of", "--num-votes"),
        ),
        "--k",
    ),
    # what is judged
    **dict.fromkeys(
        (
            *("--task", "--tasks", "--benchmark", "--benchmarks", "--dataset", "--datasets"),
            *("--dataset-name", "--eval", "--evals", "--custom-tasks", "--include-path"),
        ),
        "--bench",
    ),
    **dict.fromkeys(("--load-json", "--data-dir", "--data-path", "--dataset-path"), "--data"),
    **dict.fromkeys(
        (
            *("-l", "-L", "--max-samples", "--max-examples", "--num-examples", "--num-items"),
            *("--first", "--subsample", "--head"),
        ),
        "--limit",
    ),
    **dict.fromkeys(("-f", "--num-fewshot", "--fewshot", "--few-shot", "--shots"), _SHOTS),
    **dict.fromkeys(("--sample-id", "--item-id", "--id"), "--item"),
    **dict.fromkeys(
        ("--rows", "--category", "--categories"),
        "a part of a benchmark is named by --section or --subset",
    ),
    # who judges, with which words
    **dict.fromkeys(
        (
            *("-m", "--model-name", "--model-path", "--model-name-or-path", "--pretrained"),
            *("--judge-model", "--grader", "--reward-model", "--checkpoint"),
        ),
        "--model",
    ),
    **dict.fromkeys(("-a", "-M", "--model-args"), "--engine-arg NAME=VALUE"),
    **dict.fromkeys(_VLLM, "--engine-arg {setting}=VALUE"),
    "--vllm-gpu-util": "--engine-arg gpu_memory_utilization=VALUE",
    **dict.fromkeys(
        ("-b", "--batch-size", "--max-batch-size"),
        "--engine-arg max_num_seqs=VALUE",
    ),
    **dict.fromkeys(
        ("--tp", "--tp-size", "--tensor-parallel-size", "--num-gpus", "--gpus"),
        "--tensor-parallel",
    ),
    **dict.fromkeys(
        ("--dp", "--dp-size", "--data-parallel-size", "--num-processes"), "--data-parallel"
    ),
    # -t rmb of one program, -tp 2 of another: only the letter is known here
    "-t": "benchmarks are named by --bench, the GPUs of a model counted by --tensor-parallel",
    **dict.fromkeys(("--device", "--devices"), "CUDA_VISIBLE_DEVICES=… says which GPUs are seen"),
    **dict.fromkeys(("--torch-dtype", "--precision"), "--dtype"),
    **dict.fromkeys(("--adapter", "--peft", "--lora-path", "--lora-modules"), "--lora"),
    **dict.fromkeys(("--max-length", "--max-model-length", "--context-length"), "--max-model-len"),
    **dict.fromkeys(("--backend", "--model-backend", "--provider"), "--engine"),
    **dict.fromkeys(("--judge-type", "--judge-name", "--scorer", "--mode"), "--judge"),
    **dict.fromkeys(("--prompt", "--prompt-template", "--judge-template"), "--template"),
    **dict.fromkeys(
        ("--system-prompt", "--system-message", "--system-instruction"),
        "--system",
    ),
    **dict.fromkeys(
        ("--apply-chat-template", "--use-chat-template"),
        "the model's chat template is always used; --chat-template-kwargs is handed to it",
    ),
    "--chat-template": "the model's own is used; what the judge is sent is changed by --template",
    **dict.fromkeys(
        ("--api-base", "--api-url", "--endpoint", "--host", "--port", "--server", "--server-url"),
        "--base-url",
    ),
    "--api-key": _KEY,
    **dict.fromkeys(
        ("--max-connections", "--num-concurrent", "--max-concurrency", "--parallel"),
        "--concurrency",
    ),
    # sampling
    "--temp": "--temperature",
    **dict.fromkeys(
        ("--max-new-tokens", "--max-gen-toks", "--max-gen-tokens", "--max-completion-tokens"),
        "--max-tokens",
    ),
    "--gen-kwargs": "say each by itself: --temperature, --top-p, --max-tokens",
    **dict.fromkeys(("--sampling-seed", "--random-seed"), "--seed"),
    "--seeds": "a run has one seed: run once for each, with --seed",
    # how it is scored, what is shown
    **dict.fromkeys(("--metric", "--metrics", "--aggregation", "--reducer", "--voting"), "--vote"),
    **dict.fromkeys(("--tie", "--tie-breaking"), "--ties"),
    **dict.fromkeys(("--threshold", "--tolerance", "--margin"), "--max-drop"),
    **dict.fromkeys(("--sort-by", "--order-by"), "--sort"),
    **dict.fromkeys(("--tag", "--run-name", "--label", "--experiment-name"), "--name"),
    **dict.fromkeys(("--run", "--run-id", "--run-dir"), _RUN),
    **dict.fromkeys(("--format", "--output-format"), "--json, --to NAME.csv"),
    # where it goes
    **dict.fromkeys(
        (
            *("-o", "--out", "--output", "--output-dir", "--output-path", "--output-file"),
            *("--out-dir", "--save-dir", "--save-to", "--log-dir"),
        ),
        "--to, --results",
    ),
    **dict.fromkeys(("--results-dir", "--results-path"), "--results"),
    **dict.fromkeys(("-s", "--log-samples", "--save-details", "--save-all"), _KEPT),
    **dict.fromkeys(("-c", "--use-cache", "--resume", "--overwrite", "--force"), _RESUMED),
    "--no-cache": "nothing is cached: what is stored is never asked again; another --results asks anew",
    "--dry-run": "`grmeval plan` tells what it would take, `grmeval prompt` shows what would be asked; "
    "`grmeval suite` has --dry-run",
    "-V": "`grmeval --version` prints it",
    **dict.fromkeys(("-y", "--assume-yes"), "--yes"),
    **dict.fromkeys(
        ("-v", "-q", "--verbose", "--quiet"),
        "progress is on standard error, results on standard output; 2>/dev/null hides the first",
    ),
}
"""Their option -> ours: the first of these, of those that the command has; or a sentence of another kind.

With dashes: underscores in an option are read as dashes.
"""

HERE = {
    **dict.fromkeys((("scale-curve", "-k"), ("scale-curve", "--k")), "here it is --ks 1,2,4,8"),
    ("import scores", "--name"): "name the run when it is there: `grmeval label RUN NAME`",
}
"""(command, option that others of ours have) -> what is said of it there."""

COMMANDS = {
    **dict.fromkeys(("list", "ls"), ("runs", "benches", "judges")),
    **dict.fromkeys(("tasks", "ls-tasks", "benchmarks", "datasets"), ("benches",)),
    **dict.fromkeys(("eval", "evaluate", "bench", "benchmark", "sample", "accelerate"), ("run",)),
    **dict.fromkeys(("results", "history", "logs", "log", "status"), ("runs",)),
    **dict.fromkeys(("report", "summary", "table", "rescore"), ("score",)),
    **dict.fromkeys(("view", "inspect", "info", "cat"), ("show",)),
    **dict.fromkeys(("plot", "curve", "scaling", "scale"), ("scale-curve",)),
    **dict.fromkeys(("diff", "versus", "vs", "leaderboard"), ("compare",)),
    **dict.fromkeys(("analyze", "analyse", "biases"), ("diagnose",)),
    **dict.fromkeys(("ci", "regress"), ("gate",)),
    **dict.fromkeys(("download", "fetch", "pull", "prepare"), ("data fetch",)),
    **dict.fromkeys(("verify", "validate"), ("data verify",)),
    **dict.fromkeys(("ensemble", "jury", "vote"), ("panel",)),
    **dict.fromkeys(("check", "env", "collect-env"), ("doctor",)),
    **dict.fromkeys(("rm", "remove", "delete", "prune", "gc", "trash"), ("clean",)),
    **dict.fromkeys(("name", "rename", "tag"), ("label",)),
    **dict.fromkeys(("dump", "save"), ("export",)),
    "load": ("import scores",),
    "papers": ("published",),
    "version": ("--version",),
}
"""Their command -> ours."""

EXTRA = {
    **dict.fromkeys(("run", "runs", "trend"), "--bench"),
    **dict.fromkeys(("show", "prompt"), "--item"),
    "published": "--table",
    "export": "--to",
    "score": "`grmeval compare {runs}` sets runs side by side",
}
"""Command -> the option that a word without one was probably meant for, or a sentence on the `runs`."""


_UNKNOWN = re.compile(r"No such command '(.*?)'")
_EXTRA_WORDS = re.compile(r"unexpected extra argument\(s\) \((.*)\)")


def other_command(word: str) -> str | None:
    """What to type instead of a command that other programs have; None: nothing is known of it."""
    ours = [f"`grmeval {each}`" for each in COMMANDS.get(word, ())]
    return f"No such command {word!r}; here: {', '.join(ours)}" if ours else None


@contextlib.contextmanager
def in_our_words() -> Iterator[None]:
    """A usage error about an option or a word that other programs take says what it is called here."""
    try:
        yield
    except Exception as error:  # typer keeps the classes of these to itself
        if said := _said(error):
            error.message = said  # type: ignore[attr-defined]
            error.possibilities = None  # type: ignore[attr-defined]
        raise


def _said(error: Any) -> str | None:
    """The message in our words of an unknown option, or of a word too many; None: there is nothing to add."""
    context = getattr(error, "ctx", None)
    if context is None:
        return None
    if hasattr(error, "possibilities"):
        said = _option(error.option_name, context)
        return said and f"No such option: {error.option_name}: {said}"
    if context.command_path.endswith(" import") and (found := _UNKNOWN.search(error.message)):
        file = found[1]
        return (
            f"{error.message.rstrip('.')}; here: `grmeval import scores {file}`, or, of what a batch "
            f"answered, `grmeval import answers {file}`"
        )
    found = _EXTRA_WORDS.search(error.message)
    said = found and _extra(found[1].split(), context)
    return said and f"{error.message}; {said}"


def _extra(words: list[str], context: Any) -> str | None:
    """What words too many were probably meant for."""
    flag = EXTRA.get(context.command.name)
    if before := _before(words[0], context.command):
        many = getattr(before, "multiple", False)
        if not many and all(word.replace(".", "", 1).isdigit() for word in words):
            each = "; a run has one: run once for each" if before.name == "seed" else ""
            return f"{before.opts[0]} takes one value{each}"
        flag = before.opts[0] if many else flag
    if not flag:
        return None
    if flag.startswith("--"):
        if context.command.name == "trend" and any(map(_is_path, words)):
            nights = [str(context.params["folder"]), *words]
            return f"it takes one folder, above all nights: `grmeval trend {_above(nights)}`"
        return f"here it is {' '.join(f'{flag} {word}' for word in words)}"
    return flag.format(runs=" ".join([str(context.params.get("run", "RUN")), *words]))


def _before(word: str, command: Any) -> Any | None:
    """The option whose value stands right before a word on the command line; None: there is none."""
    for flag, after in zip(sys.argv, sys.argv[2:], strict=False):
        if after == word:
            name = flag.replace("_", "-")
            return next((param for param in command.params if name in param.opts), None)
    return None


def _is_path(word: str) -> bool:
    return "/" in word or os.path.exists(word)  # noqa: PTH110  (of any text)


def _above(folders: list[str]) -> str:
    """The folder that all of these are in; FOLDER where nothing is known of it."""
    try:
        return os.path.commonpath(folders) or "."
    except ValueError:  # some are absolute, some are not
        return "FOLDER"


def _option(unknown: str, context: Any) -> str | None:
    called = context.command_path.split(maxsplit=1)[-1]
    said = HERE.get((called, unknown), OPTIONS.get(unknown))
    if said is None:
        return None
    setting = unknown.removeprefix("--").replace("-", "_")
    said = said.format(setting=setting)
    if not said.startswith("--"):
        return said
    ours = said.split(", ")
    here = [each for each in ours if _has(context.command, each)]
    if here:
        return f"here it is {here[0]}"
    for name, command in _below(context.find_root().command):
        for each in ours:
            if _has(command, each):
                return f"it is {each} of `grmeval {name}`"
    return None


def _has(command: Any, option: str) -> bool:
    return any(option.split()[0] in param.opts for param in command.params)


def _below(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The commands of a group and of those in it, in the order of the help text."""
    for name in group.list_commands(None):
        command = group.commands[name]
        if hasattr(command, "commands"):
            yield from _below(command, (*before, name))
        else:
            yield " ".join((*before, name)), command
