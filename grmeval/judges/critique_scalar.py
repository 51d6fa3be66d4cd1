"""Scalar reward models that read a critique before they score (CLoud, arXiv 2408.11791)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from grmeval import resources
from grmeval.items import NOTHING_KNOWN, Item, Key, Known, Message, Reading, Spent
from grmeval.judges.judge import Needs
from grmeval.judges.scalar import ScalarJudge
from grmeval.judges.template import PromptTemplate

__all__ = ["Critique", "CritiqueScalarJudge", "Critiques"]

NOTHING_READ = "[]"
"""The text of a sample for which a head was shown no chat."""


class Critique(NamedTuple):
    """One sampled text on an item; empty where it did not come to an end.

    `order[slot]` is the response that it calls number slot + 1; empty where nobody knows.
    """

    order: tuple[int, ...]
    text: str
    spent: Spent


class Critiques(Protocol):
    """Where critiques come from."""

    run: str
    """The run-id of the judgements that they are."""

    def lacks(self, key: Key) -> str | None:
        """What keeps an item from being judged, as in `3 items ...`; None: nothing."""
        ...

    def of(self, key: Key, j: int) -> Critique:
        """That of sample j of an item."""
        ...


class CritiqueScalarJudge(ScalarJudge):
    """The conversation, one response, the request for a critique and the critique: a raw logit each.

    Sample j reads critique j of another run; k samples are k critiques, and their mean is the reward
    (Eq. 12 of arXiv 2504.02495). A critique of several responses is shown once for each, with the
    number by which it calls the response. Without a critique a sample is invalid: `no_critique`.
    """

    name = "critique-scalar"
    about = "a head scores each response after reading a critique of another run"
    votes: tuple[str, ...] = ("mean", "sum")
    needs = Needs(critiques=True)
    template_name = "critique-scalar"
    most: int | None = None

    def __init__(self, template: Path | None = None, critiques: Critiques | None = None) -> None:
        """Read the template (the packaged one by default), ConfigError if it cannot be used.

        Without `critiques` it can read, and judge nothing.
        """
        path = template or resources.tasks() / "templates" / f"{self.template_name}.jinja"
        variables = ("number (of this response in the critique)", "n (responses in the critique)")
        self._template = PromptTemplate("--template", path, variables)
        for n in (1, 2):
            self._template.render(number=n, n=n)
        self._critiques = critiques

    @property
    def critiques(self) -> Critiques:
        """Those it was made with."""
        assert self._critiques is not None, "made to read, not to judge"
        return self._critiques

    def lacks(self, item: Item) -> str | None:
        """Critiques of this item."""
        return self.critiques.lacks(item.key)

    def chats(self, item: Item, order: Sequence[int], j: int) -> tuple[tuple[Message, ...], ...]:
        """One a response; none where the critique cannot be shown."""
        critique = self.critiques.of(item.key, j)
        if not critique.text.strip() or sorted(critique.order) != list(range(item.n)):
            return ()
        said = Message("assistant", critique.text)
        return tuple(
            (
                *item.conversation,
                Message("assistant", item.responses[index]),
                Message("user", self._ask(critique.order.index(index) + 1, item.n)),
                said,
            )
            for index in order
        )

    def _ask(self, number: int, n: int) -> str:
        return self._template.render(number=number, n=n)

    def spent(self, item: Item, j: int) -> Spent:
        """The tokens of the critique."""
        return self.critiques.of(item.key, j).spent

    def read(self, text: str, n: int, finish: str, known: Known = NOTHING_KNOWN) -> Reading:
        """See ScalarJudge.read; reason besides: no_critique."""
        found = super().read(text, n, finish, known)
        if found.invalid == "no_score" and text == NOTHING_READ:
            return found._replace(invalid="no_critique")
        return found

    def identity(self) -> dict[str, Any]:
        """As of the others, and whose critiques it reads."""
        return {
            "name": self.name,
            "template": self._template.identity,
            "critiques": self.critiques.run,
        }
