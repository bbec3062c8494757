"""From a graph to a program: runs a recipe on calibration data and checks every step."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.data import Data, Preprocess, read_data
from spikec.errors import DataError, GraphError, UsageError
from spikec.ir import Graph, Stage
from spikec.ir.edit import copied
from spikec.pipeline import Context, Pass, Pipeline, Step, parse_items, parse_pipeline, suggestion
from spikec.pipeline.recipes import RECIPES, Recipe, check_steps
from spikec.program import Program
from spikec.runtime.feed import bind_inputs

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


def convert_graph(
    graph: Graph,
    calibration: object,
    request: Request,
    lookup: Callable[[str], type[Pass]],
    on_step: OnStep = lambda step: None,
) -> Program:
    """Make a program of an analog graph, which stays as it is."""
    steps = check_steps(request.steps)
    if graph.stage is not Stage.ANALOG:
        raise UsageError(
            f"{graph.name!r} is a {graph.stage.value} graph already",
            expected="an analog network",
            remedy="convert the model that it was made of",
        )
    inputs = _calibration(graph, read_data(calibration), request.preprocess)
    text = request.recipe.pipeline(steps)
    context = Context(calibration=inputs, steps=steps, seed=request.seed)
    work = copied(graph)
    pipeline = Pipeline(parse_pipeline(text, lookup), request.recipe.program_steps)
    probe = {name: array[:PROBES] for name, array in inputs.items()}
    history = pipeline.run(work, context, probe, on_step)
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


def read_recipe(text: str) -> Recipe:
    """Read ``name`` or ``name{option=value,...}``."""
    recipes = parse_items(text, _recipe)
    if len(recipes) != 1:
        raise UsageError(f"recipe {text!r}", expected="one recipe: name{option=value,...}")
    return recipes[0]


def _recipe(name: str) -> type[Recipe]:
    if name not in RECIPES:
        near = suggestion(name, RECIPES)
        raise UsageError(f"no recipe is called {name!r}", expected=", ".join(RECIPES), remedy=near)
    return RECIPES[name]


def _calibration(graph: Graph, data: Data, preprocess: Preprocess) -> Mapping[str, NDArray[Any]]:
    """Give checked and preprocessed calibration data by input name."""
    named = data.named([node.name for node in graph.inputs])
    inputs = {name: preprocess(array) for name, array in named.items()}
    checked = bind_inputs(graph, inputs, None, "float32").arrays
    if all(float(np.ptp(array)) == 0 for array in checked.values()):
        raise DataError(
            "the calibration data hold one number only",
            expected="samples like those that the network will see",
        )
    return checked


def _record(
    request: Request, history: list[Step], context: Context, inputs: Mapping[str, NDArray[Any]]
) -> dict[str, Any]:
    """Write down how the program was made; nothing in it depends on time or place."""
    from spikec import __version__

    count = len(next(iter(inputs.values())))
    return {
        "recipe": {"name": request.recipe.name, **asdict(request.recipe)},
        "steps": request.steps,
        "seed": request.seed,
        "calibration_samples": count,
        "passes": [{"text": s.text, "nodes": s.nodes, "deviation": s.deviation} for s in history],
        "versions": {"spikec": __version__, "python": platform.python_version()},
        **{key: value for key, value in context.record.items() if key != "thresholds"},
    }
