"""The run folder: made once, extended by launches, read by all; nothing here asks a model.

Open folder.py first: what lies in a run folder, and who writes it. find.py is how a command finds one.
"""

from grmeval.store.damage import damaged
from grmeval.store.environment import commit, memory, now
from grmeval.store.find import all_runs, find_item, find_run, latest
from grmeval.store.folder import RunFolder, run_id
from grmeval.store.item_texts import judged_items, judged_responses, judged_rows
from grmeval.store.items import items_table, limit_seed, rank_below, stored_ranks
from grmeval.store.journal import JournalWriter, LineWriter
from grmeval.store.origins import IMPORT, PANEL, origin
from grmeval.store.part import asked_part, parts_of
from grmeval.store.question import Question, holds, largest, record_of, saved, size_of
from grmeval.store.read_samples import item_samples, sample_batches
from grmeval.store.reparse import PARSED_COLUMNS, reading_judge, reparse, reparsed
from grmeval.store.rewards import (
    REWARDS,
    RewardFile,
    RewardRow,
    is_meta_vote,
    reward_names,
    reward_records,
    reward_rows,
)
from grmeval.store.samples import (
    SAMPLES,
    SampleKey,
    journal_batches,
    named_damage,
    read_batches,
    sample_schema,
)

__all__ = [
    "IMPORT",
    "PANEL",
    "PARSED_COLUMNS",
    "REWARDS",
    "SAMPLES",
    "JournalWriter",
    "LineWriter",
    "Question",
    "RewardFile",
    "RewardRow",
    "RunFolder",
    "SampleKey",
    "all_runs",
    "asked_part",
    "commit",
    "damaged",
    "find_item",
    "find_run",
    "holds",
    "is_meta_vote",
    "item_samples",
    "items_table",
    "journal_batches",
    "judged_items",
    "judged_responses",
    "judged_rows",
    "largest",
    "latest",
    "limit_seed",
    "memory",
    "named_damage",
    "now",
    "origin",
    "parts_of",
    "rank_below",
    "read_batches",
    "reading_judge",
    "record_of",
    "reparse",
    "reparsed",
    "reward_names",
    "reward_records",
    "reward_rows",
    "run_id",
    "sample_batches",
    "sample_schema",
    "saved",
    "size_of",
    "stored_ranks",
]
