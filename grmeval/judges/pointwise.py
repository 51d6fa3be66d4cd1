"""The pointwise GRM (arXiv 2504.02495, Eq. 7 and 9): principles, critique, one score a response."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grmeval import resources
from grmeval.errors import ConfigError
from grmeval.items import Item, Message, Reading
from grmeval.judges.parse import PARSER, read_scores

__all__ = ["PointwiseJudge"]


VARIABLES = "conversation (turns with role and content), responses (texts), n"


class PointwiseJudge:
    """All responses in one prompt; `Specific Criteria`, `Analysis`, `Scores: \\boxed{x, x}` out."""

    name = "pointwise"
    score_range = (1, 10)
    votes: tuple[str, ...] = ("sum", "mean", "median", "majority", "borda", "max")
    parser = PARSER

    def __init__(
        self,
        template: Path | None = None,
        system: str | None = None,
        structured_tokens: int | None = None,
    ) -> None:
        """Read the template (the packaged one by default); ConfigError if it cannot be used.

        `structured_tokens`: decoding is constrained to the output format, within that many tokens.
        """
        from jinja2 import StrictUndefined, TemplateError, meta
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        path = template or resources.tasks() / "templates" / "pointwise.jinja"
        try:
            self.template_text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"--template {path}: cannot be read as UTF-8 text: {why}") from None
        # The template is the user's, the texts put into it are strangers': they are only ever values.
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        try:
            self._template = environment.from_string(self.template_text)
            used = meta.find_undeclared_variables(environment.parse(self.template_text))
        except TemplateError as error:
            raise ConfigError(f"--template {path}: {error}") from None
        if "responses" not in used:
            raise ConfigError(f"--template {path}: shows no responses (variables: {VARIABLES})")
        self._path, self._system, self._tokens = path, system, structured_tokens

    def messages(self, item: Item, order: Sequence[int]) -> tuple[Message, ...]:
        """One user turn, after the system message if there is one."""
        try:
            prompt = self._template.render(
                conversation=item.conversation,
                responses=[item.responses[i] for i in order],
                n=item.n,
            )
        except Exception as error:  # a template is a program: it may raise anything
            raise ConfigError(
                f"--template {self._path}: {error} (variables: {VARIABLES})"
            ) from None
        user = Message("user", prompt)
        return (user,) if self._system is None else (Message("system", self._system), user)

    def grammar(self, n: int) -> str | None:
        """The output format. Its free lines are bounded so that the scores come before the token
        limit even where each character is a token of its own, as digits are to many tokenizers. (One
        character of a rare script may be several tokens: then a judgement can still be truncated.)"""
        if self._tokens is None:
            return None
        scores = ", ".join(["(10|[1-9])"] * n)
        fixed = len("Specific Criteria: \nAnalysis: \nScores: \\boxed{}") + 4 * n
        free = self._tokens - fixed
        if free < 24:
            raise ConfigError(
                f"--structured with --max-tokens {self._tokens}: {n} responses need at least {fixed + 24}"
            )
        return (
            rf"Specific Criteria: [^\n\\]{{1,{free // 3}}}\nAnalysis: [^\n\\]{{1,{free * 2 // 3}}}\n"
            rf"Scores: \\boxed\{{{scores}\}}"
        )

    def read(self, text: str, n: int, finish: str, thinking: str | None = None) -> Reading:
        """See `grmeval.judges.parse`."""
        return read_scores(text, n, finish, *self.score_range, thinking=thinking)

    def write(self, scores: Sequence[int], analysis: str) -> str:
        """A judgement in the output format."""
        boxed = ", ".join(str(score) for score in scores)
        return f"Specific Criteria: Correctness (100 %)\nAnalysis: {analysis}\nScores: \\boxed{{{boxed}}}"

    def identity(self) -> dict[str, Any]:
        """Name, the hash of the template's text, and the output format where it is enforced."""
        digest = hashlib.sha256(self.template_text.encode()).hexdigest()
        return {"name": self.name, "template": digest[:16], "grammar": self.grammar(2)}
