"""The baseline that costs nothing: how likely a judge found its own words, as a judgement's meta reward."""

from collections.abc import Iterable, Iterator

from grmeval.engines.scorer import Reward, ScoreRequest

__all__ = ["StoredLogprobs"]


class StoredLogprobs:
    """A Scorer without a model: the mean log-probability that lies with each sample."""

    context = 0

    def facts(self) -> dict[str, str]:
        """Where the numbers are from."""
        return {"engine": "samples"}

    def score(self, requests: Iterable[ScoreRequest]) -> Iterator[Reward]:
        """See Scorer; `no_logprob`: it was not kept when the sample was drawn."""
        for request in requests:
            reason = "no_logprob" if request.logprob is None else None
            yield Reward(request, request.logprob, reason, 0, 0)

    def close(self) -> None:
        """Nothing to free."""
