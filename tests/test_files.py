"""Where output may go: a file is replaced, a link stays, what is no regular file is written through."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from grmeval.errors import ConfigError, GrmevalError, StoreError
from grmeval.files import write_text
from tests.helpers import ENVIRONMENT, command, grmeval, sampled

TEXT = "told\n"


def regular(place: Path) -> Path:
    place.write_text("before")
    return place


def absent(place: Path) -> Path:
    return place


def linked(place: Path) -> Path:
    regular(place.with_name("target"))
    place.symlink_to("target")
    return place


def linked_twice(place: Path) -> Path:
    linked(place.with_name("other"))
    place.symlink_to(place.with_name("other"))
    return place


def dangling(place: Path) -> Path:
    place.symlink_to("target")
    return place


def circular(place: Path) -> Path:
    place.symlink_to(place.name)
    return place


def folder(place: Path) -> Path:
    place.mkdir()
    return place


def linked_folder(place: Path) -> Path:
    place.with_name("target").mkdir()
    place.symlink_to("target")
    return place


def device(name: str) -> Callable[[Path], Path]:
    return lambda place: Path(f"/dev/{name}")


def linked_device(place: Path) -> Path:
    place.symlink_to("/dev/null")
    return place


@pytest.fixture(autouse=True)
def no_device_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever these tests find, the machine keeps its devices."""
    replace = Path.replace

    def careful(self: Path, target: Path) -> Path:
        assert not Path(target).is_relative_to("/dev")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", careful)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (absent, None),
        (regular, None),
        (linked, None),
        (linked_twice, None),
        (dangling, None),
        (circular, (StoreError, "Too many levels of symbolic links")),
        (folder, (ConfigError, "is a folder; name a file to write")),
        (linked_folder, (ConfigError, "is a folder; name a file to write")),
        (device("null"), None),
        (linked_device, None),
        (device("full"), (StoreError, "/dev/full: cannot be written: No space left on device")),
        (device("null/x"), (StoreError, "/dev/null/x: cannot be written: Not a directory")),
    ],
)
def test_what_becomes_of_a_place(
    tmp_path: Path,
    make: Callable[[Path], Path],
    error: tuple[type[GrmevalError], str] | None,
) -> None:
    place = make(tmp_path / "place")
    devices = [Path(f"/dev/{name}").stat() for name in ("null", "full")]
    link = place.readlink() if place.is_symlink() else None
    if error:
        with pytest.raises(error[0], match=error[1]):
            write_text(place, TEXT)
    else:
        assert write_text(place, TEXT) == place
    assert (place.readlink() if place.is_symlink() else None) == link
    if not error and stat.S_ISREG(place.stat().st_mode):
        assert place.read_text() == TEXT
    for before, name in zip(devices, ("null", "full"), strict=True):
        after = Path(f"/dev/{name}").stat()
        assert stat.S_ISCHR(after.st_mode)
        same = ("st_ino", "st_rdev", "st_mode", "st_dev")
        assert [getattr(before, n) for n in same] == [getattr(after, n) for n in same]
    assert not list(tmp_path.rglob(".*"))


def test_a_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grmeval.files._kind", lambda place: stat.S_IFBLK)
    with pytest.raises(ConfigError, match="is a disk; name a file to write"):
        write_text(regular(tmp_path / "disk"), TEXT)
    assert (tmp_path / "disk").read_text() == "before"


@pytest.mark.parametrize("link", [False, True])
def test_a_fifo_is_written_through(tmp_path: Path, link: bool) -> None:
    fifo = place = tmp_path / "fifo"
    os.mkfifo(fifo)
    if link:
        place = tmp_path / "link"
        place.symlink_to(fifo)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()))
    reader.start()
    write_text(place, TEXT)
    reader.join()
    assert read == [TEXT]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sampled(tmp_path_factory.mktemp("results"), k=1).path


@pytest.fixture(scope="module")
def kept(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its baseline, in a file."""
    to = tmp_path_factory.mktemp("kept") / "base.json"
    assert grmeval("baseline", run, "--to", to).returncode == 0
    return to


@pytest.mark.long
def test_standard_output_is_written_through(run: Path, kept: Path, tmp_path: Path) -> None:
    words = command("baseline", run, "--to", "/dev/stdout")
    with (tmp_path / "out").open("w") as out:
        out.write("before\n")
        out.flush()
        number = out.fileno()
        done = subprocess.run(
            words, stdout=number, stderr=subprocess.PIPE, env=ENVIRONMENT, check=True
        )
    assert b"written to /dev: stdout" in done.stderr
    assert (tmp_path / "out").read_text() == "before\n" + kept.read_text()
    link = tmp_path / "link"
    link.symlink_to("/dev/stdout")
    words = command("baseline", run, "--to", link)
    again = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert again.stdout == kept.read_text()
    assert link.is_symlink()


def test_the_commands_follow_links_and_refuse_folders(
    run: Path, kept: Path, tmp_path: Path
) -> None:
    link = linked(tmp_path / "link.json")
    assert grmeval("baseline", run, "--to", link).returncode == 0
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == kept.read_bytes()
    page = linked(folder(tmp_path / "gate") / "junit.xml")
    words = ("gate", "--baseline", kept, run, "--junit")
    grmeval(*words, page)
    assert page.is_symlink()
    assert (tmp_path / "gate" / "target").read_text().startswith("<?xml")
    for asked in (("baseline", run, "--to"), words, ("export", run, "--to")):
        there = folder(tmp_path / f"{asked[0]}.csv")
        found = grmeval(*asked, there)
        assert found.returncode == 2, found.stderr
        assert "is a folder; name a file to write" in found.stderr
    full = grmeval("baseline", run, "--to", "/dev/full")
    assert (full.returncode, "No space left on device" in full.stderr) == (3, True)
    figure = tmp_path / "trend.svg"
    figure.symlink_to("target.of.another.kind")
    assert grmeval("trend", kept.parent, "--to", tmp_path / "trend").returncode == 0
    assert figure.is_symlink()
    assert b"<svg" in figure.read_bytes()


WRITER = """
import sys, time
from pathlib import Path
from grmeval.files import write_with

def write(path):
    path.write_text("half")
    print(path, flush=True)
    time.sleep(600)

write_with(Path(sys.argv[1]), write)
"""


def test_the_next_writer_sweeps_what_killed_ones_left(kept: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-c", WRITER]
    others = [".7-x.json", ".grmeval-00000000-7-x.json", ".grmeval-notes.json"]
    for name in others:
        (tmp_path / name).write_bytes(kept.read_bytes())
    writers = [
        subprocess.Popen(
            [*words, tmp_path / f"{at}.json"], stdout=subprocess.PIPE, env=ENVIRONMENT, text=True
        )
        for at in range(2)
    ]
    try:
        left = []
        for writer in writers:
            assert writer.stdout
            left.append(Path(writer.stdout.readline().strip()))
        assert all(path.exists() for path in left)
        left[0].write_bytes(kept.read_bytes())
        writers[0].kill()
        writers[0].wait()
        write_text(tmp_path / "base.json", kept.read_text())
        assert [path.exists() for path in left] == [False, True]
        assert {path.name for path in tmp_path.iterdir()} == {*others, "base.json", left[1].name}
        found = grmeval("trend", tmp_path, "--to", tmp_path / "trend")
        assert (found.returncode, "1 night" in found.stdout) == (0, True), found.stderr
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
            assert writer.stdout
            writer.stdout.close()
