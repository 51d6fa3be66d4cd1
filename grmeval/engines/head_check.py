"""What a head cannot be asked, seen from its config and its chat template: no model is loaded."""

from grmeval.engines.model_files import encoder, own
from grmeval.engines.settings import ModelSettings
from grmeval.errors import ConfigError
from grmeval.items import Message

__all__ = ["Refusals", "check_labels", "no_head", "own"]


def no_head(model: str, labels: int) -> ConfigError:
    """A model without a head that gives one number."""
    return ConfigError(
        f"{model}: it has no head that gives one number: a sequence-classification model "
        f"(…ForSequenceClassification) with num_labels 1 is needed; its num_labels is {labels}"
    )


def check_labels(settings: ModelSettings) -> None:
    """ConfigError: its config says another number of labels than 1 (2, where it says none)."""
    if "hf_overrides" in settings.arguments:
        return
    config = own("AutoConfig", settings.model, settings.revision, settings.trust_remote_code)
    if config is not None and config.num_labels != 1:
        raise no_head(settings.model, config.num_labels)


class Refusals:
    """Which finished chats a model's chat template refuses."""

    def __init__(self, settings: ModelSettings) -> None:
        """Read the tokenizer; ConfigError: it has no chat template."""
        self._model = settings.model
        self._encode = encoder(settings)

    def __call__(self, chat: tuple[Message, ...]) -> str | None:
        """What keeps it from being scored, as in `3 items ...`; None: nothing."""
        said = self._said(chat)
        if said is None:
            return None
        rest = tuple(message for message in chat if message.role != "system")
        if len(rest) < len(chat) and self._said(rest) is None:
            return (
                f"have a system turn, which the chat template of {self._model} refuses ({said}): take rows "
                "without one, or a copy of the model's folder with another chat_template.jinja"
            )
        return (
            f"have a chat that the chat template of {self._model} does not take ({said}): leave them out, or "
            "take a copy of the model's folder with another chat_template.jinja"
        )

    def _said(self, chat: tuple[Message, ...]) -> str | None:
        try:
            if self._encode:
                self._encode.render(chat, finished=True)
        except ConfigError as error:
            return str(error.__cause__ or error)
        return None
