"""Brings the rows of a benchmark to this machine ahead of a run: `grmeval data fetch`."""

import os
from functools import partial
from urllib.parse import quote

from grmeval.benches.copies import Copy, archive_of, copies
from grmeval.benches.load import find_spec
from grmeval.benches.sources import damage
from grmeval.benches.spec import Source
from grmeval.errors import ConfigError
from grmeval.remote.download import download

__all__ = ["fetch"]

GITHUB = "https://github.com"


def fetch(bench: str) -> list[Copy]:
    """Download what is not here of a benchmark's rows, and say where it lies.

    ConfigError, DataError: there is no such thing to be had; InfrastructureError: it did not come.
    """
    spec, beside = find_spec(bench)
    if path := archive_of(spec):
        flag = f"--bench {spec.id}"
        check = partial(damage, name=path.name, password=spec.source.password, said=flag)
        download(_url(spec.source), path, check, flag)
    return copies(spec, beside, None)


def _url(source: Source) -> str:
    """The official archive; from the mirror that $GRMEVAL_GITHUB names, if there is one."""
    base = os.environ.get("GRMEVAL_GITHUB") or GITHUB
    if not base.startswith(("http://", "https://")):
        shown = base.rpartition("@")[2]  # no name and password
        raise ConfigError(f"GRMEVAL_GITHUB={shown}: expected a URL such as {GITHUB}")
    revision = quote(source.revision or "", safe="/")
    inside = f"raw/{revision}/{quote(source.archive)}" if source.archive else ""
    return f"{base.rstrip('/')}/{source.github}/{inside or f'archive/{revision}.tar.gz'}"
