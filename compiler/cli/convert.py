"""``spikec convert``: a pretrained network in, a spiking program out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spikec.cli import model, samples, shapes
from spikec.cli.files import check_file, check_program_file
from spikec.cli.numbers import preprocess_of
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Advance, Screen
from spikec.cli.search import Candidates, draw_search, search_table

if TYPE_CHECKING:
    from spikec.data import Data, Preprocess
    from spikec.ir import Graph
    from spikec.pipeline import Step
    from spikec.pipeline.recipe import Rounding
    from spikec.program import Program

RECIPE = "One of `spikec recipes`, or auto, which tries them and takes the cheapest."
STEPS = "Time steps; with recipe auto the most, or any number where this is left out."
BITS = "Round weights and thresholds to whole numbers of so many bits: 8 runs on int8 units."
INPUT_BITS = "Round inputs too: with --weight-bits all tools compute the same events, bit for bit."
OPTIONS = "Which whole numbers a chip has: per=layer,sign=mixed-even,shortcuts=true,accumulator=18."
SCALE = "Inputs are multiplied by this: 1/255."
DROP = "auto: points that may be lost, on samples that take no part in calibration. [default: 1]"
TARGET = "auto: leave out what this target cannot run; one of `spikec targets`, or a .toml file."
PROFILE = "auto: let energy be the cost, by one of `spikec profiles`, in the place of events."
NEAREST = "auto: take what loses least, where nothing is good enough."
PARETO = "auto: draw what the candidates cost and lose."
Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", metavar="SHAPE", help=shapes.HELP, show_default=False),
]
Steps = Annotated[
    int | None, typer.Option("--steps", "-T", metavar="T", help=STEPS, show_default=False)
]
Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="FILE.spk", help="The program.", show_default=False)
]
Drop = Annotated[
    float | None, typer.Option("--max-drop", metavar="POINTS", help=DROP, show_default=False)
]
Pareto = Annotated[Path | None, typer.Option(metavar="FILE.svg", help=PARETO, show_default=False)]


def convert(
    source: Annotated[str, typer.Argument(metavar="MODEL", help=model.HELP, show_default=False)],
    data: Annotated[
        str, typer.Option(metavar="FILE.npz[:PREFIX]", help=samples.HELP, show_default=False)
    ],
    out: Out,
    steps: Steps = None,
    recipe: Annotated[str, typer.Option(metavar="NAME{OPTION=VALUE}", help=RECIPE)] = "auto",
    max_drop: Drop = None,
    target: Annotated[str, typer.Option(metavar="TARGET", help=TARGET)] = "",
    profile: Annotated[str, typer.Option(metavar="PROFILE", help=PROFILE)] = "",
    nearest: Annotated[bool, typer.Option("--nearest", help=NEAREST)] = False,
    pareto: Pareto = None,
    first: Annotated[
        int | None, typer.Option("--samples", min=1, help="Use the first so many samples.")
    ] = None,
    scale: Annotated[str, typer.Option(metavar="NUMBER", help=SCALE)] = "",
    mean: Annotated[str, typer.Option(metavar="NUMBERS", help="Then this is subtracted.")] = "",
    std: Annotated[str, typer.Option(metavar="NUMBERS", help="Then divided by this.")] = "",
    inputs: Inputs = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of random choices.")] = 0,
    weight_bits: Annotated[int | None, typer.Option(min=1, max=16, help=BITS)] = None,
    weight_options: Annotated[str, typer.Option(metavar="OPTION=VALUE,...", help=OPTIONS)] = "",
    input_bits: Annotated[int | None, typer.Option(min=2, max=16, help=INPUT_BITS)] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Convert a network into a spiking program, calibrated on samples."""
    from spikec.pipeline.recipe import Rounding

    screen = Screen(as_json=as_json, quiet=quiet)
    check_program_file("--out", out)
    if pareto is not None:
        check_file("--pareto", pareto, ".svg")
    rounding = Rounding(weight_bits, input_bits, weight_options)
    wish = {"max_drop": max_drop, "target": target or None, "profile": profile or None}
    wish["nearest"] = nearest or None
    parts = _check(recipe, steps, rounding, wish)
    settings = _settings(source, preprocess_of(scale, mean, std))
    calibration = _samples(data, first)
    graph = _graph(screen, source, shapes.example_of(inputs or ()), calibration, settings)
    ask: Any = {"preprocess": settings, "seed": seed, **asdict(rounding), **wish}
    program = _converted(screen, source, parts, (graph, calibration, steps, recipe), ask)
    with screen.busy(f"writing {out}"):
        program.save(out)
    if pareto is not None:
        draw_search(pareto, program.record.get("search"))
    _report(screen, program, len(calibration), out)


def _check(recipe: str, steps: int | None, rounding: Rounding, wish: Mapping[str, Any]) -> int:
    """Before any work: what cannot be read is told.  Gives the number of parts of the work."""
    from spikec import api
    from spikec.conversion import check_recipe
    from spikec.pipeline import parse_pipeline
    from spikec.pipeline.recipe import check_steps
    from spikec.registry import pass_by_name
    from spikec.search.candidates import FAMILIES

    if recipe == api.AUTO:
        api.check_wish(steps, wish)
        return len(FAMILIES)
    api.check_fixed(recipe, steps, wish)
    text = check_recipe(recipe).pipeline(check_steps(steps), rounding)
    return len(parse_pipeline(text, pass_by_name))


def _converted(
    screen: Screen, source: str, parts: int, what: tuple[Any, ...], ask: dict[str, Any]
) -> Program:
    """Convert behind a bar, and tell of each pass, or of each candidate."""
    from spikec import api

    with screen.busy(f"converting {source}", parts) as advance:
        if what[-1] == api.AUTO:
            told = Candidates(screen, advance)
            return api.convert(*what, **ask, on_trial=told.trial)
        passes = _Told(screen, advance)
        return api.convert(*what, **ask, on_step=passes.step, on_part=passes.part)


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
    if search := program.record.get("search"):
        screen.show(search_table(search))
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
