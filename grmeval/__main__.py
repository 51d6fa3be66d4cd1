"""The `grmeval` command, and `python -m grmeval`."""

from grmeval import interrupts

__all__ = ["main"]


def main() -> None:
    """Answer interrupts first: what is imported next takes a while."""
    interrupts.at_once()
    from grmeval.cli import main as command

    command()


if __name__ == "__main__":
    main()
