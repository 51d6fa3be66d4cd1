"""The meta RM's prompt (arXiv 2504.02495, section 4): a judgement is shown to a model that rates it."""

from collections.abc import Sequence
from pathlib import Path

from grmeval import resources
from grmeval.items import Item, Message
from grmeval.judges.template import PromptTemplate

__all__ = ["MetaPrompt"]

VARIABLES = ("conversation (turns with role and content)", "responses (texts)", "n")


class MetaPrompt:
    """Query and all responses as the user's turn; principles and critique as the assistant's."""

    def __init__(self, template: Path | None = None) -> None:
        """Read the template (the packaged one by default); ConfigError if it cannot be used."""
        path = template or resources.tasks() / "templates" / "meta.jinja"
        self._template = PromptTemplate("--meta-template", path, VARIABLES, ("responses",))
        self.identity = self._template.identity

    def messages(self, item: Item, order: Sequence[int], judgement: str) -> tuple[Message, ...]:
        """The chat of one judgement, which saw `item.responses` in `order` (slot -> response index)."""
        prompt = self._template.render(
            conversation=item.conversation,
            responses=[item.responses[i] for i in order],
            n=item.n,
        )
        return Message("user", prompt), Message("assistant", judgement)
