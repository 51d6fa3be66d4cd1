"""`python -m grmeval.train.smol OUT`: a benchmark of made items, and training examples."""

from pathlib import Path
from typing import Annotated

import typer

from grmeval.errors import ConfigError, GrmevalError, nearest
from grmeval.train.smol.items import FAMILIES
from grmeval.train.smol.write import write_bench, write_sft


def main(
    out: Annotated[Path, typer.Argument(help="Folder for bench.toml, items.jsonl, data.json.")],
    split: Annotated[
        str, typer.Option(help="train or test (held-out facts and wordings).")
    ] = "train",
    each: Annotated[int, typer.Option(min=1, help="Items a family.")] = 900,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is drawn.")] = 0,
    family: Annotated[
        list[str] | None, typer.Option(help="Only this family; repeatable. [default: all]")
    ] = None,
    sft: Annotated[
        Path | None, typer.Option(help="Folder for train.jsonl: what `grmeval spct rft` takes.")
    ] = None,
) -> None:
    """Items whose truth is known, and judgements of them composed by rule."""
    try:
        if split not in ("train", "test"):
            raise ConfigError(f"--split {split!r}: {nearest(split, ['train', 'test'])}")
        if unknown := [name for name in family or () if name not in FAMILIES]:
            raise ConfigError(f"--family {unknown[0]!r}: {nearest(unknown[0], list(FAMILIES))}")
        if sft and split != "train":
            raise ConfigError("--sft: nothing of the split test is trained on; drop it")
        made, loaded = write_bench(
            out, "train" if split == "train" else "test", each, seed, family or ()
        )
        print(f"{out}: {len(made)} items")
        if sft:
            print(f"{sft}: {write_sft(sft, made, loaded, seed)} examples")
    except GrmevalError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_code) from None


app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
app.command()(main)

if __name__ == "__main__":
    app(prog_name="python -m grmeval.train.smol")
