"""`python -m grmeval`: the same program as the `grmeval` command."""

from grmeval.cli import main

if __name__ == "__main__":
    main()
