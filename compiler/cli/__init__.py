"""The command line: one file a subcommand."""

from spikec.cli.start import main

__all__ = ["main"]
