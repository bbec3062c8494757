"""``spikec eval``: how a program fares on labelled samples, beside its network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from spikec.cli import samples
from spikec.cli.numbers import memory_of
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen
from spikec.errors import UsageError

if TYPE_CHECKING:
    from spikec.evaluation import Evaluation

MEMORY = "Most memory for intermediate values: bytes, 2GB, 512MiB."
ROWS = 16
"""steps up to which every one is shown; of more, the powers of two and the last"""


def evaluate(
    source: Annotated[
        Path, typer.Argument(metavar="PROGRAM.spk", help="What `spikec convert` wrote.")
    ],
    data: Annotated[
        str, typer.Option(metavar="FILE.npz[:PREFIX]", help=samples.HELP, show_default=False)
    ],
    steps: Annotated[
        int | None,
        typer.Option("--steps", "-T", metavar="T", help="Time steps, if not the program's own."),
    ] = None,
    first: Annotated[
        int | None, typer.Option("--samples", min=1, help="Use the first so many samples.")
    ] = None,
    memory: Annotated[str, typer.Option(metavar="SIZE", help=MEMORY)] = "",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure a program: accuracy by step, agreement with the network, events, rates."""
    from spikec.api import check_file
    from spikec.pipeline.recipes import check_steps
    from spikec.program import Program

    screen = Screen(as_json=as_json, quiet=quiet)
    if steps is not None:
        check_steps(steps)
    bound = memory_of(memory)
    if source.suffix != ".spk":
        remedy = "spikec convert makes one of a model"
        raise UsageError(f"{source} is no program", expected="a .spk file", remedy=remedy)
    check_file(source)
    program = Program.load(source)
    read = samples.load_data(data)
    read = read if first is None else read.first(first)
    with screen.busy(f"evaluating {source}", len(read)) as tick:
        done = 0

        def progress(now: int, total: int) -> None:
            nonlocal done
            for _ in range(now - done):
                tick()
            done = now

        found = program.evaluate(read, steps, memory=bound, progress=progress)
    if as_json:
        screen.document(found.to_json())
        return
    screen.show(step_table(found))
    screen.show(rate_table(found))
    screen.say(
        f"accuracy {found.accuracy:.2%} of {found.samples:,} samples, network "
        f"{found.reference_accuracy:.2%}: a drop of {found.drop:.2f} points"
    )
    screen.say(
        f"agreement with the network {found.agreement:.2%}, "
        f"{found.events_per_neuron:.3g} events per neuron and sample"
    )


def step_table(found: Evaluation) -> Table:
    """Show accuracy and drop by step."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("steps", "accuracy", "drop (points)"):
        table.add_column(header, justify="right")
    last = len(found.accuracy_by_step)
    for step, accuracy in enumerate(found.accuracy_by_step, start=1):
        if last <= ROWS or step == last or step & (step - 1) == 0:
            drop = 100 * (found.reference_accuracy - accuracy)
            table.add_row(str(step), f"{accuracy:.2%}", f"{drop:.2f}")
    return table


def rate_table(found: Evaluation) -> Table:
    """Show events per neuron by layer."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("events per neuron", justify="right")
    for name, rate in found.rates.items():
        table.add_row(Text(name), f"{rate:.4f}")
    return table
