"""``spikec export``: a program as files for somebody else's tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spikec.cli.evaluate import load_program
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen

BACKEND = "Backend: `spikec doctor` lists them."
OPTIONS = "Of the backend: step=false for onnx_graph, dt=0.001,neurons=LIF for nir_graph."


def export(
    source: Annotated[
        Path, typer.Argument(metavar="PROGRAM.spk", help="What `spikec convert` wrote.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="BACKEND", help=BACKEND, show_default=False)],
    folder: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="A folder: new, or empty.", show_default=False
        ),
    ],
    options: Annotated[str, typer.Option(metavar="OPTION=VALUE,...", help=OPTIONS)] = "",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a program for another tool: the folder is there whole, or not at all."""
    from spikec.artifact import check_folder, options_of
    from spikec.pipeline.spec import read_options
    from spikec.registry import exporter_by_name

    screen = Screen(as_json=as_json, quiet=quiet)
    own = read_options(options, to, options_of(exporter_by_name(to)))
    check_folder(folder)
    program = load_program(source, screen)
    with screen.busy(f"exporting {source}"):
        artifact = program.export(to, folder, **own)
    if as_json:
        screen.document({"folder": str(folder), **artifact.manifest})
        return
    for file in artifact.files:
        screen.say(f"{file}  {file.stat().st_size:,} bytes")
    screen.say(f"check it: spikec verify {source} --on {to} --artifact {folder} --data FILE.npz")
