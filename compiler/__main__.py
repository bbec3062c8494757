"""``python -m spikec``: the command line without its script."""

from spikec.cli import main

if __name__ == "__main__":
    main()
