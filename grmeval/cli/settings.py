"""Settings from a TOML: `--config FILE`, else grmeval.toml in the working folder; flags win over both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grmeval import resources
from grmeval.benches import bench_ids, own_file
from grmeval.config import RunConfig, Shard
from grmeval.errors import ConfigError, nearest
from grmeval.files import read_toml
from grmeval.secret_keys import refuse_secrets

if TYPE_CHECKING:
    from grmeval.score import Prices
    from grmeval.store import RunFolder

__all__ = [
    "FILE",
    "check_beside",
    "data_of",
    "looked_at",
    "price_file",
    "read_settings",
    "results_folder",
    "scoring",
    "settings_file",
]

FILE = "grmeval.toml"
_TABLES = ("engine_args", "chat_template_kwargs", "meta_engine_args")


def read_settings(path: Path | None) -> dict[str, Any]:
    """The file's values by field of RunConfig; what is repeatable as lists, `data` by benchmark.

    Relative paths are relative to the file. {} without a file; ConfigError names file and key.
    """
    path = settings_file(path)
    if path is None:
        return {}
    found = read_toml(path, "--config ")
    here = path.expanduser().absolute().parent
    return {name: _value(path, name, value, here) for name, value in found.items()}


def settings_file(given: Path | None) -> Path | None:
    """The file that is in force: the one that was named, else grmeval.toml, where there is one."""
    return given or (Path(FILE) if Path(FILE).exists() else None)


def _value(file: Path, name: str, value: Any, here: Path) -> Any:
    if name not in RunConfig.model_fields:
        known = nearest(name, sorted(RunConfig.model_fields))
        raise ConfigError(f"{file}: unknown setting {name!r}; {known}")
    if name in ("principles", "template", "lora", "results", "meta_template", "prices"):
        return _path(file, name, value, here)
    if name == "data":
        return _data(file, value if isinstance(value, dict) else {"": value}, here)
    if name in ("bench", "vote", "subset", "section", "base_url"):
        words = [value] if isinstance(value, str) else value
        if not (isinstance(words, list) and words and all(isinstance(w, str) for w in words)):
            raise ConfigError(
                f"{file}: {name}: expected a word, or a list of words; found {value!r}"
            )
        return [_if_path(word, here) for word in words] if name == "bench" else words
    wants = RunConfig.model_fields[name].annotation
    if name in _TABLES:
        refuse_secrets(f"{file}: {name}.", value)
        if not isinstance(value, dict):  # nothing of it is printed: it may be a secret
            raise ConfigError(f"{file}: {name}: a value of this kind does not fit; make it a table")
    if isinstance(value, bool) != (wants is bool) or (
        isinstance(value, dict) and name not in _TABLES
    ):
        raise ConfigError(f"{file}: {name}: a value of this kind does not fit; found {value!r}")
    if name == "shard":
        return Shard.parse(str(value))
    return _if_path(value, here) if name in ("model", "meta_model", "critiques") else value


def _data(file: Path, table: dict[str, Any], here: Path) -> dict[str, Path]:
    for bench in table:
        if bench and bench not in bench_ids() and not own_file(bench):
            raise ConfigError(f"{file}: data.{bench}: {nearest(bench, bench_ids())}")
    return {bench: _path(file, "data", text, here) for bench, text in table.items()}


def results_folder(given: Path | None) -> Path:
    """Where runs are looked for: the flag, else the settings file, else ./results."""
    return given or read_settings(None).get("results") or Path("results")


def price_file(given: Path | None) -> "Prices | None":
    """What models cost: by the flag's file, else by that of the settings file, else not known."""
    from grmeval.score import read_prices

    return read_prices(given or read_settings(None).get("prices"))


def looked_at(
    runs: Sequence[str], results: Path | None, settings: Mapping[str, Any]
) -> "list[RunFolder]":
    """The runs that a command looks at: of each the part that --subset and --section keep."""
    from grmeval.benches import Filter
    from grmeval.cli.output import taken
    from grmeval.store import RunFolder, parts_of

    where = results_folder(results)
    folders = [RunFolder(taken(run, where)) for run in runs]
    return parts_of(folders, Filter.of(settings))


def check_beside(printed: Sequence[str], part: bool) -> None:
    """ConfigError: published numbers beside those of a part of the benchmark."""
    if printed and part:
        raise ConfigError(
            f"--beside {printed[0]!r}: published numbers are of whole benchmarks, and --subset and --section "
            "keep a part: drop one of them"
        )


def scoring(settings: dict[str, Any]) -> dict[str, Any]:
    """What flags said of scoring, as the keywords of score(), scale() and compare()."""
    own = ("vote", "prices", "subset", "section")
    rest = {name: value for name, value in settings.items() if name not in own}
    return rest | {
        "votes": settings.get("vote"),
        "prices": price_file(settings.get("prices")),
    }


def data_of(benches: list[str], given: list[str], from_file: dict[str, Path]) -> dict[str, Path]:
    """Local copies by benchmark, from `--data PATH`, `--data BENCH=PATH` and the file's.

    A path without a name belongs to the one benchmark there is; ConfigError where there are more.
    """
    named, plain = dict[str, Path](), list[Path]()
    for text in given:
        name, equals, path = text.partition("=")
        if equals and not Path(text).exists():
            meant = [bench for bench in benches if name in (bench, Path(bench).name)]
            if not meant or not path:
                known = [Path(bench).name for bench in benches]
                raise ConfigError(f"--data {text}: expected BENCH=PATH; {nearest(name, known)}")
            named[meant[0]] = Path(path)
        else:
            plain.append(Path(text))
    if plain and (len(benches) > 1 or len(plain) > 1):
        raise ConfigError(
            f"--data {plain[0]}: of which benchmark? Say --data BENCH=PATH for each: {', '.join(benches)}"
        )
    if plain:
        return {benches[0]: plain[0]}
    if "" in from_file and len(benches) > 1:
        raise ConfigError(f"data = …: of which benchmark? Make it a table: [data] {benches[0]} = …")
    return {b: p for b in benches if (p := named.get(b) or from_file.get(b) or from_file.get(""))}


def _path(file: Path, name: str, value: Any, here: Path) -> Path:
    if not isinstance(value, str):
        raise ConfigError(f"{file}: {name}: expected a path in quotes, found {value!r}")
    path = Path(value).expanduser()
    return here / (resources.template(path) if name == "template" else path)


def _if_path(text: Any, here: Path) -> Any:
    """What begins like a relative path, or ends like a file of rows, is a path."""
    if isinstance(text, str) and (text.startswith(("./", "../")) or own_file(text)):
        return str(here / Path(text).expanduser())
    return text
