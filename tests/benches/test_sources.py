"""One benchmark, whatever it is packed in: the same items; what is damaged is named."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import shutil
import socket
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grmeval.benches import Loaded, load
from grmeval.benches.rows import read_rows
from grmeval.benches.sources import damage, read_files
from grmeval.errors import DataError
from tests.zipcrypto import encrypted_zip

ROOT = "RMB_dataset"


def pair(uid: str, word: str) -> dict[str, Any]:
    return {
        "pair_uid": uid,
        "conversation_input": [{"role": "user", "content": f"Say {word} – ünïcode"}],
        "chosen": {"llm_name": "a", "answer": word},
        "reject": {"llm_name": "b", "answer": f"no {word}"},
        "category_path": "",
    }


FILES = {
    f"{ROOT}/Pairwise_set/Harmlessness/S1.json": [pair("1", "one"), pair("2", "two")],
    f"{ROOT}/Pairwise_set/Helpfulness/Chat/Casual Conversation.json": [pair("3", "three")],
    "eval/result/scores.json": [{"pair_uid": "9"}],
    "README.md": ["not read"],
}


def write_folder(base: Path) -> Path:
    for name, rows in FILES.items():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text(json.dumps(rows), "utf-8")
    return base


def write_tar(path: Path, mode: Literal["w", "w:xz", "w:gz"], above: str = "") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, rows in FILES.items():
            content = json.dumps(rows).encode()
            member = tarfile.TarInfo(above + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_zip(path: Path, above: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir(f"{above}{ROOT}")
        for name, rows in FILES.items():
            archive.writestr(above + name, json.dumps(rows))
    return path


COPIES: dict[str, Callable[[Path], Path]] = {
    "the folder itself": lambda tmp: write_folder(tmp) / ROOT,
    "the folder above": write_folder,
    "two folders above": lambda tmp: write_folder(tmp / "repository").parent,
    ".tar": lambda tmp: write_tar(tmp / "a.tar", "w"),
    ".tar.xz": lambda tmp: write_tar(tmp / "a.tar.xz", "w:xz"),
    ".txz": lambda tmp: write_tar(tmp / "a.txz", "w:xz"),
    ".tar.gz": lambda tmp: write_tar(tmp / "a.tar.gz", "w:gz"),
    ".tgz": lambda tmp: write_tar(tmp / "a.tgz", "w:gz"),
    ".zip": lambda tmp: write_zip(tmp / "a.zip"),
    ".tar below a folder": lambda tmp: write_tar(tmp / "a.tar", "w", "RMB-main/"),
    ".tar made with a dot": lambda tmp: write_tar(tmp / "a.tar", "w", "./"),
    ".zip below a folder": lambda tmp: write_zip(tmp / "a.zip", "RMB-main/"),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load("rmb", write_folder(tmp_path_factory.mktemp("plain")))


def test_the_plain_copy_is_what_was_written(plain: Loaded) -> None:
    assert [(i.subset, i.id, i.responses) for i in plain.items] == [
        ("Pairwise_set/Harmlessness/S1", "1", ("one", "no one")),
        ("Pairwise_set/Harmlessness/S1", "2", ("two", "no two")),
        ("Pairwise_set/Helpfulness/Chat/Casual Conversation", "3", ("three", "no three")),
    ]
    assert plain.items[0].conversation[0].content == "Say one – ünïcode"


@pytest.mark.parametrize("kind", COPIES)
def test_every_packing_gives_the_same_items(kind: str, plain: Loaded, tmp_path: Path) -> None:
    loaded = load("rmb", COPIES[kind](tmp_path))
    assert loaded.items == plain.items
    assert loaded.content_hash == plain.content_hash


def test_nothing_is_unpacked(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar.xz", "w:xz")
    load("rmb", archive)
    assert list(tmp_path.rglob("*")) == [archive]


def test_a_link_out_of_the_archive_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps([pair("7", "secret")]), "utf-8")
    path = write_tar(tmp_path / "a.tar", "w")
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo(f"{ROOT}/Pairwise_set/Harmlessness/S2.json")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    assert {item.id for item in load("rmb", path).items} == {"1", "2", "3"}


def test_files_come_sorted_and_below_the_root(tmp_path: Path) -> None:
    names = [name for name, _ in read_files(write_folder(tmp_path), ROOT, ["*"])]
    assert names == sorted(name.removeprefix(f"{ROOT}/") for name in FILES if ROOT in name)


def test_a_single_file_is_itself(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b"{}")
    assert list(read_files(tmp_path / "rows.jsonl", "", ["*"])) == [("rows.jsonl", b"{}")]


def test_a_pattern_crosses_folders_and_nothing_else_is_read(tmp_path: Path) -> None:
    for name in ("a/b/c.json", "a/b.txt", "b/c.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"[]")
    os.mkfifo(tmp_path / "a" / "pipe")  # to open it would block for ever
    assert [name for name, _ in read_files(tmp_path, "", ["a/*.json"])] == ["a/b/c.json"]


# ---------------------------------------------------------------------- what cannot be read


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def garbage(path: Path) -> Path:
    path.write_bytes(bytes(range(256)) * 8)
    return path


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def spoilt_in_the_middle(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return path


BAD: dict[str, Callable[[Path], Path]] = {
    "missing": lambda tmp: tmp / "nowhere",
    "missing archive": lambda tmp: tmp / "nowhere.tar.xz",
    "empty folder": lambda tmp: folder(tmp / "bare"),
    "folder without the root": lambda tmp: folder(tmp / "other") and tmp,
    "empty .tar": lambda tmp: empty(tmp / "a.tar"),
    "empty .tar.gz": lambda tmp: empty(tmp / "a.tar.gz"),
    "empty .zip": lambda tmp: empty(tmp / "a.zip"),
    "garbage .tar.xz": lambda tmp: garbage(tmp / "a.tar.xz"),
    "garbage .tar.gz": lambda tmp: garbage(tmp / "a.tar.gz"),
    "garbage .tar": lambda tmp: garbage(tmp / "a.tar"),
    "garbage .zip": lambda tmp: garbage(tmp / "a.zip"),
    "cut .tar": lambda tmp: cut(write_tar(tmp / "a.tar", "w"), 0.06),
    "cut .tar.xz": lambda tmp: cut(write_tar(tmp / "a.tar.xz", "w:xz"), 0.5),
    "cut .tar.gz": lambda tmp: cut(write_tar(tmp / "a.tar.gz", "w:gz"), 0.5),
    "cut .zip": lambda tmp: cut(write_zip(tmp / "a.zip"), 0.9),
    "spoilt .tar.xz": lambda tmp: spoilt_in_the_middle(write_tar(tmp / "a.tar.xz", "w:xz")),
    "spoilt .tar.gz": lambda tmp: spoilt_in_the_middle(write_tar(tmp / "a.tar.gz", "w:gz")),
    "a zip named .tar": lambda tmp: write_zip(tmp / "a.zip").rename(tmp / "a.tar"),
    "a text": lambda tmp: garbage(tmp / "notes.txt"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_copy_that_cannot_be_read_is_named(kind: str, tmp_path: Path) -> None:
    path = BAD[kind](tmp_path)
    with pytest.raises(DataError) as caught:
        load("rmb", path)
    assert f"--data {path}" in str(caught.value)


@pytest.mark.parametrize("kind", [".zip", ".tar.gz", ".tar.xz"])
def test_no_single_spoilt_byte_changes_a_text_unnoticed(kind: str, tmp_path: Path) -> None:
    """Each of these formats has checksums over its texts (not over names): refused, or as it was."""
    path = COPIES[kind](tmp_path)
    whole, content = dict(read_files(path, ROOT, ["*"])), path.read_bytes()
    changed = []
    for at in range(len(content)):
        spoilt = bytearray(content)
        spoilt[at] ^= 0x10
        path.write_bytes(spoilt)
        try:
            found = dict(read_files(path, ROOT, ["*"]))
        except DataError:
            continue
        changed += (
            [at] if any(found[name] != whole[name] for name in found if name in whole) else []
        )
    assert changed == []


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_a_spoilt_byte_is_damage_or_changes_nothing(kind: str, tmp_path: Path) -> None:
    """Whatever the decompressors raise, it is never an error of another kind."""
    path = COPIES[kind](tmp_path)
    content = path.read_bytes()
    assert damage(path, path.name, None, "x") is None
    for at in range(len(content)):
        for bits in (0x10, 0xFF):
            spoilt = bytearray(content)
            spoilt[at] ^= bits
            path.write_bytes(spoilt)
            with contextlib.suppress(DataError):  # the bit that says: encrypted
                damage(path, path.name, None, "x")
    spoilt = bytearray(content)
    spoilt[-6] ^= 0xFF  # of a checksum, of a directory's place
    path.write_bytes(spoilt)
    assert damage(path, path.name, None, "x")


def test_a_damaged_encrypted_zip_has_no_wrong_password(tmp_path: Path) -> None:
    content = bytearray(encrypted_zip({"a.jsonl": bytes(range(256)) * 9}, "open"))
    content[80] ^= 0xFF
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert damage(path, path.name, "open", "x")
    with pytest.raises(DataError, match="damaged archive"):
        list(read_files(path, "", ["*"], password="open"))
    with pytest.raises(
        DataError, match=r"a\.jsonl is encrypted, and the password does not open it"
    ):
        damage(path, path.name, "wrong", "x")


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_an_archive_that_is_too_large_is_not_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = COPIES[kind](tmp_path)
    size = sum(len(content) for _, content in read_files(path, ROOT, ["*"]))
    monkeypatch.setattr("grmeval.benches.sources.MOST_BYTES", size)
    assert list(read_files(path, ROOT, ["*"]))
    monkeypatch.setattr("grmeval.benches.sources.MOST_BYTES", size - 1)
    with pytest.raises(DataError, match=f"larger than {size - 1:,} bytes: unpack it"):
        list(read_files(path, ROOT, ["*"]))


MEGABYTE = 2**20


@pytest.mark.parametrize("kind", ["xz", "gz", "bz2"])
@pytest.mark.parametrize("bomb", ["beside", "name", "behind"])
def test_what_unpacks_without_end_is_refused_on_the_way(
    kind: str, bomb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / {"xz": "a.tar.xz", "gz": "a.tar.gz", "bz2": "a.tar"}[kind]
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.GNU_FORMAT) as archive:
        if bomb == "name":  # is read at once, whoever wants the member
            archive.addfile(tarfile.TarInfo("x" * 16 * MEGABYTE))
        if bomb == "beside":
            member = tarfile.TarInfo(f"{ROOT}/beside.bin")
            member.size = 16 * MEGABYTE
            archive.addfile(member, io.BytesIO(bytes(member.size)))
        rows = tarfile.TarInfo(f"{ROOT}/a.json")
        rows.size = 2
        archive.addfile(rows, io.BytesIO(b"[]"))
    if bomb == "behind":
        whole.write(bytes(16 * MEGABYTE))
    path.write_bytes({"xz": lzma, "gz": gzip, "bz2": bz2}[kind].compress(whole.getvalue()))
    assert path.stat().st_size < MEGABYTE / 10
    assert list(read_files(path, ROOT, ["*.json"])) == [("a.json", b"[]")]
    monkeypatch.setattr("grmeval.benches.sources.MOST_UNPACKED", MEGABYTE)
    for read in (
        lambda: list(read_files(path, ROOT, ["*.json"])),
        lambda: damage(path, path.name, None, "x"),
    ):
        tracemalloc.start()
        with pytest.raises(DataError, match=f"it unpacks to more than {MEGABYTE:,} bytes"):
            read()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 12 * MEGABYTE  # of which xz takes 8 for its dictionary


def test_a_zip_is_measured_as_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{ROOT}/a.json", bytes(8 * MEGABYTE))
    assert damage(path, path.name, None, "x") is None
    monkeypatch.setattr("grmeval.benches.sources.MOST_UNPACKED", MEGABYTE)
    with pytest.raises(DataError, match="it unpacks to more than"):
        damage(path, path.name, None, "x")
    monkeypatch.setattr("grmeval.benches.sources.MOST_BYTES", MEGABYTE)
    with pytest.raises(DataError, match=f"larger than {MEGABYTE:,} bytes"):
        list(read_files(path, ROOT, ["*"]))


def test_rows_of_parquet_are_measured_as_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"prompt": ["x" * 1000] * 5000}), path)
    assert path.stat().st_size < 50_000
    assert len(list(read_rows(path.name, path.read_bytes()))) == 5000
    monkeypatch.setattr("grmeval.benches.rows.MOST_BYTES", 2 * MEGABYTE)
    with pytest.raises(DataError, match=r"a\.parquet: its rows are larger than 2,097,152 bytes"):
        list(read_rows(path.name, path.read_bytes()))


@pytest.mark.parametrize("name", ["A.ZIP", "A.Tar.GZ", "A.TGZ"])
def test_the_case_of_an_ending_says_nothing(name: str, plain: Loaded, tmp_path: Path) -> None:
    path = COPIES[".zip" if name == "A.ZIP" else ".tgz"](tmp_path).rename(tmp_path / name)
    assert load("rmb", path).items == plain.items
    assert damage(path, path.name, None, "x") is None


def test_a_file_of_another_kind_names_the_kinds(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", "w").rename(tmp_path / "a.tar.bz2")
    kinds = r"neither an archive \(\.tar, .*\) nor rows \(\.jsonl, \.json, \.parquet, \.jsonl\.gz\)"
    with pytest.raises(DataError, match=kinds):
        load("rmb", path)


def test_an_encrypted_zip_is_a_data_error(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    # Bit 0 of the general purpose flags, in the local headers and in the central directory.
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(signature, at + 1)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip"):
        load("rmb", path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.json"])
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # A socket exists and cannot be opened, not even by root, who may read every file.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(name)
        with pytest.raises(DataError, match=rf"{name}: cannot be read"):
            load("rmb", tmp_path / name)


def test_a_bench_without_a_copy_says_where_to_get_one() -> None:
    with pytest.raises(DataError, match=r"--data PATH .*\. Get github\.com/Zhou-Zoey"):
        load("rmb")


def test_a_copy_of_a_copy_in_another_place_is_the_same(plain: Loaded, tmp_path: Path) -> None:
    write_folder(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert load("rmb", tmp_path / "two" / ROOT).content_hash == plain.content_hash
