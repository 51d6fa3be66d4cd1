"""Reading Parquet starts no threads: pyarrow's outlive the call and can abort a process that exits soon."""

import json
import subprocess
import sys
from pathlib import Path

from grmeval.report.export import export
from tests.helpers import sampled

SCRIPT = """
import json, sys
from pathlib import Path

import psutil
import pyarrow.parquet
from grmeval.items import Key
from grmeval.parquet import read_parquet
from grmeval.store.samples import read_rows
from grmeval.runs.imports.judgement_file import read_judgements
from grmeval.store.read_samples import item_samples, sample_batches
from grmeval.store.folder import RunFolder

folder, export = RunFolder(Path(sys.argv[1])), Path(sys.argv[2])
read = {
    "read_parquet": lambda: read_parquet((folder.path / "items.parquet").read_bytes()),
    "items": folder.items,
    "read_rows": lambda: list(read_rows(folder.path, ["subset", "scores", "text"])),
    "sample_batches": lambda: list(sample_batches(folder, ["id", "text"], 10)),
    "item_samples": lambda: item_samples(folder, Key("facts-pairs", "facts-pair-01")),
    "read_judgements": lambda: list(read_judgements(export)),
}
process, found = psutil.Process(), {}
for name, call in read.items():
    before = process.num_threads()
    assert call()
    found[name] = process.num_threads() - before
print(json.dumps(found))
"""


def test_no_thread_is_left_behind(tmp_path: Path) -> None:
    folder = sampled(tmp_path / "r", k=2)
    export(folder, "samples", tmp_path / "x.parquet")
    words = [sys.executable, "-c", SCRIPT, str(folder.path), str(tmp_path / "x.parquet")]
    asked = subprocess.run(words, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    found = json.loads(asked.stdout)
    assert found == dict.fromkeys(found, 0)
