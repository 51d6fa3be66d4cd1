"""What each item earned: votes, tie rules, outcomes, and columns of them to be paired.

Open verdicts.py first.
"""

from grmeval.score.verdicts.judge_run import judge_run
from grmeval.score.verdicts.paired import (
    NAN,
    Column,
    Contrasts,
    Frame,
    Part,
    UnitKey,
    column,
    framed,
    unit_keys,
)
from grmeval.score.verdicts.record import ask, grown, is_record, rules_of, same, told
from grmeval.score.verdicts.roc_auc import DRAWS, common_subsets
from grmeval.score.verdicts.rules import Rules
from grmeval.score.verdicts.same_rows import (
    Common,
    check_same,
    common_limit,
    deepest,
    digests,
    formed,
    unlike_metrics,
    unlike_subsets,
)
from grmeval.score.verdicts.ties_subset import TERMS
from grmeval.score.verdicts.totals import ranking
from grmeval.score.verdicts.verdicts import Verdicts
from grmeval.score.verdicts.votes import (
    alike_scales,
    ballot,
    check_countable,
    check_panel_votes,
    check_scale,
    check_votes,
    own_votes,
    unrewarded,
    usual_vote,
)

__all__ = [
    "DRAWS",
    "NAN",
    "TERMS",
    "Column",
    "Common",
    "Contrasts",
    "Frame",
    "Part",
    "Rules",
    "UnitKey",
    "Verdicts",
    "alike_scales",
    "ask",
    "ballot",
    "check_countable",
    "check_panel_votes",
    "check_same",
    "check_scale",
    "check_votes",
    "column",
    "common_limit",
    "common_subsets",
    "deepest",
    "digests",
    "formed",
    "framed",
    "grown",
    "is_record",
    "judge_run",
    "own_votes",
    "ranking",
    "rules_of",
    "same",
    "told",
    "unit_keys",
    "unlike_metrics",
    "unlike_subsets",
    "unrewarded",
    "usual_vote",
]
