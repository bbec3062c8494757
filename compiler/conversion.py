"""From a graph to a program: runs a recipe on calibration data and checks every step."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from numbers import Integral
from typing import Any

from spikec.data import Data, Preprocess, read_data
from spikec.diagnosis import QUANTA, counted, real_quanta
from spikec.errors import DataError, GraphError, UnsupportedModel, UsageError
from spikec.ir import Graph, Stage
from spikec.ir.edit import copied
from spikec.pipeline import (
    Context,
    Inputs,
    OnPart,
    Pass,
    Pipeline,
    Step,
    parse_items,
    parse_pipeline,
    suggestion,
)
from spikec.pipeline.recipe import Recipe, Rounding, check_steps
from spikec.pipeline.recipes import RECIPES
from spikec.pipeline.recipes_trained import TRAINED
from spikec.program import Program
from spikec.runtime.feed import bind_inputs, recorded, shown, told_steps
from spikec.testing import random_inputs

BY_STAGE: Mapping[Stage, Mapping[str, type[Recipe]]] = {
    Stage.ANALOG: RECIPES,
    Stage.SPIKING: TRAINED,
}
PROBES = 2
"""samples on which every pass is checked"""
OnStep = Callable[[Step], None]


@dataclass(frozen=True)
class Request:
    """What a conversion is asked to do."""

    recipe: Recipe
    steps: int
    preprocess: Preprocess
    seed: int = 0
    rounding: Rounding = field(default_factory=Rounding)


def convert_graph(
    graph: Graph,
    calibration: object,
    request: Request,
    lookup: Callable[[str], type[Pass]],
    on_step: OnStep = lambda step: None,
    on_part: OnPart = lambda share: None,
) -> Program:
    """Make a program of a graph, which stays as it is."""
    steps = check_steps(request.steps)
    _check_seed(request.seed)
    _check_spikes(graph)
    inputs = None
    if calibration is not None:
        inputs = _calibration(graph, read_data(calibration), request)
    text = request.recipe.pipeline(steps, request.rounding)
    context = Context(calibration=inputs, steps=steps, seed=request.seed, on_part=on_part)
    work = copied(graph)
    recipe = request.recipe
    pipeline = Pipeline(parse_pipeline(text, lookup), recipe.program_steps, recipe.settled_by)
    probe = _probe(graph, inputs, request)
    quanta: dict[str, Any] = {}
    history = pipeline.run(work, context, probe, _watched(work, quanta, on_step))
    context.record[QUANTA] = counted(quanta, work)
    if context.reference is None:
        raise GraphError(f"recipe {text!r} keeps no reference", remedy="add keep-reference")
    return Program(
        work,
        context.reference,
        steps=request.recipe.program_steps(work, steps),
        recipe=text,
        preprocess=request.preprocess,
        quantised=context.quantised,
        record=_record(request, history, context, inputs),
    )


def read_recipe(text: str, stage: Stage = Stage.ANALOG) -> Recipe:
    """Read ``name`` or ``name{option=value,...}``, of those for networks of a stage."""
    if stage not in BY_STAGE:
        raise UsageError(
            f"a {stage.value} graph",
            expected="an analog network, or one that was trained spiking",
            remedy="convert the model that it was made of",
        )
    recipes = parse_items(text, partial(_recipe, stage)) if isinstance(text, str) else ()
    if len(recipes) != 1:
        raise UsageError(f"recipe {text!r}", expected="one recipe: name{option=value,...}")
    return recipes[0]


def check_recipe(text: str) -> Recipe:
    """Read a recipe before it is known which networks it is for."""
    for stage, table in BY_STAGE.items():
        if str(text).partition("{")[0].strip() in table:
            return read_recipe(text, stage)
    return read_recipe(text)


def _check_seed(seed: object) -> None:
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**32:  # type: ignore[operator]  # a whole number by now
        raise UsageError(f"seed = {seed!r}", expected=f"a whole number from 0 to {2**32 - 1}")


def _check_spikes(graph: Graph) -> None:
    """Refuse a network that mixes steps, as wavelets do, but has no neurons to say in events."""
    values = (value for node in graph for value in node.outputs)
    if graph.stage is Stage.SPIKING and not any(value.type.is_spikes for value in values):
        raise UnsupportedModel(
            f"{graph.name} has layers for spiking networks, but nothing in it spikes",
            expected="neurons of spikec.nn between its layers",
            remedy="put neurons in the place of its activations and train it, or take these "
            "layers out: they have no meaning in a network of numbers that is to be converted",
        )


def _recipe(stage: Stage, name: str) -> type[Recipe]:
    known = BY_STAGE[stage]
    if name in known:
        return known[name]
    elsewhere = [other for other, table in BY_STAGE.items() if name in table]
    what, remedy = f"no recipe is called {name!r}", suggestion(name, known)
    if elsewhere:
        other = elsewhere[0].value
        what = f"recipe {name!r} is for {other} networks, and this one is {stage.value}"
        remedy = "leave the recipe out"
    raise UsageError(what, expected=", ".join(known), remedy=remedy)


def _calibration(graph: Graph, data: Data, request: Request) -> Inputs:
    """Give checked and preprocessed calibration data by input name."""
    named = data.named([node.name for node in graph.inputs])
    inputs = {name: request.preprocess(array) for name, array in named.items()}
    steps = request.steps
    feed = shown(graph, inputs, steps)
    checked = bind_inputs(graph, feed, told_steps(graph, steps), "float32").arrays
    # as given: preprocessing makes several numbers of black, one per channel
    if all(array.min() == array.max() for array in named.values()):
        raise DataError(
            "the calibration data hold one number only",
            expected="samples like those that the network will see",
        )
    return recorded(graph, checked)


def _probe(graph: Graph, inputs: Inputs | None, request: Request) -> Inputs:
    """Give the samples on which passes are checked: the first ones, or normal numbers."""
    if inputs is None:
        drawn = random_inputs(graph, PROBES, request.seed, steps=request.steps)
        return recorded(graph, drawn)
    return {name: array[:PROBES] for name, array in inputs.items()}


def _watched(graph: Graph, quanta: dict[str, Any], on_step: OnStep) -> OnStep:
    """After each pass, note what events stand for, as long as the graph itself says so."""

    def told(step: Step) -> None:
        quanta.update(real_quanta(graph))
        on_step(step)

    return told


def _record(
    request: Request, history: list[Step], context: Context, inputs: Inputs | None
) -> dict[str, Any]:
    """Write down how the program was made; nothing in it depends on time or place."""
    from spikec import __version__

    count = 0 if inputs is None else len(next(iter(inputs.values())))
    return {
        "recipe": {"name": request.recipe.name, **asdict(request.recipe)},
        "steps": request.steps,
        "seed": request.seed,
        "calibration_samples": count,
        "passes": [{"text": s.text, "nodes": s.nodes, "deviation": s.deviation} for s in history],
        "versions": {"spikec": __version__, "python": platform.python_version()},
        **{key: value for key, value in context.record.items() if key != "thresholds"},
    }
