"""A flipped bit of a Parquet file is an error, or changes nothing; files of before are read."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grmeval.parquet import SEAL, ParquetFile, parquet_writer, read_parquet, write_parquet

TABLE = pa.table(
    {
        "id": pa.array([f"item {at % 7}" for at in range(40)]),
        "scores": pa.array([None if at % 9 == 0 else [at / 2, 3.0] for at in range(40)]),
        "j": pa.array(range(40), pa.int32()),
    }
)


def grouped(path: Path) -> Path:
    with parquet_writer(path, TABLE.schema) as writer:
        writer.write_table(TABLE, row_group_size=16)
    return path


def test_any_reader_opens_a_sealed_file(tmp_path: Path) -> None:
    path = grouped(tmp_path / "a.parquet")
    assert path.read_bytes().count(SEAL) == 1
    assert pq.read_table(path, page_checksum_verification=True).equals(TABLE)
    for source in (path, path.read_bytes()):
        assert read_parquet(source).equals(TABLE)
        assert read_parquet(source, ["j", "id"]).equals(TABLE.select(["j", "id"]))
    with ParquetFile(path) as file:
        assert (file.rows, file.row_groups, file.schema) == (40, 3, TABLE.schema)
        assert file.row_group(2, ["j"])["j"].to_pylist() == list(range(32, 40))
        assert [len(batch) for batch in file.batches(10)] == [10, 6, 10, 6, 8]


def test_an_empty_table_is_sealed_too(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", TABLE.slice(0, 0))
    assert SEAL in (tmp_path / "a.parquet").read_bytes()
    assert read_parquet(tmp_path / "a.parquet").equals(TABLE.slice(0, 0))


@pytest.mark.parametrize("checked", [False, True])
def test_a_file_without_a_seal_is_read(tmp_path: Path, checked: bool) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet", write_page_checksum=checked)
    assert read_parquet(tmp_path / "a.parquet").equals(TABLE)


def test_damage_is_told_by_column_and_rows(tmp_path: Path) -> None:
    whole = grouped(tmp_path / "a.parquet").read_bytes()
    chunk = pq.read_metadata(tmp_path / "a.parquet").row_group(1).column(1)
    damaged = bytearray(whole)
    damaged[chunk.data_page_offset + 1] ^= 1  # a page's header
    with pytest.raises(pa.ArrowInvalid, match=r"column 'scores', rows 17 to 32: not what was writ"):
        read_parquet(bytes(damaged))
    assert read_parquet(bytes(damaged), ["id", "j"]).equals(TABLE.select(["id", "j"]))
    with ParquetFile(bytes(damaged)) as file:
        assert len(file.row_group(0)) == 16
    damaged = bytearray(whole)
    damaged[-20] ^= 1
    with pytest.raises(pa.ArrowInvalid, match="its footer is not what was written"):
        read_parquet(bytes(damaged))


@pytest.mark.parametrize("step", [23, pytest.param(1, marks=pytest.mark.long)])
def test_every_bit_counts(tmp_path: Path, step: int) -> None:
    whole = grouped(tmp_path / "a.parquet").read_bytes()
    same = []
    for bit in range(0, 8 * len(whole), step):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            found = read_parquet(bytes(damaged))
        except (pa.ArrowException, OSError):
            continue
        assert found.equals(TABLE)
        same.append(bit // 8)
    # The first magic is not looked at; without SEAL there is no seal.
    seal = whole.index(SEAL)
    assert set(same) <= {*range(4), *range(seal, seal + len(SEAL))}
