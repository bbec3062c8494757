"""``spikec convert``: a pretrained network in, a spiking program out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spikec.cli import model, samples, shapes
from spikec.cli.files import check_program_file
from spikec.cli.numbers import preprocess_of
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Advance, Screen

if TYPE_CHECKING:
    from spikec.data import Data, Preprocess
    from spikec.ir import Graph
    from spikec.pipeline import Step
    from spikec.program import Program

RECIPE = "One of `spikec recipes`."
BITS = "Round weights and thresholds to whole numbers of so many bits: 8 runs on int8 units."
INPUT_BITS = "Round inputs too: with --weight-bits all tools compute the same events, bit for bit."
OPTIONS = "Which whole numbers a chip has: per=layer,sign=mixed-even,shortcuts=true,accumulator=18."
SCALE = "Inputs are multiplied by this: 1/255."


def convert(
    source: Annotated[str, typer.Argument(metavar="MODEL", help=model.HELP, show_default=False)],
    data: Annotated[
        str, typer.Option(metavar="FILE.npz[:PREFIX]", help=samples.HELP, show_default=False)
    ],
    steps: Annotated[
        int, typer.Option("--steps", "-T", metavar="T", help="Time steps.", show_default=False)
    ],
    recipe: Annotated[
        str, typer.Option(metavar="NAME{OPTION=VALUE}", help=RECIPE, show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE.spk", help="The program.", show_default=False),
    ],
    first: Annotated[
        int | None, typer.Option("--samples", min=1, help="Use the first so many samples.")
    ] = None,
    scale: Annotated[str, typer.Option(metavar="NUMBER", help=SCALE)] = "",
    mean: Annotated[str, typer.Option(metavar="NUMBERS", help="Then this is subtracted.")] = "",
    std: Annotated[str, typer.Option(metavar="NUMBERS", help="Then divided by this.")] = "",
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="SHAPE", help=shapes.HELP, show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of random choices.")] = 0,
    weight_bits: Annotated[int | None, typer.Option(min=1, max=16, help=BITS)] = None,
    weight_options: Annotated[str, typer.Option(metavar="OPTION=VALUE,...", help=OPTIONS)] = "",
    input_bits: Annotated[int | None, typer.Option(min=2, max=16, help=INPUT_BITS)] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Convert a network into a spiking program, calibrated on samples."""
    from spikec import api
    from spikec.conversion import read_recipe
    from spikec.pipeline import parse_pipeline
    from spikec.pipeline.recipe import Rounding, check_steps
    from spikec.registry import pass_by_name

    screen = Screen(as_json=as_json, quiet=quiet)
    check_program_file("--out", out)
    rounding = Rounding(weight_bits, input_bits, weight_options)
    text = read_recipe(recipe).pipeline(check_steps(steps), rounding)
    passes = parse_pipeline(text, pass_by_name)  # before any work: what cannot be read is told
    settings = _settings(source, preprocess_of(scale, mean, std))
    calibration = _samples(data, first)
    graph = _graph(screen, source, shapes.example_of(inputs or ()), calibration, settings)
    ask: Any = {"preprocess": settings, "seed": seed, **asdict(rounding)}
    with screen.busy(f"converting {source}", len(passes)) as advance:
        told = _Told(screen, advance)
        ask |= {"on_step": told.step, "on_part": told.part}
        program = api.convert(graph, calibration, steps, recipe, **ask)
    with screen.busy(f"writing {out}"):
        program.save(out)
    _report(screen, program, len(calibration), out)


def _settings(source: str, given: Preprocess) -> Preprocess:
    """Give the preprocessing; that of a program without spikes, where no other is given."""
    from spikec.data import Preprocess

    if Path(source).suffix.lower() != ".spk" or given != Preprocess():
        return given
    return Preprocess.from_json(model.load_stored(source)[1].get("preprocess", {}))


def _samples(data: str, first: int | None) -> Data:
    loaded = samples.load_data(data)
    return loaded if first is None else loaded.first(first)


@dataclass
class _Told:
    """Moves the bar by what a pass says of itself, and by what is left once it is through."""

    screen: Screen
    advance: Advance
    done: float = 0.0
    """share of the pass that runs"""

    def part(self, share: float) -> None:
        self.advance(share - self.done)
        self.done = share

    def step(self, step: Step) -> None:
        self.part(1.0)
        self.done = 0.0
        self.screen.say(step_line(step))


def _graph(screen: Screen, source: str, example: Any, data: Data, settings: Preprocess) -> Graph:
    """Read the model; samples show what its inputs are, where ``--input`` does not."""
    stored = Path(source).suffix.lower() == ".spk"
    with screen.busy(f"reading {source}"):
        if example is None and not stored:
            example = data.example(settings)
        return model.load_graph(source, example)


def _report(screen: Screen, program: Program, samples_used: int, out: Path) -> None:
    facts = summary(program)
    if screen.as_json:
        screen.document({"file": str(out), **facts, **program.record})
        return
    screen.say(
        f"{facts['layers']} layers of {facts['neurons']:,} neurons, {facts['steps']} steps, "
        f"calibrated on {samples_used:,} samples"
    )
    if unknown := program.record.get("tune-quantised", {}).get("without_gradient"):
        screen.say(f"not tuned as a whole, for want of derivatives: {', '.join(unknown)}")
    screen.say(f"wrote {out}")


def step_line(step: Step) -> str:
    """Say what a pass did."""
    change = f"deviation {step.deviation:.2e}" if step.changed else "unchanged"
    return f"{step.text:<58} {step.nodes:>5} nodes  {change:<18} {step.seconds:>6.1f} s"


def summary(program: Program) -> dict[str, Any]:
    """Give what a program is, in numbers."""
    from spikec.evaluation import neurons_in

    names = program.neurons
    return {
        "layers": len(names),
        "neurons": sum(neurons_in(program.graph, name) for name in names),
        "steps": program.steps,
        "pipeline": program.recipe,
    }
