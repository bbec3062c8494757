"""``spikec report``: one HTML page that shows how a program fares, and what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spikec.cli import samples
from spikec.cli.check import TARGET
from spikec.cli.energy import STANDARD
from spikec.cli.evaluate import MEMORY, load_program
from spikec.cli.numbers import memory_of
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen
from spikec.report.formats import Format

if TYPE_CHECKING:
    from spikec.evaluation import Activity
    from spikec.report.findings import Findings
    from spikec.target import Target

LAYER = "Layer whose events are drawn first; the last one where none is named."
SAMPLE = "Number of the sample whose events are drawn, from 0."
PLOTS = "Also write each picture as a file into this folder: new, or empty."
PROFILE = "Prices of the energy that is drawn; all profiles stand in a table."
TARGETS = f"{TARGET} Once per target; all of them where none is named."


def report(
    source: Annotated[
        Path, typer.Argument(metavar="PROGRAM.spk", help="What `spikec convert` wrote.")
    ],
    data: Annotated[
        str, typer.Option(metavar="FILE.npz[:PREFIX]", help=samples.HELP, show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE.html", help="The page.", show_default=False),
    ],
    steps: Annotated[
        int | None,
        typer.Option("--steps", "-T", metavar="T", help="Time steps, if not the program's own."),
    ] = None,
    first: Annotated[
        int | None, typer.Option("--samples", min=1, help="Use the first so many samples.")
    ] = None,
    memory: Annotated[str, typer.Option(metavar="SIZE", help=MEMORY)] = "",
    layer: Annotated[str, typer.Option(metavar="NAME", help=LAYER)] = "",
    sample: Annotated[int, typer.Option(min=0, help=SAMPLE)] = 0,
    target: Annotated[
        list[str] | None, typer.Option("--target", metavar="TARGET", help=TARGETS)
    ] = None,
    profile: Annotated[str, typer.Option("--profile", "-p", help=PROFILE)] = STANDARD,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help=PLOTS, show_default=False)
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="Of these pictures.")] = Format.SVG,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a page that opens from disk: accuracy, events, rasters, thresholds, targets, passes."""
    from spikec.energy.catalog import load_profile
    from spikec.pipeline.recipe import check_steps
    from spikec.report.findings import Choice, gather
    from spikec.report.writing import check_page, check_pictures, write_page, write_pictures

    screen = Screen(as_json=as_json, quiet=quiet)
    check_page(out)
    if plots is not None:
        check_pictures(plots, format_)
    chosen, prices = _targets(target or ()), load_profile(profile)
    bound = memory_of(memory)
    program = load_program(source, screen)
    count = program.steps if steps is None else check_steps(steps)
    read = samples.load_data(data)
    read = read if first is None else read.first(first)
    with screen.counting(f"running {source}", len(read)) as progress:
        choice = Choice(layer, sample)
        found = gather(program, read, count, chosen, choice, bound, progress, prices)
    size = write_page(found, out)
    written: list[Path] = []
    if plots is not None:
        with screen.counting(f"drawing {plots}") as drawn:
            written = write_pictures(found, plots, format_, drawn)
    _tell(screen, found, {"file": str(out), "bytes": size, "plots": list(map(str, written))})


def _targets(names: tuple[str, ...] | list[str]) -> dict[str, Target]:
    from spikec.target import load_target, targets

    if not names:
        return targets()
    found = (load_target(name) for name in names)
    return {target.name: target for target in found}


def _tell(screen: Screen, found: Findings, files: dict[str, Any]) -> None:
    seen = found.activity
    if screen.as_json:
        screen.document({**files, **seen.to_json()})
        return
    screen.say(f"{_quality(seen)}; {seen.events_per_neuron:.3g} events per neuron and sample")
    if files["plots"]:
        screen.say(f"wrote {len(files['plots'])} pictures into {Path(files['plots'][0]).parent}")
    screen.say(f"wrote {files['file']} ({files['bytes']:,} bytes)")


def _quality(seen: Activity) -> str:
    from spikec.evaluation import Evaluation, Observation

    match seen:
        case Evaluation(accuracy=own, reference_accuracy=network):
            return f"accuracy {own:.2%} of {seen.samples:,} samples, network {network:.2%}"
        case Observation(difference=far):
            return f"outputs of {seen.samples:,} samples, {far:.2g} off the network's (relative)"
    return f"{seen.samples:,} samples"
