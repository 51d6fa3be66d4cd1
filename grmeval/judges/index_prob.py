"""LLM-as-a-judge with token probability: how sure the model was of the number it wrote."""

from collections.abc import Sequence
from functools import partial

from grmeval.judges.index import IndexJudge
from grmeval.judges.judge import Locate
from grmeval.judges.parse import locate_pick

__all__ = ["IndexProbJudge"]


class IndexProbJudge(IndexJudge):
    """The index judge; a sample's weight is the probability of its pick (`LLM-as-a-Judge w/ TokenProb`).

    It is the product over the tokens that write the number (`10` is two tokens to many tokenizers; one that
    writes more than the number, `2}`, counts as it is), each the model's own probability given the text
    before: softmax of the raw logits, whatever the temperature and top-p it was drawn with. With
    --structured the engine gives the probability among the tokens that the format allows there.
    """

    name = "index-prob"
    about = "as index, each pick weighted by its probability"
    votes = ("token-prob", "majority")

    def locate(self, n: int, responses: Sequence[str] = ()) -> Locate:
        """The digits of the pick."""
        return partial(locate_pick, n=n, responses=responses)
