"""Whether online RL raises the reward on a task that a model can learn, and what the pass-rate filter does.

    python perf/rl_rises.py [--seeds 2] [--small] [--to FOLDER]

A llama of 0.3 M weights, random at first, is taught the form of a judgement by `grmeval spct rft`, from
judgements that are always right on one kind of pair (the better reply is polite) and right 60 times of 100
on the other (it gives a reason). `grmeval spct rl` then trains it on both kinds, for each seed without and
with the pass-rate filter, whose run (k = 3) `grmeval run` makes. Prints docs/spct-rl.md's table and draws its
figure. The paper's group, KL weight and clip; learning rates that fit so small a model. `--small`: that it
runs, no more.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from grmeval.benches import load
from grmeval.judges import make_judge
from grmeval.train import grpo_rows

KINDS = {"polite": "please", "reasoned": "because"}
"""Kind of pair -> the word that the better reply holds."""
RIGHT = {"polite": 1.0, "reasoned": 0.6}
"""How often the judgements that the first model learns from are right."""
WORDS = (
    *("we", "the", "next", "day", "all", "old", "new", "red", "blue", "green"),
    *("house", "tree", "river", "road", "town", "bread", "soup", "tea", "cup", "milk"),
)
TEMPLATE = (
    "{{ conversation[-1].content }}\n{% for response in responses %}{{ loop.index }}: {{ response }}\n"
    "{% endfor %}"
)
PATTERN = r"\\boxed\{| ?\w+|\n|[^\w\s]"
CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|unknown|>"]


class Size(NamedTuple):
    """How much of everything."""

    items: int
    judgements: int
    taught: int
    steps: int


FULL, SMALL = Size(400, 6000, 500, 100), Size(40, 400, 60, 6)


def reply(kind: str, good: bool, draw: random.Random) -> str:
    words = draw.sample(WORDS, draw.randint(3, 4))
    if good:
        words[draw.randrange(len(words))] = KINDS[kind]
    return " ".join(words)


def pair(kind: str, draw: random.Random) -> dict[str, Any]:
    """An item in the neutral schema, the better reply first."""
    asked = {"role": "user", "content": f"which is {kind}"}
    texts = [reply(kind, good, draw) for good in (True, False)]
    return {"subset": kind, "conversation": [asked], "responses": texts, "quality": [1, 0]}


def judgement(row: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """What `spct rft` learns from: the prompt of a row of `grpo_rows`, and scores that are right or not."""
    high, low = draw.randint(7, 9), draw.randint(2, 4)
    right = draw.random() < RIGHT[row["subset"]]
    first, second = (high if bool(label) == right else low for label in row["quality"])
    said = f"Scores: \\boxed{{{first}, {second}}}"
    return {"prompt": row["prompt"], "completion": [{"role": "assistant", "content": said}]}


def lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def make_model(folder: Path) -> None:
    """A llama with random weights, and a tokenizer whose tokens are words."""
    import torch
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    plain = [*WORDS, *KINDS, *KINDS.values(), "which", "is", "Scores", *map(str, range(11))]
    words = [*SPECIAL, *plain, *(f" {word}" for word in plain), "\\boxed{", "\n", *":,}"]
    made = Tokenizer(
        models.WordLevel({word: n for n, word in enumerate(words)}, unk_token=SPECIAL[-1])
    )
    made.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    made.decoder = decoders.Fuse()
    made.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        unk_token="<|unknown|>",
        chat_template=CHAT,
        model_max_length=256,
        clean_up_tokenization_spaces=False,
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def settings(model: Path, size: Size) -> str:
    """The training's configuration."""
    shared = "bf16 = false\ngradient_checkpointing = false\nsave_every = 20\n"
    return (
        f'title = "a task that a small model learns"\n[model]\nname = "{model}"\ndtype = "float32"\n'
        f"[rft]\nlearning_rate = 2e-3\nbatch = 32\nmicro_batch = 32\nsteps = {size.taught}\nwarmup = 20\n"
        f"max_length = 128\nlog_every = 10\n{shared}"
        f"[rl]\nlearning_rate = 1e-4\nbatch = 64\nmicro_batch = 64\nsteps = {size.steps}\n"
        f"beta = 0.08\nmax_prompt = 128\nmax_tokens = 12\n{shared}"
    )


def grmeval(*words: object) -> None:
    """A command, in this process: what trains is imported once. vLLM has one of its own."""
    from grmeval.cli import main as command

    told = ["grmeval", *map(str, words)]
    print(*told, flush=True)
    if words[0] == "run":
        subprocess.run([sys.executable, "-m", *told], check=True, stdout=subprocess.DEVNULL)
        return
    with mock.patch.object(sys, "argv", told):
        try:
            command()
        except SystemExit as end:
            if end.code:
                raise


def make_task(to: Path, size: Size) -> None:
    """Items, judgements to learn the form from, a prompt, a random model, a configuration."""
    draw = random.Random(0)
    items = [pair(kind, draw) for _ in range(size.items // 2) for kind in KINDS]
    lines(to / "data" / "items.jsonl", [{"id": str(n)} | item for n, item in enumerate(items)])
    (to / "data" / "bench.toml").write_text(
        'id = "rl-rises"\ntitle = "a task that a small model learns"\n[source]\npackaged = "items.jsonl"\n'
        '[[tables]]\nfiles = "*.jsonl"\nshape = "neutral"\nsubset = "subset"\n'
    )
    (to / "judge.jinja").write_text(TEMPLATE)
    other = [pair(draw.choice(list(KINDS)), draw) for _ in range(size.judgements)]
    lines(to / "other.jsonl", other)
    judge = make_judge("pointwise", to / "judge.jinja")
    rows = grpo_rows(load(str(to / "other.jsonl")).items, judge)
    lines(to / "judgements" / "train.jsonl", [judgement(row, draw) for row in rows])
    make_model(to / "random")
    (to / "train.toml").write_text(settings(to / "random", size))


def make_first(to: Path) -> None:
    """The model that RL begins with, and its run for the filter."""
    grmeval("spct", "rft", to / "judgements", "--config", to / "train.toml", "-o", to / "rft")
    grmeval(
        *("run", "--bench", to / "data" / "bench.toml", "--model", to / "rft" / "model", "--k", 3),
        *("--template", to / "judge.jinja", "--temperature", 1, "--max-tokens", 12),
        *("--results", to / "results", "--max-model-len", 256, "--name", "first"),
    )


def train(to: Path, seed: int, filtered: bool) -> Path:
    out = to / f"rl-{seed}{'-filtered' * filtered}"
    filtering = ("--filter", "first", "--results", to / "results") if filtered else ()
    grmeval(
        *("spct", "rl", to / "data", "--config", to / "train.toml", "--set", f"rl.seed={seed}"),
        *("--model", to / "rft" / "model", "--template", to / "judge.jinja", *filtering, "-o", out),
    )
    return out


def metrics(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


SHOWN = ("reward", "zero_gradient_groups", "kl", "entropy", "unreadable", "tied", "position_bias")


def mean(lines_of: Sequence[dict[str, float]], name: str) -> float:
    """Of those that have it: a share of no judgement is not logged."""
    return float(np.mean([line[name] for line in lines_of if name in line] or [np.nan]))


def row(out: Path) -> str:
    """First and last tenth of a run's steps, as means."""
    table = metrics(out)
    tenth = max(1, len(table) // 10)
    ends = (table[:tenth], table[-tenth:])
    cells = (" → ".join(f"{mean(part, name):.2f}" for part in ends) for name in SHOWN)
    return f"| {out.name} | {' | '.join(cells)} |"


def draw_figure(to: Path, outs: Sequence[Path]) -> None:
    """Reward, KL and the share of groups without gradient over the steps, means of ten steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 7.0), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    for n, out in enumerate(outs):
        table = metrics(out)
        wide = max(1, len(table) // 15)
        starts = range(0, len(table) - wide + 1, wide)
        for each, name in zip(axes, ("reward", "zero_gradient_groups", "kl"), strict=True):
            x, y = ([mean(table[s : s + wide], of) for s in starts] for of in ("step", name))
            style = "--" if out.name.endswith("filtered") else "-"
            each.plot(x, y, style, marker="os^D"[n % 4], markersize=3, label=out.name)
            each.set_ylabel(name.replace("_", " "))
    axes[0].legend(fontsize=8)
    axes[-1].set_xlabel("step")
    figure.savefig(to / "rl-rises.svg")
    figure.savefig(to / "rl-rises.png", dpi=110)


def measure(to: Path, seeds: int, size: Size) -> None:
    began = time.monotonic()
    if not (to / "train.toml").exists():
        make_task(to, size)
    make_first(to)
    outs = [train(to, seed, on) for seed in range(seeds) for on in (False, True)]
    draw_figure(to, outs)
    print(f"| first → last tenth | {' | '.join(SHOWN)} |\n|{'---|' * (len(SHOWN) + 1)}")
    print("\n".join(map(row, outs)))
    print(f"{time.monotonic() - began:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--to", type=Path, help="keep everything there, and go on there")
    arguments = parser.parse_args()
    size = SMALL if arguments.small else FULL
    with tempfile.TemporaryDirectory() as elsewhere:
        to = arguments.to or Path(elsewhere)
        measure(to.absolute(), arguments.seeds, size)


if __name__ == "__main__":
    main()
