"""``spikec lower``: a program fitted to a target, and placed on its cores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikec.cli import samples
from spikec.cli.check import TARGET
from spikec.cli.convert import step_line
from spikec.cli.evaluate import load_program
from spikec.cli.files import check_program_file
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen

if TYPE_CHECKING:
    from spikec.pipeline import Step

DATA = "Samples on which events are counted, by which cores are placed."
REFIT = "Neurons that reset to zero, with thresholds fitted to the samples: an approximation."


def lower(
    source: Annotated[
        Path, typer.Argument(metavar="PROGRAM.spk", help="What `spikec convert` wrote.")
    ],
    target: Annotated[
        str, typer.Option("--target", metavar="TARGET", help=TARGET, show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE.spk", help="The program.", show_default=False),
    ],
    data: Annotated[
        str | None, typer.Option(metavar="FILE.npz[:PREFIX]", help=DATA, show_default=False)
    ] = None,
    refit_reset: Annotated[bool, typer.Option("--refit-reset", help=REFIT)] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Rewrite what a target lacks, and place every neuron on a core."""
    from spikec import api
    from spikec.lowering import lowering
    from spikec.pipeline import parse_pipeline
    from spikec.registry import pass_by_name
    from spikec.target import placement_of

    screen = Screen(as_json=as_json, quiet=quiet)
    check_program_file("--out", out)
    program = load_program(source, screen)
    read = None if data is None else samples.load_data(data)

    passes = parse_pipeline(lowering(target, refit_reset=refit_reset), pass_by_name)
    with screen.busy(f"fitting {source} to {target}", len(passes)) as advance:

        def told(step: Step) -> None:
            advance(1)
            screen.say(step_line(step))

        placed = api.lower(program, target, read, refit_reset=refit_reset, on_step=told)
    with screen.busy(f"writing {out}"):
        placed.save(out)
    placement = placement_of(placed.graph)
    assert placement is not None  # place-cores has made one
    if as_json:
        screen.document({"file": str(out), "placement": placement.to_json()})
        return
    count = f"{placement.cores} core{'s' if placement.cores > 1 else ''}"
    screen.say(f"{count} of {placement.mesh.slots}; wrote {out}")
