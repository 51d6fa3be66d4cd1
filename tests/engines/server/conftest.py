"""A quick chat server of our own for a test, with the manners it asks for."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.engines.server.chat_server import Manners, Served, serving


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Served]]:
    """`serve(**manners)` starts a server; all end with the test."""
    for name in ("GRMEVAL_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as opened:

        def start(**manners: Any) -> Served:
            return opened.enter_context(serving(Manners(**manners)))

        yield start
