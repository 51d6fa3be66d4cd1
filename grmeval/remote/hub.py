"""Asks the hub: which commit a name stands for, and the files of a data set; errors say what to do."""

import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from grmeval import resources
from grmeval.errors import ConfigError, InfrastructureError, StoreError
from grmeval.files import write_json
from grmeval.remote.download import SECONDS, Passing, causes, patiently, plain, reason

__all__ = ["cached", "commit", "dataset_files", "model_file"]

Kind = Literal["model", "dataset"]


def commit(
    hub_id: str,
    revision: str | None,
    kind: Kind,
    flag: str,
    patterns: Sequence[str] = ("config.json",),
) -> str:
    """The commit a name stands for now: asked of the hub, or where that is out of reach, of its cache.

    `flag` is what the user said (`--model owner/name`): errors begin with it; `patterns` are the files
    that the cache must hold. ConfigError: there is no such thing, or it may not be read;
    InfrastructureError: neither hub nor cache can tell.
    """
    from huggingface_hub import HfApi

    if revision and _is_commit(revision):
        return revision

    def here() -> Path | None:
        return cached(hub_id, revision, kind, patterns)

    def ask() -> str:
        with _understood():
            found = HfApi().repo_info(hub_id, repo_type=kind, revision=revision, timeout=SECONDS)
        if not _is_commit(found.sha):
            raise OSError("its answer names no commit")
        return str(found.sha)

    try:
        sha = patiently(ask, flag, here)
    except _failures() as error:
        _raise_mistake(error, hub_id, revision, kind, flag)
        if folder := here():
            return folder.name
        wanted = f"{hub_id}@{revision}" if revision else hub_id
        raise InfrastructureError(
            f"{flag}: the hub is out of reach, and {wanted} is not in its cache "
            f"({_why(error)}); download it where there is a network, or name a "
            f"local copy: {'--model FOLDER' if kind == 'model' else '--data PATH'}"
        ) from None
    _remember(_name(kind, hub_id, revision), sha)
    return sha


def cached(hub_id: str, revision: str | None, kind: Kind, patterns: Sequence[str]) -> Path | None:
    """The folder in the hub's cache, named by its commit; None if it is known to lack files that match."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    # The hub's cache knows a name only after a download by that name; grmeval downloads by commit.
    for known in dict.fromkeys((revision, _commits().get(_name(kind, hub_id, revision)))):
        with contextlib.suppress(HFValidationError, OSError):
            found = snapshot_download(
                hub_id,
                repo_type=kind,
                revision=known,
                allow_patterns=list(patterns),
                local_files_only=True,
            )
            folder = Path(str(found))
            names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
            if _is_commit(folder.name) and all(
                any(fnmatchcase(name, wanted) for name in names) for wanted in patterns
            ):
                return folder
    return None


def model_file(hub_id: str, commit: str, name: str) -> Path | None:
    """A small file of a model, out of the hub's cache or downloaded into it; None: it is not to be had."""
    from huggingface_hub import hf_hub_download

    with contextlib.suppress(*_failures()), _understood():
        return Path(hf_hub_download(hub_id, name, revision=commit, etag_timeout=SECONDS))
    return None


def dataset_files(
    hub_id: str, revision: str | None, patterns: Sequence[str], flag: str
) -> tuple[Path, str]:
    """(folder with the files of a data set that match, its commit); downloaded where they are not cached."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    sha = commit(hub_id, revision, "dataset", flag, patterns)

    def here() -> Path | None:
        return cached(hub_id, sha, "dataset", patterns)

    def get() -> Path:
        try:
            with _understood():
                if sha == revision and not here():  # the listing goes on for long without a network
                    HfApi().repo_info(hub_id, repo_type="dataset", revision=sha, timeout=SECONDS)
                found = snapshot_download(
                    hub_id,
                    repo_type="dataset",
                    revision=sha,
                    allow_patterns=list(patterns),
                    etag_timeout=SECONDS,
                )
        except (OSError, RuntimeError) as error:  # RuntimeError: of hf_xet
            if "Consistency check failed" in str(error) or isinstance(error, RuntimeError):
                raise Passing(str(error).partition("\n")[0]) from None
            raise
        _drop_damaged(Path(str(found)), patterns)
        return Path(str(found))

    try:
        folder = patiently(get, flag, here)
    except _failures() as error:
        _raise_mistake(error, hub_id, revision, "dataset", flag)
        if not (kept := here()):
            raise InfrastructureError(
                f"{flag}: {hub_id} could not be downloaded ({_why(error)}); run the same command "
                "again, it goes on with the files that are not here yet, or name a local copy with --data"
            ) from None
        folder = kept
    if not folder.is_dir():
        raise ConfigError(
            f"{flag}: no file {' or '.join(patterns)} in its revision {revision or 'main'}; "
            "has its layout changed? Name a local copy with --data"
        )
    return folder, sha


def _drop_damaged(folder: Path, patterns: Sequence[str]) -> None:
    """Remove a file of the hub's cache that is not what its name says: the sha256 of a large file.

    As a crash may leave it: the cache is not synced. Passing if there was one: to be got again.
    """
    for path in [path for path in folder.rglob("*") if path.is_symlink()]:
        name, blob = path.relative_to(folder).as_posix(), path.parent / path.readlink()
        mine = any(fnmatchcase(name, wanted) for wanted in patterns)
        if mine and len(blob.name) == 64 and path.exists():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != blob.name:
                for place in (path.resolve(), blob, path):
                    place.unlink(missing_ok=True)
                raise Passing(f"{path} was damaged in the hub's cache, and is removed")


def _failures() -> tuple[type[Exception], ...]:
    """What the hub's client raises when it gets no answer, or none that helps."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import HFValidationError

    return (Passing, HTTPError, OSError, HFValidationError)


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    """Inside, an answer that the hub's client stumbles over (a captive portal's) is an OSError."""
    try:
        yield
    except _failures():
        raise
    except (ValueError, LookupError, AttributeError, TypeError):
        raise OSError("its answer cannot be read") from None


def _is_commit(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch("[0-9a-f]{40}", name) is not None


def _why(error: Exception) -> str:
    from huggingface_hub import constants

    why = reason(error)
    return why if "://" in why else f"{plain(constants.ENDPOINT)}: {why}"


def _raise_mistake(
    error: Exception, hub_id: str, revision: str | None, kind: Kind, flag: str
) -> None:
    """ConfigError where the hub's answer is one that the user can do something about."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    page = f"{plain(constants.ENDPOINT)}/{'datasets/' if kind == 'dataset' else ''}{hub_id}"
    said: tuple[tuple[type[Exception], str], ...] = (
        (GatedRepoError, f"gated; accept its terms on {page} and set HF_TOKEN"),
        (RevisionNotFoundError, f"the hub has no revision {revision!r} of {hub_id}"),
        (RepositoryNotFoundError, f"no such {kind} on the hub, or it is private (set HF_TOKEN)"),
        (HFValidationError, f"no such {kind} on the hub"),
    )
    for cause in causes(error):
        for failure, text in said:
            if isinstance(cause, failure):
                raise ConfigError(f"{flag}: {text}") from None
        if isinstance(cause, HfHubHTTPError) and cause.response.status_code in (401, 403):
            code = cause.response.status_code
            raise ConfigError(
                f"{flag}: {page} may not be read (HTTP {code}); set HF_TOKEN to a token that may"
            ) from None


def _name(kind: Kind, hub_id: str, revision: str | None) -> str:
    return f"{kind}:{hub_id}@{revision or 'main'}"


def _commits() -> dict[str, str]:
    """What names stood for when the hub was last asked."""
    try:
        found = json.loads(_commits_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: sha for name, sha in found.items() if _is_commit(sha)}


def _remember(name: str, sha: str) -> None:
    if (known := _commits()).get(name) != sha:
        with contextlib.suppress(StoreError):  # then it is asked again next time
            write_json(_commits_file(), known | {name: sha})


def _commits_file() -> Path:
    return resources.cache_folder() / "commits.json"
