"""Asks the hub: which commit a name stands for, and the files of a data set; errors say what to do."""

import contextlib
import json
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, cast

from grmeval import resources
from grmeval.errors import ConfigError, InfrastructureError, StoreError
from grmeval.files import write_json

__all__ = ["cached", "commit", "dataset_files"]

Kind = Literal["model", "dataset"]
SECONDS = 10.0
"""How long the hub may take to answer."""


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
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if revision and len(revision) == 40 and all(c in "0123456789abcdef" for c in revision):
        return revision
    try:
        found = HfApi().repo_info(hub_id, repo_type=kind, revision=revision, timeout=SECONDS)
        if found.sha:
            _remember(_name(kind, hub_id, revision), str(found.sha))
            return str(found.sha)
    except GatedRepoError:
        raise ConfigError(f"{flag}: gated; accept its terms on the hub and set HF_TOKEN") from None
    except RevisionNotFoundError:
        raise ConfigError(f"{flag}: the hub has no revision {revision!r} of {hub_id}") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise ConfigError(f"{flag}: no such {kind} on the hub, or it is private") from None
    except _out_of_reach():
        if folder := cached(hub_id, revision, kind, patterns):
            return folder.name
    wanted = f"{hub_id}@{revision}" if revision else hub_id
    raise InfrastructureError(
        f"{flag}: the hub is out of reach, and {wanted} is not in its cache; download it where there is "
        f"a network, or name a local copy: {'--model FOLDER' if kind == 'model' else '--data PATH'}"
    )


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
            if all(any(fnmatchcase(name, wanted) for name in names) for wanted in patterns):
                return folder
    return None


def dataset_files(
    hub_id: str, revision: str | None, patterns: Sequence[str], flag: str
) -> tuple[Path, str]:
    """(folder with the files of a data set that match, its commit); downloaded where they are not cached."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    sha = commit(hub_id, revision, "dataset", flag, patterns)
    try:
        folder = snapshot_download(
            hub_id,
            repo_type="dataset",
            revision=sha,
            allow_patterns=list(patterns),
            etag_timeout=SECONDS,
        )
    except _out_of_reach() as error:
        raise InfrastructureError(
            f"{flag}: {hub_id} could not be downloaded ({type(error).__name__}); run the same command "
            "again, it goes on where it stopped, or name a local copy with --data"
        ) from None
    if not Path(str(folder)).is_dir():
        raise ConfigError(
            f"{flag}: no file {' or '.join(patterns)} in its revision {revision or 'main'}; "
            "has its layout changed? Name a local copy with --data"
        )
    return Path(str(folder)), sha


def _out_of_reach() -> tuple[type[Exception], ...]:
    """What the hub's client raises when it gets no answer, or none that helps."""
    from huggingface_hub.errors import HfHubHTTPError

    # Whichever HTTP library it uses: that library's root error is the base of HfHubHTTPError.
    return (HfHubHTTPError, cast(type[Exception], HfHubHTTPError.__mro__[1]), OSError)


def _name(kind: Kind, hub_id: str, revision: str | None) -> str:
    return f"{kind}:{hub_id}@{revision or 'main'}"


def _commits() -> dict[str, str]:
    """What names stood for when the hub was last asked."""
    try:
        found = json.loads(_commits_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(name: str, sha: str) -> None:
    if (known := _commits()).get(name) != sha:
        with contextlib.suppress(StoreError):  # then it is asked again next time
            write_json(_commits_file(), known | {name: sha})


def _commits_file() -> Path:
    return resources.cache_folder() / "commits.json"
