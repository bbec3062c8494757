"""``spikec verify``: runs an export by the tool that it is for, and compares every event."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spikec.cli import samples
from spikec.cli.evaluate import load_program
from spikec.cli.export import BACKEND, OPTIONS
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen
from spikec.errors import UsageError

SAMPLES = 8
ARTIFACT = "What `spikec export` wrote; without this, an export is made and thrown away."
FIRST = "Use the first so many samples; every event of every layer is compared."


def verify(
    source: Annotated[
        Path, typer.Argument(metavar="PROGRAM.spk", help="What `spikec convert` wrote.")
    ],
    on: Annotated[str, typer.Option("--on", metavar="BACKEND", help=BACKEND, show_default=False)],
    data: Annotated[
        str, typer.Option(metavar="FILE.npz[:PREFIX]", help=samples.HELP, show_default=False)
    ],
    folder: Annotated[
        Path | None, typer.Option("--artifact", metavar="DIR", help=ARTIFACT, show_default=False)
    ] = None,
    first: Annotated[int, typer.Option("--samples", min=1, help=FIRST)] = SAMPLES,
    options: Annotated[str, typer.Option(metavar="OPTION=VALUE,...", help=OPTIONS)] = "",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compare an export with the runtime, event by event; exit code 1 on a difference."""
    from spikec.artifact import Artifact, options_of
    from spikec.pipeline.spec import read_options
    from spikec.registry import exporter_by_name
    from spikec.runtime.feed import shown
    from spikec.verification import verify as compare

    screen = Screen(as_json=as_json, quiet=quiet)
    exporter = exporter_by_name(on)
    own = read_options(options, on, options_of(exporter))
    if folder is not None and options:
        raise UsageError("--options of an export that is there", remedy="leave out one of both")
    artifact = None if folder is None else Artifact.open(folder)
    if artifact is not None and artifact.backend != on:
        raise UsageError(
            f"an export for {artifact.backend}", where=str(folder), expected=f"one for {on}"
        )
    program = load_program(source, screen)
    read = samples.load_data(data).first(first)
    with screen.busy(f"verifying {source} on {on}"):
        inputs = shown(program.graph, program.inputs(read), program.steps)  # recordings: turned
        found = compare(exporter, program.deployable(), inputs, artifact or (on, own))
    if as_json:
        screen.document(found.to_json())
    else:
        for check in found.checks:
            screen.say(f"{'equal' if check.ok else 'DIFFERENT'}: {check}")
    if not found.ok:
        raise typer.Exit(1)
