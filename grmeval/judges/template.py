"""Prompt texts in Jinja: the template is the user's, the texts put into it are strangers'."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grmeval.errors import ConfigError

__all__ = ["PromptTemplate"]


class PromptTemplate:
    """One template file; messages name the `flag` that takes another one."""

    def __init__(
        self, flag: str, path: Path, variables: Sequence[str], shows: Sequence[str] = ()
    ) -> None:
        """Read it; ConfigError: it cannot be read, is no Jinja, or does not use each name of `shows`.

        `variables` are what it may use, in words.
        """
        from jinja2 import StrictUndefined, TemplateError, meta
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        self._name, self._known = f"{flag} {path}", f"variables: {', '.join(variables)}"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"{self._name}: cannot be read as UTF-8 text: {why}") from None
        # Strangers' texts are only ever values.
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        try:
            self._template = environment.from_string(text)
            used = meta.find_undeclared_variables(environment.parse(text))
        except TemplateError as error:
            raise ConfigError(f"{self._name}: {error}") from None
        if absent := [name for name in shows if name not in used]:
            raise ConfigError(f"{self._name}: shows no {absent[0]} ({self._known})")
        self.identity = hashlib.sha256(text.encode()).hexdigest()[:16]

    def render(self, **values: Any) -> str:
        """The prompt; ConfigError where the template fails on these values."""
        try:
            return self._template.render(**values)
        except Exception as error:  # a template is a program: it may raise anything
            raise ConfigError(f"{self._name}: {error} ({self._known})") from None
