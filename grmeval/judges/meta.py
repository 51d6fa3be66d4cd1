"""The meta RM's prompt (arXiv 2504.02495, section 4): a judgement is shown to a model that rates it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from grmeval import resources
from grmeval.errors import ConfigError
from grmeval.items import Item, Message

__all__ = ["MetaPrompt"]

VARIABLES = "conversation (turns with role and content), responses (texts), n"


class MetaPrompt:
    """Query and all responses as the user's turn; principles and critique as the assistant's."""

    def __init__(self, template: Path | None = None) -> None:
        """Read the template (the packaged one by default); ConfigError if it cannot be used."""
        from jinja2 import StrictUndefined, TemplateError, meta
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        self._path = template or resources.tasks() / "templates" / "meta.jinja"
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(
                f"--meta-template {self._path}: cannot be read as UTF-8 text: {why}"
            ) from None
        # The template is the user's, the texts put into it are strangers': they are only ever values.
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        try:
            self._template = environment.from_string(text)
            used = meta.find_undeclared_variables(environment.parse(text))
        except TemplateError as error:
            raise ConfigError(f"--meta-template {self._path}: {error}") from None
        if "responses" not in used:
            raise ConfigError(
                f"--meta-template {self._path}: shows no responses (variables: {VARIABLES})"
            )
        self.identity = hashlib.sha256(text.encode()).hexdigest()[:16]

    def messages(self, item: Item, order: Sequence[int], judgement: str) -> tuple[Message, ...]:
        """The chat of one judgement, which saw `item.responses` in `order` (slot -> response index)."""
        try:
            prompt = self._template.render(
                conversation=item.conversation,
                responses=[item.responses[i] for i in order],
                n=item.n,
            )
        except Exception as error:  # a template is a program: it may raise anything
            raise ConfigError(
                f"--meta-template {self._path}: {error} (variables: {VARIABLES})"
            ) from None
        return Message("user", prompt), Message("assistant", judgement)
