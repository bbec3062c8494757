"""Scans as ONNX functions: one of a step, and one of the whole sequence, which scans over it.

A viewer shows each as one box; a runtime inlines both.  Functions of equal content are one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import onnx
from onnx import helper

from spikec.backends.onnx_graph.scan import ScanRule, Step
from spikec.backends.onnx_graph.scope import DOMAIN, OPSET, Scope, element_type
from spikec.ir import Array, Op

VERSION = 1
TIME = "time"


@dataclass(frozen=True)
class StepFunction:
    """A step as a function: (x, states, parameters, time?) -> (y, states)."""

    name: str
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    timed: bool


class Functions:
    """The functions of one model."""

    def __init__(self) -> None:
        self.protos: list[onnx.FunctionProto] = []
        self._steps: dict[object, StepFunction] = {}
        self._sequences: dict[object, str] = {}

    def step(self, op: Op, rule: ScanRule, kind: np.dtype[Any]) -> StepFunction:
        """Give the function of one step, writing it if nothing like it is there yet."""
        key = _content(op, rule, kind)
        if key not in self._steps:
            name = self._name(f"{type(op).__name__}Step", len(self._steps))
            self._steps[key] = self._write_step(name, op, rule, kind)
        return self._steps[key]

    def sequence(self, op: Op, rule: ScanRule, kind: np.dtype[Any]) -> str:
        """Give the function of the whole sequence: (x, parameters, times?) -> y."""
        key = _content(op, rule, kind)
        if key not in self._sequences:
            step = self.step(op, rule, kind)
            name = self._name(type(op).__name__, len(self._sequences))
            self._sequences[key] = name
            self._write_sequence(name, op, rule, (step, kind))
        return self._sequences[key]

    def _name(self, wanted: str, count: int) -> str:
        taken = {proto.name for proto in self.protos}
        return wanted if wanted not in taken else f"{wanted}_{count + 1}"

    def _write_step(self, name: str, op: Op, rule: ScanRule, kind: np.dtype[Any]) -> StepFunction:
        scope = Scope(stored=False)
        states = tuple(rule.states(op))
        given = given_parameters(op, rule)
        time = scope.fresh(TIME) if rule.timed else ""
        x = scope.fresh("x")
        state = {s: scope.fresh(s) for s in states}
        named = {p: scope.fresh(p) for p in given}
        behind, y = rule.body(op, Step(scope, kind, x, state, named, time))
        results = _distinct(scope, [y, *(behind[s] for s in states)])
        read = {field for node in scope.nodes for field in node.input}
        used = tuple(p for p in given if named[p] in read)
        inputs = [x, *state.values(), *(named[p] for p in used), *([time] if time else [])]
        self._add(name, inputs, results, scope.nodes, str(op.__doc__))
        return StepFunction(name, states, used, rule.timed)

    def _write_sequence(
        self, name: str, op: Op, rule: ScanRule, made: tuple[StepFunction, np.dtype[Any]]
    ) -> None:
        step, kind = made
        scope = Scope(stored=False)
        x = scope.fresh("x")
        given = {p: scope.fresh(p) for p in given_parameters(op, rule)}
        time = scope.fresh("times") if rule.timed else ""
        sizes = scope("Shape", x, start=1)
        initial = []
        for start in rule.states(op).values():
            number = 0.0 if isinstance(start, str) else start
            first = given.get(str(start)) or scope.constant(np.asarray(number, kind))
            initial.append(scope("Expand", first, sizes))
        scanned = [x, *([time] if time else [])]
        body = _scan_body(step, [given[p] for p in step.parameters], kind)
        results = scope.several(
            "Scan",
            *initial,
            *scanned,
            results=len(initial) + 1,
            body=body,
            num_scan_inputs=len(scanned),
        )
        inputs = [x, *given.values(), *([time] if time else [])]
        self._add(name, inputs, [results[-1]], scope.nodes, str(op.__doc__))

    def _add(
        self,
        name: str,
        inputs: list[str],
        outputs: list[str],
        nodes: list[onnx.NodeProto],
        about: str,
    ) -> None:
        imports = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, VERSION)]
        self.protos.append(
            helper.make_function(DOMAIN, name, inputs, outputs, nodes, imports, doc_string=about)
        )


def given_parameters(op: Op, rule: ScanRule) -> dict[str, Array]:
    """Give the parameters that are not absent."""
    return {name: a for name, a in rule.parameters(op).items() if a is not None}


def _content(op: Op, rule: ScanRule, kind: np.dtype[Any]) -> object:
    """Give what makes two functions one: options, and which parameters are there."""
    options = tuple(
        (field.name, value)
        for field in fields(op)
        if not isinstance(value := getattr(op, field.name), Array)
    )
    sizes = tuple(a.size for name, a in op.arrays.items() if a.ndim == 1 and name in _TABLES)
    return type(op), options, tuple(given_parameters(op, rule)), sizes, kind


_TABLES = ("weights", "thresholds", "decrements")
"""parameters whose length is the window"""


def _distinct(scope: Scope, names: Iterable[str]) -> list[str]:
    """Give results with names of their own: a function may not give one value twice."""
    seen: list[str] = []
    for name in names:
        seen.append(scope("Identity", name) if name in seen else name)
    return seen


def _scan_body(step: StepFunction, given: list[str], kind: np.dtype[Any]) -> onnx.GraphProto:
    """Write the body of a Scan: one call of the step; parameters come from around it."""
    number = element_type(kind)
    before = [f"{s}_before" for s in step.states]
    after = [f"{s}_after" for s in step.states]
    time = [f"{TIME}_now"] if step.timed else []
    operands = ["x_now", *before, *given, *time]
    call = helper.make_node(step.name, operands, ["y_now", *after], domain=DOMAIN)
    inputs = [helper.make_tensor_value_info(n, number, None) for n in (*before, "x_now")]
    inputs += [helper.make_tensor_value_info(n, onnx.TensorProto.INT64, []) for n in time]
    outputs = [helper.make_tensor_value_info(n, number, None) for n in (*after, "y_now")]
    return helper.make_graph([call], f"{step.name}OverTime", inputs, outputs)
