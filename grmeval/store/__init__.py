"""The run folder: made once, extended by launches, read by all; nothing here asks a model.

Open folder.py first: what lies in a run folder, and who writes it. find.py is how a command finds one.
"""

from grmeval.store.damage import damaged
from grmeval.store.environment import commit, memory, now
from grmeval.store.find import TRASH, all_runs, find_item, find_run, has_samples, latest, name_of
from grmeval.store.folder import RunFolder, run_id
from grmeval.store.hinted import is_hinted, refuse_hinted
from grmeval.store.item_texts import judged_items, judged_responses, judged_rows
from grmeval.store.items import items_table, limit_seed, rank_below, stored_ranks
from grmeval.store.journal import JournalWriter, LineWriter
from grmeval.store.lock import lock
from grmeval.store.names import check_name, drop_name, give_name
from grmeval.store.origins import IMPORT, PANEL, origin
from grmeval.store.part import asked_part, parts_of
from grmeval.store.question import (
    Question,
    covers,
    largest,
    record_of,
    saved,
    saved_tables,
    size_of,
)
from grmeval.store.read_samples import item_samples, sample_batches
from grmeval.store.record import read_record, write_record
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
from grmeval.store.stopped import (
    STOPPED,
    Stop,
    StopWriter,
    mend_stops,
    stopped_items,
    stops_of,
    take_stops,
)
from grmeval.store.trash import check_unwritten, empty_runs, left_behind, put_away, trash_folder

__all__ = [
    "IMPORT",
    "PANEL",
    "PARSED_COLUMNS",
    "REWARDS",
    "SAMPLES",
    "STOPPED",
    "TRASH",
    "JournalWriter",
    "LineWriter",
    "Question",
    "RewardFile",
    "RewardRow",
    "RunFolder",
    "SampleKey",
    "Stop",
    "StopWriter",
    "all_runs",
    "asked_part",
    "check_name",
    "check_unwritten",
    "commit",
    "covers",
    "damaged",
    "drop_name",
    "empty_runs",
    "find_item",
    "find_run",
    "give_name",
    "has_samples",
    "is_hinted",
    "is_meta_vote",
    "item_samples",
    "items_table",
    "journal_batches",
    "judged_items",
    "judged_responses",
    "judged_rows",
    "largest",
    "latest",
    "left_behind",
    "limit_seed",
    "lock",
    "memory",
    "mend_stops",
    "name_of",
    "named_damage",
    "now",
    "origin",
    "parts_of",
    "put_away",
    "rank_below",
    "read_batches",
    "read_record",
    "reading_judge",
    "record_of",
    "refuse_hinted",
    "reparse",
    "reparsed",
    "reward_names",
    "reward_records",
    "reward_rows",
    "run_id",
    "sample_batches",
    "sample_schema",
    "saved",
    "saved_tables",
    "size_of",
    "stopped_items",
    "stops_of",
    "stored_ranks",
    "take_stops",
    "trash_folder",
    "write_record",
]
