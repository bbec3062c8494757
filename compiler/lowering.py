"""Fits a program to a target: passes that rewrite what the target lacks, then cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spikec.data import read_data
from spikec.errors import Problem, UnsupportedModel, UsageError
from spikec.ir import Graph, Stage
from spikec.ir.edit import copied
from spikec.pipeline import Context, Inputs, Pass, Pipeline, Step, parse_pipeline
from spikec.program import Program
from spikec.runtime.feed import recorded
from spikec.target import Rule, check, load_target
from spikec.testing import random_inputs

PROBES = 2
"""samples on which every pass is checked"""
LOWERED = "lowered"
"""where the record of a program says how it was fitted"""
FITTING: Mapping[str, tuple[Rule, ...]] = {
    "fold-pools": (),
    "split-fan-in": (Rule.FAN_IN,),
    "relay-paths": (Rule.DELAY,),
    "legalise-neurons": (),
}
"""passes that rewrite, and the violations that they tell better than a check does"""


def lowering(target: str, *, refit_reset: bool = False) -> str:
    """Give the passes as text; ``target`` is a name, or the path of a file."""
    refit = "refit-reset," if refit_reset else ""
    return refit + ",".join(f"{name}{{target={target}}}" for name in (*FITTING, "place-cores"))


def lower_program(
    program: Program,
    target: str,
    lookup: Callable[[str], type[Pass]],
    data: object = None,
    *,
    refit_reset: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Program:
    """Give the program fitted to a target; the given one stays as it is.

    ``data`` are samples, preprocessed as the program says; with them events are measured.
    """
    load_target(target)  # before any work
    if program.graph.stage is not Stage.SPIKING:
        raise UsageError(
            f"{program.graph.name!r} is a {program.graph.stage.value} program already",
            expected="a spiking program that no target has shaped",
            remedy="lower the program that spikec convert wrote",
        )
    text = lowering(target, refit_reset=refit_reset)
    passes = parse_pipeline(text, lookup)
    inputs = None if data is None else _inputs(program, data)
    context = Context(calibration=inputs, reference=program.reference, steps=program.steps)
    work = copied(program.graph)
    drawn = recorded(work, random_inputs(work, PROBES, 0, steps=program.steps))
    probe = drawn if inputs is None else _first(inputs)
    try:
        history = Pipeline(passes).run(work, context, probe, on_step)
    except UnsupportedModel as error:
        everything = _reasons(copied(program.graph), target, passes, context)
        what = f"{program.graph.name!r} cannot be fitted to {load_target(target).name}"
        raise UnsupportedModel(what, problems=everything or error.problems) from error
    steps = [{"text": s.text, "nodes": s.nodes, "deviation": s.deviation} for s in history]
    record = {**program.record, LOWERED: {"passes": steps, **context.record}}
    return Program(
        work,
        program.reference,
        steps=program.steps,
        recipe=f"{program.recipe},{text}",
        preprocess=program.preprocess,
        quantised=program.quantised,
        record=record,
    )


def _reasons(
    graph: Graph, target: str, passes: Sequence[Pass], context: Context
) -> tuple[Problem, ...]:
    """List all that keeps a program from a target: what no pass rewrites, then what is left."""
    found: dict[Problem, None] = {}
    told: set[Rule] = set()
    for one in passes[:-1]:  # the last one places, and would list what a check does
        try:
            one(graph, context)
        except UnsupportedModel as error:
            found.update(dict.fromkeys(error.problems))
            told.update(FITTING.get(one.name, ()))
    left = (v.problem for v in check(graph, load_target(target)) if v.rule not in told)
    found.update(dict.fromkeys(left))
    return tuple(found)


def _inputs(program: Program, data: object) -> Inputs:
    return program.inputs(read_data(data))


def _first(inputs: Inputs) -> dict[str, Any]:
    return {name: array[:PROBES] for name, array in inputs.items()}
