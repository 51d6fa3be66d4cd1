"""A user's price file: what a model costs, by the token or by the GPU-hour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from grmeval.engines.models import slug
from grmeval.errors import ConfigError, nearest
from grmeval.files import read_toml

__all__ = ["Price", "Prices", "read_prices"]

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)
_MILLION = 1e6
_HOUR = 3600.0

MOST = 1e9
"""Of a price: what any number of tokens or hours comes to is finite."""


def _amount() -> Any:
    return Field(None, ge=0, le=MOST, allow_inf_nan=False)


class Price(BaseModel):
    """Of one model: per million tokens (`cached`: of prompts, out of the prefix cache), or per GPU-hour."""

    model_config = _STRICT
    prompt: float | None = _amount()
    cached: float | None = _amount()
    generated: float | None = _amount()
    gpu_hour: float | None = _amount()

    @model_validator(mode="after")
    def _one_kind(self) -> "Price":
        by_token = self.prompt is not None and self.generated is not None
        some = any(each is not None for each in (self.prompt, self.cached, self.generated))
        if by_token == (self.gpu_hour is not None) or some != by_token:
            raise ValueError("expected prompt and generated (and cached), or gpu_hour alone")
        return self

    def of(
        self,
        prompt: float | None,
        cached: float | None,
        generated: float | None,
        gpu_seconds: float | None,
    ) -> float | None:
        """The price of so many tokens, or seconds; None where what it goes by is not known.

        Where nobody knows which prompt tokens were cached, none were.
        """
        if self.gpu_hour is not None:
            return None if gpu_seconds is None else gpu_seconds / _HOUR * self.gpu_hour
        if self.prompt is None or self.generated is None or prompt is None or generated is None:
            return None
        apart = 0.0 if cached is None or self.cached is None else cached
        paid = (prompt - apart) * self.prompt + generated * self.generated
        return (paid + apart * (self.cached or 0.0)) / _MILLION


class _File(BaseModel):
    model_config = _STRICT
    currency: str
    models: dict[str, Price] = Field(min_length=1)

    @field_validator("currency")
    @classmethod
    def _short(cls, text: str) -> str:
        if not (1 <= len(text) <= 8 and text.isprintable() and " " not in text):
            raise ValueError("expected 1 to 8 printable characters without spaces")
        return text


@dataclass(frozen=True)
class Prices:
    """A price file that was read: `models` by the name that the user gave each."""

    path: Path
    currency: str
    models: Mapping[str, Price]

    def find(self, names: Sequence[str]) -> Price | None:
        """The price of a model that is called so; a hub id also as folders spell it (org--name)."""
        for name in names:
            for known, price in self.models.items():
                if name in (known, slug(known.replace("/", "--"))):
                    return price
        return None


def read_prices(path: Path | None) -> Prices | None:
    """Read a price file, if there is one; ConfigError names the file and the key."""
    if path is None:
        return None
    try:
        found = _File(**read_toml(path, "--prices "))
    except ValidationError as error:
        said = "\n".join(f"--prices {path}: {_explain(each)}" for each in error.errors())
        raise ConfigError(said) from None
    return Prices(path, found.currency, found.models)


def _explain(problem: Any) -> str:
    where = [str(part) for part in problem["loc"]]
    key = ".".join(f'"{part}"' if at == 1 else part for at, part in enumerate(where))
    if problem["type"] == "extra_forbidden":
        known = Price.model_fields if len(where) > 1 else _File.model_fields
        return f"unknown key {key}; {nearest(where[-1], tuple(known))}"
    if problem["type"] == "missing":
        return f"{key} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]} (given: {problem['input']!r})"
