"""Fits a program to a target: passes that rewrite what the target lacks, then cores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spikec.data import read_data
from spikec.errors import UsageError
from spikec.ir import Stage
from spikec.ir.edit import copied
from spikec.pipeline import Context, Inputs, Pass, Pipeline, Step, parse_pipeline
from spikec.program import Program
from spikec.testing import random_inputs

PROBES = 2
"""samples on which every pass is checked"""
LOWERED = "lowered"
"""where the record of a program says how it was fitted"""


def lowering(target: str, *, refit_reset: bool = False) -> str:
    """Give the passes as text; ``target`` is a name, or the path of a file."""
    refit = "refit-reset," if refit_reset else ""
    passes = ("split-fan-in", "relay-paths", "legalise-neurons", "place-cores")
    return refit + ",".join(f"{name}{{target={target}}}" for name in passes)


def lower_program(
    program: Program,
    text: str,
    lookup: Callable[[str], type[Pass]],
    data: object = None,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Program:
    """Give the program that these passes make; the given one stays as it is.

    ``data`` are samples, preprocessed as the program says; with them events are measured.
    """
    if program.graph.stage is not Stage.SPIKING:
        raise UsageError(
            f"{program.graph.name!r} is a {program.graph.stage.value} program already",
            expected="a spiking program that no target has shaped",
            remedy="lower the program that spikec convert wrote",
        )
    inputs = None if data is None else _inputs(program, data)
    context = Context(calibration=inputs, reference=program.reference, steps=program.steps)
    work = copied(program.graph)
    drawn = random_inputs(work, PROBES, 0, steps=program.steps)
    probe = drawn if inputs is None else _first(inputs)
    history = Pipeline(parse_pipeline(text, lookup)).run(work, context, probe, on_step)
    passes = [{"text": s.text, "nodes": s.nodes, "deviation": s.deviation} for s in history]
    record = {**program.record, LOWERED: {"passes": passes, **context.record}}
    return Program(
        work,
        program.reference,
        steps=program.steps,
        recipe=f"{program.recipe},{text}",
        preprocess=program.preprocess,
        quantised=program.quantised,
        record=record,
    )


def _inputs(program: Program, data: object) -> Inputs:
    return program.inputs(read_data(data))


def _first(inputs: Inputs) -> dict[str, Any]:
    return {name: array[:PROBES] for name, array in inputs.items()}
