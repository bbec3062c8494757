"""Options that every command has."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, errors included, to stdout.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress, no tables: errors and files only.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
