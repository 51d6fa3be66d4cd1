"""What all judges that are asked by a template share: the prompt, the output format, its grammar."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from grmeval import resources
from grmeval.errors import ConfigError
from grmeval.items import FREE, NOTHING_KNOWN, Item, Known, Message, Reading, Spent
from grmeval.judges.hint import HINT, hint, lacks_truth
from grmeval.judges.judge import Locate, Needs, Stop
from grmeval.judges.stop import Ending
from grmeval.judges.template import PromptTemplate

__all__ = ["PromptedJudge"]


class PromptedJudge(ABC):
    """All responses in one prompt made of a Jinja template; lines of free text and a last line out."""

    name: str
    about: str
    score_range: tuple[int, int] | None
    votes: tuple[str, ...]
    needs: Needs = Needs()
    picks: bool = False
    head: bool = False
    most: int | None = None
    parser: int
    template_name: str
    """Of the packaged template, tasks/templates/<template_name>.jinja."""
    lines: tuple[tuple[str, int], ...]
    """The output's lines of free text: (label, parts of the room for free text)."""
    last: str
    """Label of the output's last line, which holds the box."""
    variables: tuple[str, ...] = (
        "conversation (turns with role and content)",
        "responses (texts)",
        "n",
    )
    """The template's, with what they are."""
    shows: tuple[str, ...] = ("responses",)
    """Variables that every template must use."""

    def __init__(
        self,
        template: Path | None = None,
        system: str | None = None,
        structured_tokens: int | None = None,
        principles: Path | None = None,
    ) -> None:
        """Read the template (the packaged one by default); ConfigError if it cannot be used.

        `structured_tokens`: decoding is constrained to the output format, within that many tokens.
        `principles`: of the judge that is given some.
        """
        if principles and not self.needs.principles:
            raise ConfigError(
                f"--principles {principles}: judge {self.name} takes none; --judge pointwise-principles does"
            )
        path = template or resources.tasks() / "templates" / f"{self.template_name}.jinja"
        self._template = PromptTemplate("--template", path, self.variables, self.shows)
        self._system, self._tokens = system, structured_tokens
        self._hints = False

    def hinted(self) -> Self:
        """The same judge, told the truth behind its prompt: see `grmeval.judges.hint`."""
        told = copy.copy(self)
        told._hints = True
        return told

    def lacks(self, item: Item) -> str | None:
        """See Judge."""
        if item.n < self.needs.responses:
            return "have one response, and this judge compares"
        if self.needs.reference and not (item.reference or "").strip():
            return "have no reference answer"
        return lacks_truth(item) if self._hints else None

    def values(self, item: Item) -> dict[str, Any]:
        """Values of the template's variables besides the conversation, the responses and n."""
        return {}

    def messages(self, item: Item, order: Sequence[int]) -> tuple[Message, ...]:
        """One user turn, after the system message if there is one. ConfigError: the item lacks something."""
        if why := self.lacks(item):
            raise ConfigError(
                f"--judge {self.name}: cannot judge {item.subset}/{item.id}: such items {why}"
            )
        prompt = self._template.render(
            conversation=item.conversation,
            responses=[item.responses[i] for i in order],
            n=item.n,
            **self.values(item),
        )
        if self._hints:
            prompt = f"{prompt.rstrip()}\n\n{hint(item, order)}"
        user = Message("user", prompt)
        return (user,) if self._system is None else (Message("system", self._system), user)

    def chats(
        self, item: Item, order: Sequence[int], j: int
    ) -> tuple[tuple[Message, ...], ...] | None:
        """None: text is generated."""
        return None

    def spent(self, item: Item, j: int) -> Spent:
        """Nothing."""
        return FREE

    def grammar(self, n: int) -> str | None:
        """The output format. Its free lines are bounded so that the box comes before the token
        limit even where each character is a token of its own, as digits are to many tokenizers. (One
        character of a rare script may be several tokens: then a judgement can still be truncated.)"""
        if self._tokens is None:
            return None
        box, longest = self.box(n)
        frame = "".join(f"{label}: \n" for label, _ in self.lines) + f"{self.last}: \\boxed{{}}"
        fixed = len(frame) + longest
        free = self._tokens - fixed
        if free < 24:
            raise ConfigError(
                f"--structured with --max-tokens {self._tokens}: {n} responses need at least {fixed + 24}"
            )
        whole = sum(part for _, part in self.lines)
        texts = "".join(
            rf"{label}: [^\n\\]{{1,{free * part // whole}}}\n" for label, part in self.lines
        )
        return rf"{texts}{self.last}: \\boxed\{{{box}\}}"

    @abstractmethod
    def box(self, n: int) -> tuple[str, int]:
        """(a regular expression for what the box holds on n responses, room for the longest)."""
        ...

    @abstractmethod
    def boxed(self, scores: Sequence[int]) -> str:
        """What the box holds where a judgement gives these scores (slot order)."""
        ...

    def locate(self, n: int, responses: Sequence[str] = ()) -> Locate | None:
        """See Judge."""
        return None

    def stop(self, item: Item) -> Stop | None:
        """Behind the last line of the output format; see `grmeval.judges.stop`."""
        return Ending(tuple(label for label, _ in self.lines), self.last, self.read, item)

    @abstractmethod
    def read(self, text: str, n: int, finish: str, known: Known = NOTHING_KNOWN) -> Reading:
        """See Judge, and `grmeval.judges.parse`."""
        ...

    def write(self, scores: Sequence[int], analysis: str) -> str:
        """A judgement in the output format."""
        said = {"Specific Criteria": "Correctness (100 %)", "Analysis": analysis}
        texts = "".join(f"{label}: {said[label]}\n" for label, _ in self.lines)
        return f"{texts}{self.last}: \\boxed{{{self.boxed(scores)}}}"

    def identity(self) -> dict[str, Any]:
        """Name, the hash of the template's text, the output format where it is enforced, the hint's words."""
        made = {
            "name": self.name,
            "template": self._template.identity,
            "grammar": self.grammar(2),
        }
        return made | ({"hint": HINT} if self._hints else {})
