"""Downloads against servers that fail: each failure is retried, resumed, or said; none is ever used."""

import io
import json
import signal
import subprocess
import tarfile
import threading
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from grmeval.benches.sources import damage
from grmeval.errors import ConfigError, GrmevalError, InfrastructureError, StoreError
from grmeval.remote.download import download, plain
from tests.helpers import ENVIRONMENT, command, grmeval, until
from tests.hub import COMMIT, GitHub, Handler, Hub, Trouble, serve, sha256

# ---------------------------------------------------------------------- one archive, of our own


def archive(seed: str = "") -> bytes:
    """A tar.gz that compresses badly, so that half of it is half of its rows."""
    rows = [sha256(f"{seed}{number}".encode()) for number in range(2000)]
    content = json.dumps(rows).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("repository-main/rows.json")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


BODY = archive()
HALF = len(BODY) // 2
PATH = "/o/n/archive/v1.tar.gz"


@pytest.fixture(autouse=True)
def _online_and_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("GRMEVAL_RETRY_SECONDS", "0.3")


def get(site: GitHub, folder: Path) -> Path:
    path = folder / "rows.tar.gz"
    check = partial(damage, name=path.name, password=None, said="--bench x")
    download(site.url + PATH, path, check, "--bench x")
    return path


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


PASSING = {
    "503": [Trouble("GET", 2, status=503)],
    "500, then 408": [Trouble("GET", status=500), Trouble("GET", status=408)],
    "429": [Trouble("GET", 2, status=429)],
    "cut at once": [Trouble("GET", 2, cut=0)],
    "cut": [Trouble("GET", 2, cut=HALF // 2)],
    "reset": [Trouble("GET", 2, cut=HALF, reset=True)],
    "silence": [Trouble("GET", 2, stall=0.6)],
    "silence in the middle": [Trouble("GET", 2, cut=HALF, hang=True)],
    "no number in Retry-After": [Trouble("GET", 2, status=429, headers={"Retry-After": "²"})],
    "longer than it is": [Trouble("GET", 2, length=2 * len(BODY))],
    "shorter than it is": [Trouble("GET", 2, length=HALF)],
}


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize("server", [{}, {"resumes": False}, {"etags": False}], ids=repr)
def test_what_may_pass_is_tried_again(
    kind: str, server: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grmeval.remote.download.SECONDS", 0.3)
    troubles = [Trouble(**vars(trouble)) for trouble in PASSING[kind]]
    with serve(GitHub(files={PATH: BODY}, troubles=troubles, **server)) as site:
        assert get(site, tmp_path).read_bytes() == BODY
        assert len(site.asked) == 3
    assert left(tmp_path) == {"rows.tar.gz"}


def test_a_resumed_download_asks_for_the_rest_only(tmp_path: Path) -> None:
    with serve(GitHub(files={PATH: BODY}, troubles=[Trouble("GET", cut=HALF)])) as site:
        assert get(site, tmp_path).read_bytes() == BODY
        assert site.ranges == [f"bytes={HALF}-"]


@pytest.mark.parametrize(
    ("trouble", "tries", "said"),
    [
        (Trouble("GET", 99, status=503), 5, "HTTP 503 from http://"),
        (Trouble("GET", 99, status=429), 5, "HTTP 429 from http://"),
        (Trouble("GET", 99, cut=0), 5, "was not downloaded: RemoteProtocolError"),
        (Trouble("GET", 99, stall=0.4), 5, "ReadTimeout: timed out"),
        (Trouble("GET", 99, length=HALF), 5, "damaged"),
        (Trouble("GET", 1, status=403), 1, "403 Forbidden"),
        (
            Trouble("GET", 1, status=429, headers={"Retry-After": "3600"}),
            1,
            "wants to be left alone for 3,600 s",
        ),
        (
            Trouble("GET", 1, status=429, headers={"RateLimit": '"api";r=0;t=250'}),
            1,
            "wants to be left alone for 250 s",
        ),
        (Trouble("GET", 1, status=503, headers={"Retry-After": formatdate(4e9)}), 1, "left alone"),
    ],
)
def test_what_does_not_pass_ends_within_a_bound(
    trouble: Trouble, tries: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grmeval.remote.download.SECONDS", 0.2)
    with serve(GitHub(files={PATH: BODY}, troubles=[trouble])) as site:
        with pytest.raises(InfrastructureError, match="or get it by other means") as found:
            get(site, tmp_path)
        assert said in str(found.value)
        assert f"{site.url}{PATH} was not downloaded" in str(found.value)
        assert len(site.asked) == tries
        assert not (tmp_path / "rows.tar.gz").exists()
        site.troubles.clear()
        assert get(site, tmp_path).read_bytes() == BODY  # nothing that is left stands in the way


def test_the_wait_that_a_server_wants_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRMEVAL_RETRY_SECONDS", "3")
    troubles = [Trouble("GET", status=429, headers={"Retry-After": "1"})]
    waits: list[float] = []
    monkeypatch.setattr("grmeval.remote.download.time.sleep", waits.append)
    with serve(GitHub(files={PATH: BODY}, troubles=troubles)) as site:
        get(site, tmp_path)
        assert len(site.asked) == 2
    assert [wait for wait in waits if wait] == [1]  # the server of the test waits too, for nothing
    assert "HTTP 429 from http://127" in (said := capfd.readouterr().err)
    assert "trying again in 1 s" in said


def test_waits_double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setenv("GRMEVAL_RETRY_SECONDS", "")
    monkeypatch.setattr("grmeval.remote.download.time.sleep", waits.append)
    with (
        serve(GitHub(files={PATH: BODY}, troubles=[Trouble("GET", 99, status=503)])) as site,
        pytest.raises(InfrastructureError),
    ):
        get(site, tmp_path)
    assert [wait for wait in waits if wait] == [2, 4, 8, 16]


def test_odd_headers_are_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = GitHub(files={PATH: BODY}, troubles=[Trouble("GET", cut=HALF)])
    with serve(site), monkeypatch.context() as odd:
        odd.setattr("tests.hub.sha256", lambda body: "é²")
        assert get(site, tmp_path / "etag").read_bytes() == BODY
        assert (len(site.asked), site.ranges) == (2, [])
    assert left(tmp_path / "etag") == {"rows.tar.gz"}
    site = GitHub(files={PATH: BODY}, troubles=[Trouble("GET", cut=HALF)])
    send = Handler.send_header
    with serve(site), monkeypatch.context() as odd:
        odd.setattr(
            "tests.hub.Handler.send_header",
            lambda self, name, value: send(
                self, name, f"{value[:-1]}²" if name == "Content-Range" else value
            ),
        )
        assert get(site, tmp_path / "range").read_bytes() == BODY
        assert len(site.ranges) == 1


def test_a_damaged_gzip_is_got_again(tmp_path: Path) -> None:
    spoilt = bytearray(BODY)
    spoilt[-6] ^= 0xFF  # its checksum: gzip's BadGzipFile, which is an OSError
    (tmp_path / "rows.tar.gz").write_bytes(spoilt)
    with serve(GitHub(files={PATH: bytes(spoilt)})) as site:
        with pytest.raises(InfrastructureError, match="damaged: CRC check failed"):
            get(site, tmp_path)
        assert len(site.asked) == 5
        site.files[PATH] = BODY
        assert get(site, tmp_path).read_bytes() == BODY


def test_no_secret_of_a_url_is_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    troubles = [Trouble("GET", status=503), Trouble("GET", status=403)]
    with serve(GitHub(files={PATH: BODY}, troubles=troubles)) as site:
        url = site.url.replace("//", "//user:geheim@") + PATH
        with pytest.raises(InfrastructureError, match="403 Forbidden") as found:
            download(f"{url}?sig=geheim", tmp_path / "a", lambda path: None, "--bench x")
        with pytest.raises(ConfigError) as gone:
            download(f"{url}/gone?sig=geheim", tmp_path / "b", lambda path: None, "--bench x")
    said = capfd.readouterr().err
    assert f"downloading {site.url}{PATH}\n" in said
    assert "geheim" not in said + str(found.value) + str(gone.value)
    assert plain("at https://a@b/c@1?d, 'ftp://e:f@g/?h=1' i?") == "at https://b/c@1 'ftp://g/' i?"


def test_a_whole_file_is_used_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(GitHub(files={PATH: BODY})) as site:
        get(site, tmp_path)

    def fail(*args: object, **more: object) -> None:
        raise OSError("Read-only file system")

    monkeypatch.setattr("pathlib.Path.mkdir", fail)
    monkeypatch.setattr("filelock.FileLock", fail)
    assert get(site, tmp_path).read_bytes() == BODY


def test_a_file_that_changed_is_begun_anew(tmp_path: Path) -> None:
    with serve(GitHub(files={PATH: BODY}, troubles=[Trouble("GET", 99, cut=HALF // 5)])) as site:
        with pytest.raises(InfrastructureError):
            get(site, tmp_path)
        assert left(tmp_path) == {"rows.tar.gz.part", "rows.tar.gz.part.etag"}
        site.troubles.clear()
        site.files[PATH] = changed = archive("other")
        assert get(site, tmp_path).read_bytes() == changed


@pytest.mark.parametrize("content", [b"<html>log in</html>", b"", BODY[:HALF], BODY[:-4]])
def test_what_is_no_whole_archive_is_never_put_in_place(content: bytes, tmp_path: Path) -> None:
    with (
        serve(GitHub(files={PATH: content})) as site,
        pytest.raises(InfrastructureError, match="damaged"),
    ):
        get(site, tmp_path)
    assert left(tmp_path) <= {"rows.tar.gz.part.etag"}


def test_a_whole_file_is_not_asked_for_again_and_a_spoilt_one_is(tmp_path: Path) -> None:
    with serve(GitHub(files={PATH: BODY})) as site:
        path = get(site, tmp_path)
        get(site, tmp_path)
        assert len(site.asked) == 1
        path.write_bytes(BODY[:HALF])
        assert get(site, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize(
    ("patience", "path", "kind", "said"),
    [
        ("1", "/gone", ConfigError, r"/gone: not found \(404\); has it moved\? Name a copy"),
        ("soon", PATH, ConfigError, "GRMEVAL_RETRY_SECONDS=soon: expected seconds, 0 or more"),
        ("-1", PATH, ConfigError, "GRMEVAL_RETRY_SECONDS=-1"),
        ("nan", PATH, ConfigError, "GRMEVAL_RETRY_SECONDS=nan"),
    ],
)
def test_mistakes_are_not_tried_again(
    patience: str,
    path: str,
    kind: type[GrmevalError],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GRMEVAL_RETRY_SECONDS", patience)
    with serve(GitHub(files={PATH: BODY})) as site:
        with pytest.raises(kind, match=said):
            download(site.url + path, tmp_path / "a.zip", lambda path: None, "--bench x")
        assert len(site.asked) == (path != PATH)


def test_where_nobody_listens_it_ends_at_once(tmp_path: Path) -> None:
    with serve(GitHub()) as site:
        pass
    with pytest.raises(InfrastructureError, match="Connection refused"):
        get(site, tmp_path)


def test_offline_means_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with serve(GitHub(files={PATH: BODY})) as site:
        with pytest.raises(InfrastructureError, match="HF_HUB_OFFLINE is set"):
            get(site, tmp_path)
        assert site.asked == []


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    with serve(GitHub(files={PATH: BODY})) as site, FileLock(tmp_path / "rows.tar.gz.lock"):
        taken: list[str] = []

        def other() -> None:
            with pytest.raises(StoreError) as found:
                get(site, tmp_path)
            taken.append(str(found.value))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert "is being downloaded by another process" in taken[0]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        serve(GitHub(files={PATH: BODY})) as site,
        pytest.raises(StoreError, match="cannot be written: Not a directory"),
    ):
        get(site, tmp_path / "file" / "below")


# ---------------------------------------------------------------------- the commands


def fetch(environment: dict[str, str], folder: Path, *words: object) -> Any:
    return grmeval("data", "fetch", *words, env=surroundings(environment, folder))


def surroundings(environment: dict[str, str], folder: Path) -> dict[str, str]:
    own = {"GRMEVAL_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "0"}
    return ENVIRONMENT | {"GRMEVAL_RETRY_SECONDS": "0.3"} | own | environment


def test_a_killed_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    content = json.dumps([sha256(bytes([n % 256, n // 256])) for n in range(9000)]).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("n-v1/rows.jsonl")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    body = buffer.getvalue()
    (tmp_path / "mine.toml").write_text(
        'id = "mine"\ntitle = "Mine"\n[source]\ngithub = "o/n"\nrevision = "v1"\n'
        '[[tables]]\nfiles = "*.jsonl"\nshape = "neutral"\n'
    )
    troubles = [Trouble("GET", cut=len(body) - 1000, hang=True)]
    with serve(GitHub(files={PATH: body}, troubles=troubles)) as site:
        environment = {"GRMEVAL_GITHUB": site.url}
        words = command("data", "fetch", tmp_path / "mine.toml")
        with subprocess.Popen(words, env=surroundings(environment, tmp_path)) as running:
            part = tmp_path / "cache" / "data" / "o--n" / "v1" / "n.tar.gz.part"
            assert until(lambda: part.exists() and part.stat().st_size == len(body) - 1000)
            running.send_signal(signal.SIGKILL)
        found = fetch(environment, tmp_path, tmp_path / "mine.toml")
        assert found.returncode == 0, found.stderr
        assert "mine.toml: github:o/n@v1 is at " in found.stdout
        assert site.ranges == [f"bytes={len(body) - 1000}-"]
        assert part.with_suffix("").read_bytes() == body
        assert left(part.parent) == {"n.tar.gz"}


@pytest.mark.parametrize("told", [True, False])
def test_a_server_that_sends_without_end_is_left(
    told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grmeval.remote.download.MOST_BYTES", HALF)
    troubles = [] if told else [Trouble("GET", length=HALF - 1)]
    with (
        serve(GitHub(files={PATH: BODY}, troubles=troubles)) as site,
        pytest.raises(InfrastructureError, match=f"more than {HALF:,} bytes"),
    ):
        get(site, tmp_path)
    assert left(tmp_path) <= {"rows.tar.gz.part.etag"}


REPOSITORY = ("dataset", "o/n")
ROWS = b"".join(
    json.dumps({"id": n, "prompt": f"Say {n}", "responses": ["a", "b"], "quality": [1, 0]}).encode()
    + b"\n"
    for n in range(500)
)
TOML = (
    'id = "mine"\ntitle = "Mine"\n[source]\nhub = "o/n"\nrevision = "main"\n'
    '[[tables]]\nfiles = "rows.jsonl"\nshape = "neutral"\n[expected]\nrows = 500\n'
)
API, TREE, FILE = "/revision/main", "/tree/", "/resolve/"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine.toml").write_text(TOML)
    return tmp_path / "mine.toml"


@pytest.mark.parametrize(
    ("at", "trouble", "times"),
    [
        (API, {"status": 503}, 2),
        (API, {"cut": 1}, 2),
        (TREE, {"status": 429}, 2),
        (TREE, {"status": 500}, 1),
        (f"HEAD /datasets/o/n{FILE}", {"status": 503}, 3),
        (f"GET /datasets/o/n{FILE}", {"status": 503}, 2),
        (f"GET /datasets/o/n{FILE}", {"status": 429, "headers": {"Retry-After": "0"}}, 1),
        (f"GET /datasets/o/n{FILE}", {"cut": 1000}, 1),
        (f"GET /datasets/o/n{FILE}", {"cut": 1000, "reset": True}, 2),
        (f"GET /datasets/o/n{FILE}", {"length": 1000}, 2),
        (f"GET /datasets/o/n{FILE}", {"length": len(ROWS) + 9}, 1),
    ],
)
def test_the_hub_is_asked_again(
    at: str, trouble: dict[str, Any], times: int, tmp_path: Path, mine: Path
) -> None:
    site = Hub(files={REPOSITORY: {"rows.jsonl": ROWS}}, troubles=[Trouble(at, times, **trouble)])
    with serve(site) as hub:
        found = fetch(hub.environment(tmp_path / "hf"), tmp_path, mine)
    assert found.returncode == 0, found.stderr
    assert hub.count(at) >= times + 1
    (blob,) = tmp_path.glob("hf/hub/datasets--o--n/blobs/*")
    assert blob.read_bytes() == ROWS


GATED = {"X-Error-Code": "GatedRepo"}


@pytest.mark.parametrize(
    ("trouble", "tries", "code", "said"),
    [
        (Trouble(API, 99, status=401, headers=GATED), 1, 2, "gated; accept its terms on http://"),
        (Trouble(FILE, 99, status=401, headers=GATED), 1, 2, "/datasets/o/n and set HF_TOKEN"),
        (Trouble(FILE, 99, status=403, headers=GATED), 1, 2, "gated; accept its terms on http://"),
        (Trouble(FILE, 99, status=403), 1, 2, "may not be read (HTTP 403); set HF_TOKEN"),
        (Trouble(API, 99, status=401), 1, 2, "may not be read (HTTP 401); set HF_TOKEN"),
        (
            Trouble(API, 99, status=404, headers={"X-Error-Code": "RevisionNotFound"}),
            1,
            2,
            "the hub has no revision 'main' of o/n",
        ),
        (Trouble(API, 99, status=503), 5, 3, "the hub is out of reach, and o/n@main is not in"),
        (Trouble(TREE, 99, status=503), 5, 3, "could not be downloaded (HTTP 503 from http://"),
        (Trouble(FILE, 99, status=429), 5, 3, "could not be downloaded (HTTP 429 from http://"),
        (
            Trouble(FILE, 99, status=429, headers={"Retry-After": "3600"}),
            1,
            3,
            "wants to be left alone for 3,600 s); run the same command again",
        ),
        (Trouble("GET /datasets", 99, length=1000), 5, 3, "Consistency check failed"),
        (Trouble("GET /datasets", 99, cut=9, reset=True), 5, 3, "Connection reset"),
    ],
)
def test_what_the_hub_refuses_is_said_and_leaves_nothing(
    trouble: Trouble, tries: int, code: int, said: str, tmp_path: Path, mine: Path
) -> None:
    with serve(Hub(files={REPOSITORY: {"rows.jsonl": ROWS}}, troubles=[trouble])) as hub:
        environment = hub.environment(tmp_path / "hf")
        found = fetch(environment, tmp_path, mine)
        assert (found.returncode, said in found.stderr) == (code, True), found.stderr
        assert "Traceback" not in found.stderr
        assert hub.count(trouble.at) == tries
        assert not list(tmp_path.glob("hf/hub/datasets--o--n/blobs/*"))
        hub.troubles.clear()
        if code == 3:
            again = fetch(environment, tmp_path, mine)
            assert again.returncode == 0, again.stderr


def test_a_revision_is_pinned(tmp_path: Path, mine: Path) -> None:
    mine.write_text(TOML.replace('"main"', f'"{"d" * 40}"'))
    with serve(Hub(files={REPOSITORY: {"rows.jsonl": ROWS}})) as hub:
        found = fetch(hub.environment(tmp_path / "hf"), tmp_path, mine)
        assert (found.returncode, "the hub has no revision 'ddd" in found.stderr) == (2, True)
        mine.write_text(TOML.replace('"main"', f'"{COMMIT}"'))
        found = fetch(hub.environment(tmp_path / "hf"), tmp_path, mine)
    assert (found.returncode, f"hub:o/n@{COMMIT} is at" in found.stdout) == (0, True)


def test_the_hub_is_left_alone_offline_and_before_and_after(tmp_path: Path, mine: Path) -> None:
    with serve(Hub(files={REPOSITORY: {"rows.jsonl": ROWS}})) as hub:
        online = hub.environment(tmp_path / "hf")
        offline = online | {"HF_HUB_OFFLINE": "1"}
        found = fetch(offline, tmp_path, mine)
        assert (found.returncode, "HF_HUB_OFFLINE" in found.stderr) == (3, True), found.stderr
        assert hub.asked == []
        assert fetch(online, tmp_path, mine).returncode == 0
        hub.asked.clear()
        assert fetch(offline, tmp_path, mine).returncode == 0
        assert hub.asked == []


def test_a_file_that_a_crash_spoilt_in_the_hubs_cache_is_got_again(
    tmp_path: Path, mine: Path
) -> None:
    with serve(Hub(files={REPOSITORY: {"rows.jsonl": ROWS}})) as hub:
        environment = hub.environment(tmp_path / "hf")
        assert fetch(environment, tmp_path, mine).returncode == 0
        (blob,) = tmp_path.glob("hf/hub/datasets--o--n/blobs/*")
        blob.write_bytes(ROWS[: len(ROWS) // 2].rpartition(b"\n")[0])
        offline = fetch(environment | {"HF_HUB_OFFLINE": "1"}, tmp_path, mine)
        assert offline.returncode == 3, offline.stderr
        assert "was damaged in the hub's cache, and is removed" in offline.stderr
        assert fetch(environment, tmp_path, mine).returncode == 0
        assert blob.read_bytes() == ROWS


@pytest.mark.parametrize("at", ["/revision/main", TREE, f"HEAD /datasets/o/n{FILE}"])
def test_a_hub_that_keeps_silent_is_not_waited_for(
    at: str, tmp_path: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """huggingface_hub lists files without a timeout, and waits for minutes elsewhere: ours ends by itself.

    The server keeps silent until it is closed: a command that waits for it ends with the test's limit.
    """
    for module in ("download", "hub"):
        monkeypatch.setattr(f"grmeval.remote.{module}.SECONDS", 0.3)
    site = Hub(files={REPOSITORY: {"rows.jsonl": ROWS}}, troubles=[Trouble(at, stall=600)])
    with serve(site) as hub:
        found = fetch(hub.environment(tmp_path / "hf"), tmp_path, mine)
        assert found.returncode == 0, found.stderr
        assert hub.count(at) == 2
    assert "trying again" in found.stderr


@pytest.mark.parametrize("revision", ["main", COMMIT])
def test_without_a_network_it_ends_at_once(revision: str, tmp_path: Path, mine: Path) -> None:
    mine.write_text(TOML.replace("main", revision))
    with serve(Hub()) as hub:
        environment = hub.environment(tmp_path / "hf")
    found = fetch(environment, tmp_path, mine)
    assert (found.returncode, "Connection refused" in found.stderr) == (3, True), found.stderr
