"""What a meta RM is trained on: judgements as token ids, split, measured, and what must hold of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from grmeval.engines.chat import ChatEncoder
from grmeval.engines.models import ModelRef
from grmeval.errors import DataError
from grmeval.judges import MetaPrompt
from grmeval.store import RunFolder
from grmeval.train.meta.head import padding
from grmeval.train.meta.judgements import Example, Judgements, judgements, split
from grmeval.train.model import find_model, load_tokenizer
from grmeval.train.settings import TrainConfig
from grmeval.train.stage_settings import MetaTable
from grmeval.train.trainer import import_trainers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["Encoded", "Prepared", "balance", "notes", "prepare"]

_TOGETHER = 256
"""Chats that are tokenised at once."""


class Encoded(NamedTuple):
    """A judgement as token ids, exactly those that `grmeval meta-score` gives vLLM."""

    ids: list[int]
    example: Example


@dataclass(frozen=True)
class Prepared:
    """What a training begins with. `pad`: the token that fills a batch."""

    config: TrainConfig
    table: MetaTable
    model: ModelRef
    tokenizer: "PreTrainedTokenizerBase"
    prompt: MetaPrompt
    runs: tuple[str, ...]
    found: Judgements
    train: tuple[Encoded, ...]
    held_out: tuple[Encoded, ...]
    too_long: int
    pad: int

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training, if it does not stop early."""
        return self.table.total(len(self.train))

    @property
    def rows(self) -> tuple[Encoded, ...]:
        """What is trained on."""
        return self.train

    @property
    def lengths(self) -> tuple[int, ...]:
        """Tokens of each of `rows`."""
        return tuple(len(each.ids) for each in self.train)

    @property
    def left_out(self) -> dict[str, int]:
        """Judgements that are no examples, by reason."""
        return {**self.found.left_out, **({"too_long": self.too_long} if self.too_long else {})}

    @property
    def pos_weight(self) -> float:
        """What a right judgement counts in the loss."""
        if self.table.pos_weight != "balanced":
            return self.table.pos_weight
        right = sum(each.example.right for each in self.train)
        return (len(self.train) - right) / right


def prepare(
    folders: Sequence[RunFolder],
    config: TrainConfig,
    template: Path | None = None,
    data: Path | None = None,
) -> Prepared:
    """Read, label, split and measure the judgements; no weights are read.

    DataError: what is left cannot be learned from, or nothing could be measured on what is held out.
    """
    table = config.meta
    assert table is not None
    import_trainers(*(["peft"] if config.lora else []))
    prompt = MetaPrompt(template)
    found = judgements(folders, prompt, data, table.unreadable == "wrong")
    if not found.examples:
        raise DataError(f"no judgement to learn from (left out: {_reasons(found.left_out)})")
    model = find_model(config.model)
    tokenizer = load_tokenizer(config.model, model)
    encoder = ChatEncoder(tokenizer, config.model.chat_template_kwargs)
    encoded = [
        Encoded(ids, example)
        for at in range(0, len(found.examples), _TOGETHER)
        for some in [found.examples[at : at + _TOGETHER]]
        for ids, example in zip(encoder.many([e.chat for e in some], True), some, strict=True)
    ]
    fits = [each for each in encoded if len(each.ids) <= table.max_length]
    if not fits:
        raise DataError(
            f"all {len(encoded):,} judgements are longer than meta.max_length {table.max_length} tokens (the "
            f"shortest has {min(len(each.ids) for each in encoded):,}); --set meta.max_length=N"
        )
    named = {(each.example.item, each.example.j): each for each in fits}
    train, held = split([each.example for each in fits], table.held_out, table.seed)
    given = Prepared(
        config=config,
        table=table,
        model=model,
        tokenizer=tokenizer,
        prompt=prompt,
        runs=tuple(folder.path.name for folder in folders),
        found=found,
        train=tuple(named[each.item, each.j] for each in train),
        held_out=tuple(named[each.item, each.j] for each in held),
        too_long=len(encoded) - len(fits),
        pad=padding(tokenizer, {each.ids[-1] for each in fits}),
    )
    _check(given)
    return given


def _check(given: Prepared) -> None:
    """DataError: there is nothing to tell apart."""
    if len({each.example.right for each in given.train}) < 2:
        which = "right" if given.train[0].example.right else "wrong"
        raise DataError(
            f"all {len(given.train):,} judgements to train on are {which}: there is nothing to tell apart; "
            "add runs of items of another difficulty, or of another model"
        )
    if not balance(given.held_out)["items_with_both"]:
        raise DataError(
            f"none of the {balance(given.held_out)['items']:,} items that are held out has right and wrong "
            "judgements, so that no AUC inside items can be measured: runs with a larger k or of more items, "
            "or --set meta.held_out=0.3"
        )


def balance(part: Sequence[Encoded]) -> dict[str, int]:
    """How many examples, how many of them right, of how many items, of which how many with both."""
    sides: dict[tuple[str, Any], set[bool]] = {}
    for each in part:
        sides.setdefault(each.example.item, set()).add(each.example.right)
    return {
        "judgements": len(part),
        "right": sum(each.example.right for each in part),
        "items": len(sides),
        "items_with_both": sum(len(seen) == 2 for seen in sides.values()),
    }


def notes(given: Prepared) -> dict[str, str]:
    """What is trained on and what is held out, in words."""
    return {
        "trained on": _in_words(balance(given.train)),
        "held out": _in_words(balance(given.held_out)),
        "left out": _reasons(given.left_out),
    }


def _in_words(part: Mapping[str, int]) -> str:
    share = part["right"] / part["judgements"]
    return (
        f"{part['judgements']:,} judgements of {part['items']:,} items, {share:.1%} of them right; "
        f"{part['items_with_both']:,} items with right and wrong ones"
    )


def _reasons(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {why}" for why, count in left_out.items()) or "none"
