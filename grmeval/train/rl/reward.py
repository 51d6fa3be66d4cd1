"""The reward of judgements as TRL asks for it: read by the judge's own reader, +1 or -1 each.

A judgement that cannot be read earns -1, as a wrong one does, and so does one that met the token limit,
whatever stands in it: the reader of the evaluation counts it for nothing too. Nothing is earned by form.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from grmeval.items import Known, Reading
from grmeval.judges import Judge
from grmeval.train.reward import THRESHOLD, reward

__all__ = ["GrpoReward", "grpo_reward", "judgement_shares"]


class GrpoReward:
    """A reward function of a GRPOTrainer: (prompts, completions, **columns) -> a float each.

    Columns, a value a completion: `quality` [n] labels in the order shown, and `responses` [n] texts, of
    which a line in a judgement is no score (without them nothing is known to be a quote).
    """

    def __init__(
        self,
        judge: Judge,
        threshold: float = THRESHOLD,
        ends: Collection[int] | None = None,
        lead: str = "",
    ) -> None:
        """`ends`: token ids with which a completion ends by itself (the model's EOS ids and its padding).

        Without them a truncated completion is read as any other. `threshold`: a single response's (see
        `reward`). `lead`: how every prompt ends, where the chat template may open the thinking.
        """
        self.judge, self.threshold, self.ends, self.lead = judge, threshold, ends, lead
        self.__name__ = "reward"

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        *,
        quality: Sequence[Sequence[int]],
        responses: Sequence[Sequence[str]] | None = None,
        completion_ids: Sequence[Sequence[int]] | None = None,
        log_metric: Any = None,
        **columns: Any,
    ) -> list[float]:
        """+1.0 or -1.0 a completion; `log_metric(name, value)` is told `judgement_shares`."""
        readings = [
            self.read(
                completion,
                len(quality[at]),
                responses[at] if responses else (),
                completion_ids[at] if completion_ids else None,
            )
            for at, completion in enumerate(completions)
        ]
        if log_metric:
            for name, value in judgement_shares(readings).items():
                log_metric(name, value)
        return [
            float(reward(reading.scores, labels, self.threshold))
            for reading, labels in zip(readings, quality, strict=True)
        ]

    def read(
        self,
        completion: Any,
        n: int,
        responses: Sequence[str] = (),
        ids: Sequence[int] | None = None,
    ) -> Reading:
        """Scores in the order shown, or why there are none, of a text or a list of messages."""
        text, thinking = _said(completion)
        cut = self.ends is not None and ids is not None and (not ids or ids[-1] not in self.ends)
        known = Known(thinking, self.lead, responses)
        return self.judge.read(text, n, "length" if cut else "stop", known)


def grpo_reward(judge: Judge, threshold: float = THRESHOLD, tokenizer: Any = None) -> GrpoReward:
    """The reward for a GRPOTrainer of your own, over the rows of `grpo_rows`.

    `tokenizer`: the trainer's. With it a completion that met the token limit earns -1; without it such a
    one is read as any other.
    """
    if tokenizer is None:
        return GrpoReward(judge, threshold)
    ends = {tokenizer.eos_token_id, tokenizer.pad_token_id} - {None}
    return GrpoReward(judge, threshold, ends)


def judgement_shares(readings: Sequence[Reading]) -> dict[str, float]:
    """What is watched of a batch of judgements besides their reward; a share of nothing is left out.

    unreadable: of all. tied: the highest score is several responses', of the readable ones that compare.
    position_bias: the share of picks in the first slot less 1 / n, of the same; picks that tie are shared.
    """
    if not readings:
        return {}
    read = [reading.scores for reading in readings if reading.scores is not None]
    found = {"unreadable": 1 - len(read) / len(readings)}
    compared = [scores for scores in read if len(scores) > 1]
    if compared:
        leaders = [scores.count(max(scores)) for scores in compared]
        first = [
            (scores[0] == max(scores)) / many - 1 / len(scores)
            for scores, many in zip(compared, leaders, strict=True)
        ]
        found["tied"] = sum(many > 1 for many in leaders) / len(compared)
        found["position_bias"] = sum(first) / len(compared)
    return found


def _said(completion: Any) -> tuple[str, str | None]:
    """(what was said, what was thought where the trainer tells it apart) of a text or its messages."""
    if isinstance(completion, str):
        return completion, None
    last: Mapping[str, Any] = completion[-1]
    thought = last.get("reasoning_content") or last.get("thinking")
    return str(last.get("content") or ""), thought
