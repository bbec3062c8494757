"""``spikec eval``: how a program fares on labelled samples, beside its network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

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
    from spikec.data import Data
    from spikec.diagnosis import Diagnosis
    from spikec.evaluation import Evaluation
    from spikec.exits import EarlyEvaluation
    from spikec.program import Program

EXIT = "Let samples stop when their answer is settled: margin or entropy; needs --exit-fit."
EXIT_FIT = "Samples on which the threshold is fitted: others than those of --data."
EXIT_DROP = "Points that stopping early may lose on them."
DIAGNOSE = "Say where loss arises: clipping, quantisation, unevenness or inherited, by layer."
MEMORY = "Most memory for intermediate values: bytes, 2GB, 512MiB."
ROWS = 16
"""steps up to which every one is shown; of more, the powers of two and the last"""
Found = TypeVar("Found")


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
    diagnose: Annotated[bool, typer.Option("--diagnose", help=DIAGNOSE)] = False,
    exit_by: Annotated[str, typer.Option("--exit", metavar="CRITERION", help=EXIT)] = "",
    exit_fit: Annotated[str, typer.Option(metavar="FILE.npz[:PREFIX]", help=EXIT_FIT)] = "",
    exit_drop: Annotated[float, typer.Option(metavar="POINTS", help=EXIT_DROP)] = 0.5,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure a program: accuracy by step, agreement with the network, events, rates."""
    from spikec.pipeline.recipe import check_steps

    screen = Screen(as_json=as_json, quiet=quiet)
    options: dict[str, Any] = {
        "steps": None if steps is None else check_steps(steps),
        "memory": memory_of(memory),
    }
    if exit_by or exit_fit:
        _check_exit(exit_by, exit_fit, exit_drop, with_steps=steps is not None)
    program = load_program(source, screen)
    read = samples.load_data(data)
    read = read if first is None else read.first(first)
    early = None
    if exit_by:
        with screen.busy("fitting when to stop"):
            rule = program.fit_exit(samples.load_data(exit_fit), exit_by, exit_drop)
        with screen.counting("stopping early", len(read)) as count:
            early = program.evaluate_early(read, rule, progress=count)
    found = _measured(screen, f"evaluating {source}", read, program.evaluate, options)
    told = None
    if diagnose:
        told = _measured(screen, f"diagnosing {source}", read, program.diagnose, options)
    if as_json:
        more = {} if told is None else {"diagnosis": told.to_json()}
        more |= {} if early is None else {"early_exit": early.to_json()}
        screen.document({**found.to_json(), **more})
        return
    _print(screen, found)
    if early is not None:
        screen.say(exit_line(early))
    if told is not None:
        _explain(screen, told)


def _check_exit(criterion: str, fit: str, drop: float, *, with_steps: bool) -> None:
    """Before any work: what is wrong with the options of early exit is told."""
    from spikec.exits import check_drop, read_criterion

    read_criterion(criterion)
    check_drop(drop)
    if not fit:
        raise UsageError("--exit without --exit-fit", expected="samples to fit the threshold on")
    if with_steps:
        raise UsageError("--exit and --steps at once", expected="the program's own steps")


def exit_line(early: EarlyEvaluation) -> str:
    """Say what stopping early brings."""
    return (
        f"stopping by {early.criterion}: accuracy {early.accuracy:.2%}, "
        f"{early.mean_steps:.2f} of {early.steps} steps and {early.events:,.0f} events per sample"
    )


def load_program(source: Path, screen: Screen) -> Program:
    """Read a program, or say why the file is none."""
    from spikec.api import check_file
    from spikec.program import Program

    if source.suffix != ".spk":
        remedy = "spikec convert makes one of a model"
        raise UsageError(f"{source} is no program", expected="a .spk file", remedy=remedy)
    check_file(source)
    with screen.busy(f"reading {source}"):
        return Program.load(source)


def _measured(
    screen: Screen,
    label: str,
    read: Data,
    measure: Callable[..., Found],
    options: dict[str, Any],
) -> Found:
    """Measure with a bar that shows how many samples are done."""
    with screen.counting(label, len(read)) as count:
        return measure(read, progress=count, **options)


def _print(screen: Screen, found: Evaluation) -> None:
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


def _explain(screen: Screen, told: Diagnosis) -> None:
    screen.show(cause_table(told))
    screen.say(
        "error of each layer in % of its analog activations: root mean square (mean); "
        "* the largest cause"
    )
    for name, reason in told.omitted.items():
        screen.say(f"{name}: not diagnosed, {reason}")


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


def cause_table(told: Diagnosis) -> Table:
    """Show the parts of each layer's error; the largest one is marked."""
    from spikec.diagnosis import CAUSES

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("layer", overflow="fold")
    for header in (*CAUSES, "in all"):
        table.add_column(header, justify="right")
    for layer in told.layers:
        cells = []
        for name in (*CAUSES, "total"):
            part = layer.part(name)
            mark, style = ("*", "bold") if name == layer.largest else ("", "")
            cells.append(Text(f"{mark}{100 * part.rms:.2f} ({100 * part.mean:+.2f})", style))
        table.add_row(Text(layer.name), *cells)
    return table
