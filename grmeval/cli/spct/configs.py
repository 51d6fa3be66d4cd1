"""`grmeval spct configs`: the packaged configurations of training."""

from grmeval.cli.spct import spct


@spct.command()
def configs() -> None:
    """List the packaged configurations.

    Of each what it is, its file, and its file for `accelerate launch`.
    """
    from grmeval import resources
    from grmeval.cli.output import consoles
    from grmeval.train.settings import accelerate_file, config_names, read_config

    out, _ = consoles()
    for name in config_names():
        found = read_config(name)
        out.print(f"{name}: {found.title}", soft_wrap=True)
        out.print(f"  {resources.tasks() / 'spct' / name}.toml", soft_wrap=True)
        if path := accelerate_file(found):
            out.print(f"  accelerate launch --config-file {path}", soft_wrap=True)
