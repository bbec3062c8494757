"""The models of a program: all steps at once; what starts a run, and one step of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from spikec.backends.onnx_graph.building import TIME_BEFORE, Builder
from spikec.backends.onnx_graph.functions import given_parameters
from spikec.backends.onnx_graph.rule import Call, fixed_type
from spikec.backends.onnx_graph.rules import SCANS
from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Graph, Node, ScanOp, TensorType, Timing, Value, ops
from spikec.ir.dims import per_step

BY_STEP = "_by_step"
HELD = ".held"
SEQUENCE, START, STEP = "sequence", "start", "step"
Metadata = Mapping[str, str]


@dataclass(frozen=True)
class Models:
    """ONNX models by the name of their file."""

    protos: Mapping[str, onnx.ModelProto]


def models_of(graph: Graph, steps: int, metadata: Metadata, *, one_step: bool) -> Models:
    """Write all models; everything that cannot be written stands in one error."""
    sequence = Builder(steps)
    _sequence(sequence, graph)
    builders = {SEQUENCE: sequence}
    if one_step:
        builders |= _stepwise(graph)
    problems = list(dict.fromkeys(p for b in builders.values() for p in b.problems))
    if problems:
        raise UnsupportedModel(
            f"{graph.name!r} cannot be written as ONNX",
            expected="ops that standard ONNX operators express",
            problems=problems,
        )
    return Models({name: b.finished(name, metadata) for name, b in builders.items()})


def _sequence(build: Builder, graph: Graph) -> None:
    """All steps at once: static values once, the others over all T steps, layer after layer."""
    for node in graph.inputs:
        build.names[node.outputs[0]] = build.add_input(node.name, node.outputs[0].type)
    build.emit(node for node in graph if not isinstance(node.op, ops.Input | ops.Output))
    if build.problems:
        return
    for node in graph.outputs:
        (value,) = node.inputs
        if value.type.is_static:
            build.add_output(node.name, build.names[value], value.type)
        else:
            _last(build, node.name, value)
    for node in graph.outputs:
        (value,) = node.inputs
        if not value.type.is_static:
            build.add_output(f"{node.name}{BY_STEP}", build.names[value], value.type)


def _last(build: Builder, name: str, value: Value) -> None:
    """Declare the value of the last step as an output."""
    x, scope = value.type, build.scope
    axis = x.rank + (x.time_axis or 0)
    dim = per_step(x.dims[axis])
    kept = () if dim == 1 else (dim,)
    inner = build.names[value]
    if kept:
        inner = _split(build, inner, x)
    index = scope.constant(np.asarray(-1, np.int64), "last")
    last = scope("Gather", inner, index, axis=axis, name=f"{name}/last")
    build.add_output(name, last, x.with_dims((*x.dims[:axis], *kept, *x.dims[axis + 1 :])))


def _split(build: Builder, name: str, x: TensorType) -> str:
    """Give time an axis of its own."""
    axis = x.rank + (x.time_axis or 0)
    fixed = fixed_type(x, build.steps)
    assert build.steps is not None
    count = int(build.steps * x.rate)
    dims = (*fixed.dims[:axis], count, per_step(x.dims[axis]), *fixed.dims[axis + 1 :])
    call = Call(build.scope, ops.LastStep(0), (name,), (fixed,), (fixed,), build.steps)
    return call.reshaped(name, dims)


def _stepwise(graph: Graph) -> dict[str, Builder]:
    """What starts a run (static values, first states), and one step of it."""
    start, step = Builder(None), Builder(None)
    step.problems += _no_step(graph)
    if step.problems:
        return {START: start, STEP: step}  # the whole sequence tells of everything else
    static = [n for n in graph if n.timing is Timing.STATIC and not isinstance(n.op, ops.Output)]
    timed = [n for n in graph if n.timing is not Timing.STATIC]
    for node in graph.inputs:
        if node.outputs[0].type.is_static:
            start.names[node.outputs[0]] = start.add_input(node.name, node.outputs[0].type)
        else:
            step.names[node.outputs[0]] = step.add_input(node.name, node.outputs[0].type)
    start.emit(n for n in static if not isinstance(n.op, ops.Input))
    _hold(start, step, static, set(timed) | set(graph.outputs))
    step.emit(n for n in timed if not isinstance(n.op, ops.Input | ops.Output))
    if not (start.problems or step.problems):
        for node in graph.outputs:
            (value,) = node.inputs
            step.add_output(node.name, step.names[value], value.type)
        _first_states(start, timed)
        if any(i.name == TIME_BEFORE for i in step.inputs):
            zero = start.scope.constant(np.asarray(0, np.int64), "zero")
            start.scope.nodes.append(
                helper.make_node("Identity", [zero], [TIME_BEFORE], name="time/out")
            )
            kind = onnx.TensorProto.INT64
            start.outputs.append(helper.make_tensor_value_info(TIME_BEFORE, kind, []))
    return {START: start, STEP: step}


def _no_step(graph: Graph) -> list[Problem]:
    """Say what cannot go step by step."""
    remedy = (
        "export without a model of one step: step=False, on the command line --options step=false"
    )
    problems = [
        Problem(f"{type(n.op).__name__} needs all steps at once", n.place, "", remedy)
        for n in graph
        if n.timing is Timing.WHOLE
    ]
    slow = [
        Problem(f"a value at another rate: {v!r}", n.place, "", remedy)
        for n in graph
        for v in n.outputs
        if v.type.rate != 1
    ]
    return problems or slow


def _hold(start: Builder, step: Builder, static: list[Node], timed: set[Node]) -> None:
    """Hand static values that steps read from the start to the step."""
    for node in static:
        for value in node.outputs:
            if not value.type.is_static or not timed & value.users.keys():
                continue
            if isinstance(node.op, ops.Constant):
                step.emit([node])
                continue
            name = f"{value.name}{HELD}"
            if not start.problems:
                start.add_output(name, start.names[value], value.type)
            step.names[value] = step.add_input(name, value.type)


def _first_states(start: Builder, timed: list[Node]) -> None:
    """Let the start give the states before the first step."""
    for node in timed:
        rule = SCANS.get(type(node.op))
        if rule is None or not isinstance(node.op, ScanOp):
            continue
        x = fixed_type(node.input_types[0], None)
        given = given_parameters(node.op, rule)
        kind = np.dtype(x.dtype.numpy)
        for state, first in rule.states(node.op).items():
            number = np.asarray(0.0 if isinstance(first, str) else first)
            array = given[str(first)].data if first in given else number
            call = Call(start.scope, node.op, (), (x,), (x,), None, "", start.batch)
            constant = start.scope.constant(array.astype(kind), "first")
            full = start.scope("Expand", constant, call.shape_of(x.dims))
            start.add_output(f"{node.name}.{state}", full, x)
