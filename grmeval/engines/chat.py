"""Chats -> token ids, for engines that take ids: a text of a benchmark cannot pose as a control token."""

import re
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any

from grmeval.errors import ConfigError
from grmeval.items import Message

__all__ = ["ChatEncoder"]


class ChatEncoder:
    """Chats -> token ids. The chat template is applied here, once, and adds the only BOS there is.

    Text of a benchmark may spell a control token (`<|im_end|>`); encoded as one it would end our turn
    and speak as the judge. It is encoded in two parts, cut inside the token: plain text, unchanged.
    """

    def __init__(self, tokenizer: Any, kwargs: Mapping[str, Any]) -> None:
        """ConfigError for a tokenizer without a chat template."""
        if not getattr(tokenizer, "chat_template", None):
            raise ConfigError(
                f"--model {tokenizer.name_or_path}: its tokenizer has no chat template"
            )
        self.tokenizer, self._kwargs = tokenizer, dict(kwargs)
        tokens = {*tokenizer.added_tokens_encoder, *tokenizer.all_special_tokens}
        control = sorted(
            (t for t in tokens if len(t) > 1 and not t.isspace()), key=len, reverse=True
        )
        self._control = re.compile("|".join(map(re.escape, control)) or "(?!)")

    def __call__(self, messages: tuple[Message, ...], finished: bool = False) -> list[int]:
        """ConfigError where the template refuses the chat.

        `finished`: the chat ends with what the assistant said, and nothing is to follow; else with a
        user's turn that the assistant is to answer.
        """
        if not any(self._control.search(message.content) for message in messages):
            return self._plain(self._template(messages, finished))
        marks = [f"\u2983{number}\u2984" for number in range(len(messages))]
        marked = [Message(m.role, mark) for m, mark in zip(messages, marks, strict=True)]
        ids, rest = list[int](), self._template(tuple(marked), finished)
        for mark, message in zip(marks, messages, strict=True):
            before, _, rest = rest.partition(mark)
            ids += self._plain(before) + self._cut(message.content)
        return ids + self._plain(rest)

    @cached_property
    def lead(self) -> str:
        """How every prompt ends: what the template puts behind the user's turn; "" where nobody knows."""
        try:
            text = self._template((Message("user", "\u2983\u2984"),), finished=False)
        except ConfigError:  # it wants other turns than this one
            return ""
        return text.rpartition("\u2984")[2]

    def _template(self, messages: tuple[Message, ...], finished: bool) -> str:
        turns = [message._asdict() for message in messages]
        try:
            text = self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=not finished, **self._kwargs
            )
        except Exception as error:  # a template is a program: it may raise anything
            raise ConfigError(f"the model's chat template refuses the prompt: {error}") from error
        return str(text)

    def _plain(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _cut(self, text: str) -> list[int]:
        cuts = [0, *(match.start() + 1 for match in self._control.finditer(text)), len(text)]
        parts = [text[start:end] for start, end in pairwise(cuts)]
        return [token for part in parts for token in self._plain(part)]
