"""Measure: pure functions on arrays that turn stored judgements into numbers with error bars."""

from grmeval.measure.adaptive import ADDING, BOUNDED, Prospects, Scale, Spread, games, prospects
from grmeval.measure.arena import RankingFigures, bradley_terry, ranking_figures
from grmeval.measure.bootstrap import resampled
from grmeval.measure.gate import (
    Advice,
    SectionVerdicts,
    Verdict,
    advice,
    decide,
    decide_sections,
    smallest_margin,
)
from grmeval.measure.intervals import Estimate, estimate, wilson
from grmeval.measure.metrics import auc_estimate, auc_inside, roc_auc
from grmeval.measure.outcomes import (
    ON_INVALID,
    TIES,
    Outcomes,
    credit,
    judge_games,
    judge_single,
    judge_totals,
)
from grmeval.measure.paired import Contrast, Panel, auc_panel, panel, slope_coefficients
from grmeval.measure.pools import PoolFigures, best_of_first, curve_figures, oracle_of_first
from grmeval.measure.scaling import Curve, term_curve, vote_curve
from grmeval.measure.seeds import limits_over_seeds, over_seeds, spread
from grmeval.measure.significance import (
    Significance,
    benjamini_hochberg,
    compare_columns,
    correlation_test,
    detectable,
    holm,
    mcnemar,
    sign_flip,
    t_test,
)
from grmeval.measure.split import vote_noise
from grmeval.measure.ties import TIES_WEIGHTS, ties_terms
from grmeval.measure.votes import VOTE_TABLE, VOTES, Extra, Vote, subset_totals, totals

__all__ = [
    "ADDING",
    "BOUNDED",
    "ON_INVALID",
    "TIES",
    "TIES_WEIGHTS",
    "VOTES",
    "VOTE_TABLE",
    "Advice",
    "Contrast",
    "Curve",
    "Estimate",
    "Extra",
    "Outcomes",
    "Panel",
    "PoolFigures",
    "Prospects",
    "RankingFigures",
    "Scale",
    "SectionVerdicts",
    "Significance",
    "Spread",
    "Verdict",
    "Vote",
    "advice",
    "auc_estimate",
    "auc_inside",
    "auc_panel",
    "benjamini_hochberg",
    "best_of_first",
    "bradley_terry",
    "compare_columns",
    "correlation_test",
    "credit",
    "curve_figures",
    "decide",
    "decide_sections",
    "detectable",
    "estimate",
    "games",
    "holm",
    "judge_games",
    "judge_single",
    "judge_totals",
    "limits_over_seeds",
    "mcnemar",
    "oracle_of_first",
    "over_seeds",
    "panel",
    "prospects",
    "ranking_figures",
    "resampled",
    "roc_auc",
    "sign_flip",
    "slope_coefficients",
    "smallest_margin",
    "spread",
    "subset_totals",
    "t_test",
    "term_curve",
    "ties_terms",
    "totals",
    "vote_curve",
    "vote_noise",
    "wilson",
]
