"""`grmeval data`: what is fetched is found by a run; what is verified is counted, and never shown."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests import helpers
from tests.helpers import SHARED, on_official_rows
from tests.hub import COMMIT, GitHub, Hub, serve
from tests.zipcrypto import encrypted_zip

SECRET = "Wombat"
"""In every text of every row here."""


def grmeval(folder: Path, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
    """The command line in a folder with caches of its own."""
    own = {"GRMEVAL_CACHE": str(folder / "cache"), "HF_HOME": str(folder / "hf"), "COLUMNS": "80"}
    (folder / "here").mkdir(exist_ok=True)
    own["GRMEVAL_RETRY_SECONDS"] = "0.1"
    done = helpers.grmeval(*words, cwd=folder / "here", env=own | more)
    assert "Traceback" not in done.stderr
    return done


def row(subset: str, number: int, prompt: str, *responses: str, best: int = 0) -> dict[str, Any]:
    texts = [f"{SECRET} {response}".rstrip() if response else "" for response in responses]
    quality = [int(index == best) for index in range(len(texts))]
    about = {"id": number, "subset": subset, "quality": quality}
    return about | {"prompt": f"{SECRET} {prompt}", "responses": texts}


ROWS = [
    row("code", 1, "one", "a", "b"),
    row("code", 2, "one", "a", "b"),
    row("code", 3, "one", "c", "d"),
    row("talk", 4, "two", "e", ""),
    row("talk", 5, "three", "f", "f"),
]
HEAD = 'id = "mine"\ntitle = "My rows"\n[source]\n'
TABLE = '[[tables]]\nfiles = "*.jsonl"\nshape = "neutral"\nsubset = "subset"\n'
SECTIONS = (
    '[[sections]]\nname = "Code"\nsubsets = ["code"]\n'
    '[[sections]]\nname = "Rest"\nsubsets = ["*"]\n'
)


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def bench(folder: Path, expected: str = "code = 3\ntalk = 2\n") -> Path:
    (folder / "rows.jsonl").write_bytes(lines(ROWS))
    toml = f'{HEAD}packaged = "rows.jsonl"\n{TABLE}{SECTIONS}[expected]\n{expected}'
    (folder / "mine.toml").write_text(toml)
    return folder / "mine.toml"


# ---------------------------------------------------------------------- verify


def test_a_copy_is_counted_and_not_shown(tmp_path: Path) -> None:
    mine = bench(tmp_path, 'code = 3\ntalk = 4\n"news" = 6\n')
    found = grmeval(tmp_path, "data", "verify", mine)
    assert found.returncode == 3, found.stderr
    text = " ".join(found.stdout.split())
    digest = hashlib.sha256(lines(ROWS)).hexdigest()
    for said in (
        "read from: rows.jsonl",
        "items: 5 of 13 Code: 3 of 3 Rest: 2 of 10",
        "missing: 8 items: talk (2), news (6)",
        "duplicates: 1 rows with the texts of another: code/2",
        "prompts: 3, 1 of them shared by 3 items",
        "odd rows: 1 empty_response: talk/4",
        "odd rows: 1 identical_pair: talk/5",
        f"files: 1, {len(lines(ROWS))} bytes rows.jsonl ({len(lines(ROWS))} bytes) sha256 {digest}",
        "verdict: incomplete: 8 of 13 items missing",
    ):
        assert said in text
    assert "mine.toml:Myrows" in text.replace(" ", "")  # a long path is folded
    assert max(map(len, found.stdout.splitlines()[1:])) <= 80
    assert SECRET not in found.stdout + found.stderr


def test_json_has_everything_but_texts(tmp_path: Path) -> None:
    found = grmeval(tmp_path, "data", "verify", bench(tmp_path), "sample", "--json")
    assert (found.returncode, found.stderr) == (0, "")
    mine, sample = json.loads(found.stdout)
    assert (mine["verdict"], sample["verdict"]) == ("complete", "complete")
    assert mine["sections"][0] == {"name": "Code", "found": 3, "expected": 3}
    assert mine["duplicates"] == ["code/2"]
    assert mine["odd"] == {"empty_response": ["talk/4"], "identical_pair": ["talk/5"]}
    assert (mine["prompts"], mine["shared"], mine["sharing"]) == (3, 1, 3)
    assert (sample["bench"], sample["found"], sample["missing"]) == ("sample", 75, {})
    assert len(sample["content_hash"]) == len(sample["files"][0]["sha256"]) == 64
    assert SECRET not in found.stdout


def test_the_highest_exit_code_of_several_is_left_and_all_are_told(tmp_path: Path) -> None:
    part = bench(tmp_path, "code = 4\n")
    (tmp_path / "bad.jsonl").write_bytes(lines([{"prompt": SECRET}]))
    words = ("data", "verify", "rmb", tmp_path / "bad.jsonl", "sample")
    found = grmeval(tmp_path, *words)
    assert found.returncode == 2
    assert "bad.jsonl: neither a column 'responses'" in found.stderr
    assert "or first `grmeval data fetch rmb`" in found.stderr
    assert "sample: grmeval sample" in found.stdout
    found = grmeval(tmp_path, *words, part, "--json")
    assert found.returncode == 3
    sample, mine, rmb, bad = json.loads(found.stdout)
    assert mine["surplus"] == {"talk": 2}
    assert mine["verdict"] == "incomplete: 1 of 4 items missing"
    assert (sample["bench"], rmb["bench"]) == ("sample", "rmb")
    assert "neither a column" in bad["error"]
    assert SECRET not in found.stdout + found.stderr


def test_rows_that_nobody_counted_are_not_called_complete(tmp_path: Path) -> None:
    bench(tmp_path)
    found = grmeval(tmp_path, "data", "verify", tmp_path / "rows.jsonl")
    assert found.returncode == 0, found.stderr
    assert "verdict: readable; its TOML does not say how many" in found.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verify", "smaple"), "did you mean 'sample'?"),
        (("fetch", "smaple"), "did you mean 'sample'?"),
        (("verify", "sample", "rmb", "--data", "/nowhere"), "--data /nowhere: of which benchmark?"),
        (("verify", "rmb", "--data", "/nowhere"), "--data /nowhere: no such file or folder"),
        (("verify",), "Missing argument"),
        (("fetch", "rmb"), "GRMEVAL_GITHUB=x: expected a URL such as https://github.com"),
    ],
)
def test_mistakes_are_said(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    found = grmeval(tmp_path, "data", *words, GRMEVAL_GITHUB="ftp://me:geheim@x")
    assert (found.returncode, said in found.stderr) == (2, True), found.stderr


# ---------------------------------------------------------------------- fetch


def rmb_row(uid: str) -> dict[str, Any]:
    return {
        "pair_uid": uid,
        "conversation_input": [{"role": "user", "content": f"Say {uid}"}],
        "chosen": {"answer": "yes"},
        "reject": {"answer": "no"},
    }


def repository(*files: tuple[str, bytes]) -> bytes:
    """An archive as GitHub makes it: all below one folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files:
            member = tarfile.TarInfo(f"repository-main/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


RMB = (
    "/Zhou-Zoey/RMB-Reward-Model-Benchmark/archive/2be3180857f2190b7ffa929d43190835627f1f4d.tar.gz"
)


def test_what_was_fetched_from_github_is_what_runs_read(tmp_path: Path) -> None:
    rows = json.dumps([rmb_row("1"), rmb_row("2")]).encode()
    body = repository(("RMB_dataset/Pairwise_set/Harmlessness/S1.json", rows))
    run = ("run", "--bench", "rmb", "--engine", "fake", "--k", 1, "--results", tmp_path / "r")
    with serve(GitHub(files={RMB: body})) as site:
        online = {"GRMEVAL_GITHUB": site.url + "/", "HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_secret"}
        before = grmeval(tmp_path, *run, **online)
        assert (before.returncode, site.asked) == (2, [])
        assert "or first `grmeval data fetch rmb`" in before.stderr
        offline = grmeval(tmp_path, "data", "fetch", "rmb", **online | {"HF_HUB_OFFLINE": "1"})
        assert (offline.returncode, site.asked) == (3, [])
        assert "HF_HUB_OFFLINE is set" in offline.stderr
        found = grmeval(tmp_path, "data", "fetch", "rmb", "sample", **online)
        assert found.returncode == 0, found.stderr
        assert f"downloading {site.url}{RMB}" in found.stderr
        assert "rmb: github:Zhou-Zoey/RMB-Reward-Model-Benchmark@2be3180857" in found.stdout
        assert "sample: sample.jsonl is at " in found.stdout
        assert site.tokens == []  # the hub's is nobody else's
    after = grmeval(tmp_path, *run)
    assert after.returncode == 0, after.stderr
    assert "2/7,064" in after.stdout
    (listed,) = (
        line
        for line in json.loads(grmeval(tmp_path, "benches", "--json").stdout)
        if line["bench"] == "rmb"
    )
    assert listed["rows"] == "fetched"
    (record,) = tmp_path.glob("r/*/*/*/run.json")
    assert "github:Zhou-Zoey/RMB-Reward-Model-Benchmark@2be3180" in record.read_text()
    verified = json.loads(grmeval(tmp_path, "data", "verify", "rmb", "--json").stdout)[0]
    assert verified["archives"][0]["sha256"] == hashlib.sha256(body).hexdigest()
    assert verified["files"][0]["sha256"] == hashlib.sha256(rows).hexdigest()


def test_a_repository_that_is_gone_is_a_mistake_to_mend(tmp_path: Path) -> None:
    with serve(GitHub()) as site:
        found = grmeval(
            tmp_path, "data", "fetch", "rmb", GRMEVAL_GITHUB=site.url, HF_HUB_OFFLINE="0"
        )
        assert (found.returncode, len(site.asked)) == (2, 1)
    assert "not found (404); has it moved? Name a copy with --data PATH" in found.stderr


def test_the_hub_sees_the_token(tmp_path: Path) -> None:
    toml = f'{HEAD}hub = "o/n"\nrevision = "{COMMIT}"\n{TABLE}{SECTIONS}[expected]\ncode = 3\n'
    (tmp_path / "mine.toml").write_text(toml)
    with serve(Hub(files={("dataset", "o/n"): {"data/rows.jsonl": lines(ROWS)}})) as hub:
        online = hub.environment(tmp_path / "hf") | {"HF_TOKEN": "hf_mine"}
        found = grmeval(tmp_path, "data", "fetch", tmp_path / "mine.toml", **online)
        assert found.returncode == 0, found.stderr
        assert set(hub.tokens) == {"Bearer hf_mine"}
    verified = grmeval(tmp_path, "data", "verify", tmp_path / "mine.toml")
    assert verified.returncode == 0, verified.stderr
    assert f"read from: hub:o/n@{COMMIT}" in verified.stdout


# ---------------------------------------------------------------------- an encrypted archive

PASSWORD = "open-wombat"
ZIP = encrypted_zip({"data/code/a.jsonl": lines(ROWS), "data/README.md": b"not read"}, PASSWORD)


def locked(folder: Path, password: str | None = PASSWORD) -> Path:
    word = f'password = "{password}"\n' if password else ""
    source = f'github = "o/n"\nrevision = "v1"\narchive = "data.zip"\nroot = "data"\n{word}'
    (folder / "locked.toml").write_text(f"{HEAD}{source}restricted = true\n{TABLE}{SECTIONS}")
    return folder / "locked.toml"


COPIES = {
    "the archive": (ZIP, "data.zip", "data.zip"),
    "the archive, renamed": (ZIP, "other.zip", "other.zip"),
    "a checkout": (ZIP, "checkout/data.zip", "checkout"),
    "the folder above": (ZIP, "checkout/data.zip", ""),
    "the repository's archive": (
        repository(("data.zip", ZIP), ("a.py", b"")),
        "n.tar.gz",
        "n.tar.gz",
    ),
}


def placed(kind: str, folder: Path) -> Path:
    """What `--data` is to name."""
    content, place, named = COPIES[kind]
    path = folder / "copy" / place
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return folder / "copy" / named


def no_plain_text(folder: Path) -> bool:
    return not [p for p in folder.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]


@pytest.mark.parametrize("kind", COPIES)
def test_an_encrypted_archive_is_read_in_memory(kind: str, tmp_path: Path) -> None:
    where = placed(kind, tmp_path)
    words = ("data", "verify", locked(tmp_path), "--data", where)
    found = grmeval(tmp_path, *words)
    assert found.returncode == 0, found.stderr
    assert "items: 5" in found.stdout
    assert "code/a.jsonl" in found.stdout
    assert SECRET not in found.stdout + found.stderr
    assert no_plain_text(tmp_path)


@pytest.mark.parametrize(
    ("password", "said"),
    [("wrong", "the password does not open it"), (None, "no password is given")],
)
def test_a_password_that_does_not_fit_is_said(
    password: str | None, said: str, tmp_path: Path
) -> None:
    where = placed("a checkout", tmp_path)
    found = grmeval(tmp_path, "data", "verify", locked(tmp_path, password), "--data", where)
    assert found.returncode == 2
    assert f"data/code/a.jsonl is encrypted, and {said}; set `password` under" in found.stderr
    assert str(where) in found.stderr


def test_an_encrypted_archive_is_fetched_as_it_is(tmp_path: Path) -> None:
    with serve(GitHub(files={"/o/n/raw/v1/data.zip": ZIP})) as site:
        online = {"GRMEVAL_GITHUB": site.url, "HF_HUB_OFFLINE": "0"}
        wrong = grmeval(tmp_path, "data", "fetch", locked(tmp_path, "wrong"), **online)
        assert (wrong.returncode, len(site.asked)) == (2, 1), wrong.stderr
        found = grmeval(tmp_path, "data", "fetch", locked(tmp_path), **online)
        assert found.returncode == 0, found.stderr
    path = tmp_path / "cache" / "data" / "o--n" / "v1" / "data.zip"
    assert path.read_bytes() == ZIP
    assert grmeval(tmp_path, "data", "verify", locked(tmp_path)).returncode == 0
    assert no_plain_text(tmp_path)


def test_two_archives_of_one_name_do_not_share_a_place(tmp_path: Path) -> None:
    other = encrypted_zip({"data/code/b.jsonl": lines(ROWS[:3])}, PASSWORD)
    spoilt = bytearray(ZIP)
    spoilt[80] ^= 0xFF
    files = {"/o/n/raw/v1/a/data.zip": ZIP, "/o/n/raw/v1/b/data.zip": other}
    toml = locked(tmp_path).read_text()
    folder = tmp_path / "cache" / "data" / "o--n" / "v1"
    with serve(GitHub(files=files)) as site:
        online = {"GRMEVAL_GITHUB": site.url, "HF_HUB_OFFLINE": "0"}
        for name in ("a", "b"):
            path = tmp_path / f"{name}.toml"
            path.write_text(toml.replace('"data.zip"', f'"{name}/data.zip"'))
            assert grmeval(tmp_path, "data", "fetch", path, **online).returncode == 0
        (folder / "a--data.zip").write_bytes(spoilt)  # not a matter of the password
        found = grmeval(tmp_path, "data", "fetch", tmp_path / "a.toml", **online)
        assert found.returncode == 0, found.stderr
    assert (folder / "a--data.zip").read_bytes() == ZIP
    assert (folder / "b--data.zip").read_bytes() == other


# ---------------------------------------------------------------------- the real thing, where it is

THERE = on_official_rows(SHARED)


@pytest.mark.long
@THERE
def test_the_official_rmb(tmp_path: Path) -> None:
    words = ("data", "verify", "rmb", "--data", SHARED / "RMB.tar.xz", "--json")
    found = grmeval(tmp_path, *words)
    assert found.returncode == 3, found.stderr
    (rmb,) = json.loads(found.stdout)
    assert [(part["found"], part["expected"]) for part in rmb["sections"]] == [
        (2109, 2109),
        (8456, 10067),
        (1677, 1677),
        (6087, 7064),
    ]
    assert rmb["missing"] == {
        "Pairwise_set/Harmlessness/S11": 977,
        "Pairwise_set/Helpfulness/Brainstorming/Idea Development": 849,
        "Pairwise_set/Helpfulness/Generation/Creative Writing": 762,
    }
    assert rmb["verdict"] == "incomplete: 2,588 of 20,917 items missing"
    ids = {flag: {name.rpartition("/")[2] for name in names} for flag, names in rmb["odd"].items()}
    assert {flag: " ".join(sorted(names)) for flag, names in ids.items()} == {
        "empty_response": "13586 13587",
        "identical_pair": "13885 13926 14232 14236 14237 14329 17030 3046 3061 4410 7221",
        "best_is_also_loser": "1527 2986 2996 3072 3760 939",
    }
    assert len(rmb["files"]) == 95
    assert rmb["archives"][0]["bytes"] == 11_479_188


@THERE
def test_the_part_of_rewardbench(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    settings = f'[data]\nrewardbench = "{SHARED / "reward-bench-part"}"\n'
    (tmp_path / "here" / "grmeval.toml").write_text(settings)
    found = grmeval(tmp_path, "data", "verify", "rewardbench")
    assert found.returncode == 3, found.stderr
    assert "Chat Hard: 419 of 456" in found.stdout
    assert "verdict: incomplete: 2,119 of 2,985 items missing" in found.stdout


@THERE
def test_the_official_realmistake_opens_with_its_password(tmp_path: Path) -> None:
    from grmeval.benches.sources import read_files

    opened = dict(
        read_files(
            SHARED / "ReaLMistake",
            "data",
            ["*/*.jsonl"],
            password="open-realmistake",
            archive="data.zip",
        )
    )
    counts = {name: content.count(b"\n") for name, content in opened.items()}
    assert sum(counts.values()) in range(894, 901)  # the last line of a file may have no end
    assert len(counts) == 6
