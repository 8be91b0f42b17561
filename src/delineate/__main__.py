"""Lets ``python -m delineate`` be the command line."""

from delineate.cli.main import main

if __name__ == "__main__":
    main()
