"""Chats -> token ids, for engines that take ids: a text of a benchmark cannot pose as a control token."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple

from grmeval.engines.traced import Traced
from grmeval.errors import ConfigError
from grmeval.items import Message

__all__ = ["ChatEncoder", "Rendered"]

_PRIVATE = range(0xF0000, 0x110000)
_NEVER_TEXT = [chr(code) for code in range(0xFDD0, 0xFDF0)]
"""Characters that Unicode keeps out of every text."""


class Rendered(NamedTuple):
    """A chat as its template writes it, in parts: text, a control token of the template, text, ..."""

    parts: tuple[str, ...]
    spelled: bool
    """Whether a text, or one that goes on in the template's words, spells a control token as well."""

    @property
    def text(self) -> str:
        """The whole."""
        return "".join(self.parts)


class ChatEncoder:
    """Chats -> token ids. The chat template is applied here, once, and adds the only BOS there is.

    Text of a benchmark may spell a control token (`<|im_end|>`); encoded as one it would end our turn
    and speak as the judge. Only those that the template wrote are encoded as such, the others as any text.
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
        self._control = re.compile(f"({'|'.join(map(re.escape, control)) or '(?!)'})")
        self._letters = sorted({letter for letter in "".join(control) if not letter.isspace()})
        self._ids: dict[str, int] = {t: tokenizer.convert_tokens_to_ids(t) for t in control}
        # Of a character that no token has it is no control token.
        self._acting = {*self._ids.values()} - {getattr(tokenizer, "unk_token_id", None)}
        self._apart = cache(self._make_apart)

    def __call__(self, messages: tuple[Message, ...], finished: bool = False) -> list[int]:
        """As transformers' `apply_chat_template`, but for what texts spell; ConfigError: see `render`.

        `finished`: the chat ends with what the assistant said, and nothing is to follow; else with a
        user's turn that the assistant is to answer.
        """
        rendered = self.render(messages, finished)
        plain = [] if rendered.spelled else self._plain(rendered.text)
        return self._checked(messages, rendered, plain)

    def many(self, chats: Sequence[tuple[Message, ...]], finished: bool = False) -> list[list[int]]:
        """The same of each: tokenised together, and without offsets, they take a fraction of the time."""
        rendered = [self.render(chat, finished) for chat in chats]
        texts = ["" if each.spelled else each.text for each in rendered]
        together = zip(chats, rendered, self._batch(texts), strict=True)
        return [self._checked(chat, each, plain) for chat, each, plain in together]

    def _checked(
        self, messages: tuple[Message, ...], rendered: Rendered, plain: list[int]
    ) -> list[int]:
        """`plain`: ids of the whole as any text, where no text spells a control token."""
        own = [self._ids[token] for token in rendered.parts[1::2]]
        if not rendered.spelled:
            # More than the template wrote: the tokenizer's normalizer makes some of other characters.
            return plain if len(self._act(plain)) <= len(own) else self._as_text(rendered)
        ids = self._as_text(rendered)
        if self._act(ids) != [token for token in own if token in self._acting]:
            raise ConfigError(
                f"a text spells {self._spelled(messages)}, which the model's tokenizer cannot read as "
                "plain text"
            )
        return ids

    def render(self, messages: tuple[Message, ...], finished: bool = False) -> Rendered:
        """What the template makes of a chat, and which control tokens in it are the template's own.

        ConfigError: the template refuses the chat, or what it does with control tokens in a text cannot be
        followed.
        """
        text = self._template(messages, finished)
        everything = {*text, *(letter for message in messages for letter in message.content)}
        private = (chr(code) for code in _PRIVATE if chr(code) not in everything)
        disguise = dict(zip(self._letters, private, strict=False))
        letters = str.maketrans(disguise)
        lifted = str.maketrans({hidden: letter for letter, hidden in disguise.items()})
        traced = [
            m._replace(content=Traced(m.content.translate(letters), m.content)) for m in messages
        ]
        try:
            parts = self._control.split(self._template(tuple(traced), finished))
        except ConfigError:
            parts = []
        parts = [part.translate(lifted) for part in parts]
        if "".join(parts) == text:
            return Rendered(tuple(parts), parts != self._control.split(text))
        if spelled := self._spelled(messages):
            raise ConfigError(
                f"a text spells {spelled}, and what the model's chat template makes of it cannot be followed"
            )
        return Rendered(tuple(self._control.split(text)), False)

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

    def _spelled(self, messages: tuple[Message, ...]) -> str:
        found = (token for m in messages for token in self._control.findall(m.content))
        return ", ".join(dict.fromkeys(found))

    def _act(self, ids: list[int]) -> list[int]:
        return [token for token in ids if token in self._acting]

    def _plain(self, text: str, **how: bool) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, **how)["input_ids"])

    def _batch(self, texts: Sequence[str]) -> Iterator[list[int]]:
        if not getattr(self.tokenizer, "is_fast", False):
            return map(self._plain, texts)
        found = self._unlimited.encode_batch_fast(list(texts), add_special_tokens=False)
        return (each.ids for each in found)

    @cached_property
    def _unlimited(self) -> Any:
        """The tokenizer below transformers' own; one that cuts or pads, as a copy that does neither."""
        found = self.tokenizer.backend_tokenizer
        if found.truncation or found.padding:
            found = copy.deepcopy(found)
            found.no_truncation()
            found.no_padding()
        return found

    def _as_text(self, rendered: Rendered) -> list[int]:
        """Ids where the template's tokens are control tokens and the rest is text, whatever it spells."""
        if not getattr(self.tokenizer, "is_fast", False):
            return [
                token
                for at, part in enumerate(rendered.parts)
                for token in (
                    [self._ids[part]] if at % 2 else self._plain(part, split_special_tokens=True)
                )
            ]
        mark = next((c for c in _NEVER_TEXT if c not in rendered.text), _NEVER_TEXT[0])
        return self._apart(mark)(rendered.parts)

    def _make_apart(self, mark: str) -> Callable[[tuple[str, ...]], list[int]]:
        """The same tokenizer, but its control tokens are spelled with `mark`, which no text holds.

        So the whole is encoded at once, as the tokenizer itself does: white space around control tokens, a
        prefix at the start.
        """
        from tokenizers import AddedToken, Tokenizer

        own = self.tokenizer.backend_tokenizer
        apart = Tokenizer(own.model)
        for part in ("normalizer", "pre_tokenizer"):
            if getattr(own, part) is not None:
                setattr(apart, part, getattr(own, part))
        added = sorted(own.get_added_tokens_decoder().items())
        names = {t.content: f"{mark}{at}{mark}" for at, t in added if t.content in self._ids}
        flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
        apart.add_tokens(
            [
                AddedToken(
                    names.get(t.content, t.content), **{flag: getattr(t, flag) for flag in flags}
                )
                for _, t in added
            ]
        )
        ids = {apart.token_to_id(names.get(t.content, t.content)): at for at, t in added}

        def encode(parts: tuple[str, ...]) -> list[int]:
            text = "".join(names[part] if at % 2 else part for at, part in enumerate(parts))
            found = apart.encode(text, add_special_tokens=False).ids
            return [ids.get(token, token) for token in found]

        return encode
