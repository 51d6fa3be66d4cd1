"""Texts that UTF-8 can hold, whatever came: JSON can spell half a character (a lone surrogate)."""

from typing import Any

__all__ = ["cleaned", "whole"]


def whole(text: str) -> str:
    """Neither a tokenizer, nor JSON in UTF-8, nor Parquet can hold a lone surrogate: `?` stands for it."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def cleaned(value: Any, hidden: str | None = None) -> Any:
    """What JSON held, with every text in it whole; `hidden`: what no text may say."""
    if isinstance(value, str):
        text = whole(value)
        return text.replace(hidden, "…") if hidden else text
    if isinstance(value, list):
        return [cleaned(each, hidden) for each in value]
    if isinstance(value, dict):
        return {cleaned(name, hidden): cleaned(each, hidden) for name, each in value.items()}
    return value
