"""Writes the nodes of a graph into an ONNX scope: of all steps at once, or of one step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from onnx import helper

from spikec.backends.onnx_graph.functions import VERSION, Functions, given_parameters
from spikec.backends.onnx_graph.rule import Call, Refused, fixed_type
from spikec.backends.onnx_graph.rules import REFUSED, RULES, SCANS
from spikec.backends.onnx_graph.scan import ScanRule
from spikec.backends.onnx_graph.scope import DOMAIN, IR_VERSION, OPSET, Scope, element_type
from spikec.errors import Problem
from spikec.ir import Dims, Node, SymbolicDim, TensorType, Value, ops
from spikec.ir.dims import per_step, rate_of

BATCH = "batch"
TIME_BEFORE, TIME_AFTER = "time", "time.next"
NEXT = ".next"


class Builder:
    """One model under construction; ``steps`` is None in a model of one step."""

    def __init__(self, steps: int | None) -> None:
        self.steps = steps
        self.scope = Scope()
        self.functions = Functions()
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.names: dict[Value, str] = {}
        self.problems: list[Problem] = []
        self._batch = ""
        self._batch_from: tuple[str, int, int] | None = None
        self._time = ""

    def add_input(self, name: str, x: TensorType) -> str:
        """Declare an input of the model."""
        x = fixed_type(x, self.steps)
        self.inputs.append(info(name, x))
        self.scope.fresh(name)
        axis = x.batch_axis
        if axis is not None and self._batch_from is None:
            dim = x.dims[axis]
            assert isinstance(dim, SymbolicDim)
            self._batch_from = (name, x.rank + axis, int(dim.coefficient))
        return name

    def add_output(self, name: str, inner: str, x: TensorType) -> None:
        """Declare an output of the model."""
        self.scope.nodes.append(helper.make_node("Identity", [inner], [name], name=f"{name}/out"))
        self.outputs.append(info(name, fixed_type(x, self.steps)))

    def emit(self, nodes: Iterable[Node]) -> None:
        """Write nodes; what cannot be written is kept as a problem."""
        for node in nodes:
            try:
                self._emit(node)
            except Refused as refused:
                problem = Problem(refused.what, node.place, "", refused.remedy)
                self.problems.append(problem)
                self.names.update(dict.fromkeys(node.outputs, ""))

    def _emit(self, node: Node) -> None:
        start, scope = len(self.scope.nodes), self.scope
        scope.prefix = f"{node.name}/"
        if isinstance(node.op, ops.Constant):
            name = scope.constant(node.op.value.data, "value")
            self.names[node.outputs[0]] = name
        else:
            call = self._call(node)
            found = self._results(node, call)
            results = (found,) if isinstance(found, str) else found
            made = {name for each in scope.nodes[start:] for name in each.output}
            scope.prefix = ""
            renamed = {
                result: scope.fresh(value.name)
                for value, result in zip(node.outputs, results, strict=True)
                if result in made
            }
            scope.rename(start, renamed)
            for value, result in zip(node.outputs, results, strict=True):
                self.names[value] = renamed.get(result, result)
        scope.prefix = ""

    def _call(self, node: Node) -> Call:
        timed = isinstance(node.op, ops.Impulse | ops.Cycle)
        return Call(
            self.scope,
            node.op,
            tuple(self.names[value] for value in node.inputs),
            tuple(fixed_type(x, self.steps) for x in node.input_types),
            tuple(fixed_type(x, self.steps) for x in node.output_types),
            self.steps,
            self.time if timed and self.steps is None else "",
            self.batch if isinstance(node.op, ops.Expand) else "",
        )

    def _results(self, node: Node, call: Call) -> str | tuple[str, ...]:
        kind = type(node.op)
        if kind in RULES:
            return RULES[kind](node.op, call)
        if kind not in SCANS:
            remedy = REFUSED.get(kind, "replace it before the export")
            raise Refused(f"{kind.__name__} is not written in ONNX operators", remedy)
        if not node.input_types[0].dtype.is_float:
            raise Refused(f"{kind.__name__} over {node.input_types[0]}", "insert a Cast to f32")
        rule = SCANS[kind]
        return self._step(node, rule, call) if self.steps is None else self._scan(node, rule, call)

    def _step(self, node: Node, rule: ScanRule, call: Call) -> str:
        """Call the function of one step; its states come in and go out."""
        function = self.functions.step(node.op, rule, call.kind)
        given = given_parameters(node.op, rule)
        x = node.input_types[0]
        states = [self.add_input(f"{node.name}.{s}", x) for s in function.states]
        parameters = [call.array(given[p], p) for p in function.parameters]
        time = [self.time] if function.timed else []
        operands = (call.x, *states, *parameters, *time)
        y, *behind = self.scope.several(
            function.name, *operands, results=1 + len(states), domain=DOMAIN
        )
        for state, after in zip(states, behind, strict=True):
            self.add_output(f"{state}{NEXT}", after, x)
        return y

    def _scan(self, node: Node, rule: ScanRule, call: Call) -> str:
        """Call the function of all steps, time in front."""
        function = self.functions.sequence(node.op, rule, call.kind)
        given = given_parameters(node.op, rule)
        x = node.input_types[0]
        axis = x.rank + (x.time_axis or 0)
        dim = x.dims[axis]
        assert self.steps is not None
        count = int(self.steps * rate_of(dim))
        plain = axis == 0 and per_step(dim) == 1
        plain = plain and all(array.ndim < x.rank for array in given.values())
        operand = call.x if plain else self._front(call, axis, count, per_step(dim))
        times = self.scope.constant(np.arange(1, count + 1, dtype=np.int64), "times")
        parameters = [call.array(array, name) for name, array in given.items()]
        operands = (operand, *parameters, *([times] if rule.timed else []))
        y = self.scope(function, *operands, domain=DOMAIN)
        return y if plain else self._back(call, y, axis)

    def _front(self, call: Call, axis: int, count: int, rest: object) -> str:
        """Split time off its axis and bring it to the front."""
        assert isinstance(rest, int | SymbolicDim)
        dims = call.inputs[0].dims
        split: Dims = (*dims[:axis], count, rest, *dims[axis + 1 :])
        x = call.reshaped(call.x, split)
        order = [axis, *(i for i in range(len(split)) if i != axis)]
        return x if axis == 0 else self.scope("Transpose", x, perm=order)

    def _back(self, call: Call, y: str, axis: int) -> str:
        order = [*range(1, axis + 1), 0, *range(axis + 1, len(call.inputs[0].dims) + 1)]
        y = y if axis == 0 else self.scope("Transpose", y, perm=order)
        return call.reshaped(y, call.outputs[0].dims)

    @property
    def time(self) -> str:
        """The number of the running step, from 1 (in a model of one step)."""
        if not self._time:
            self.inputs.append(helper.make_tensor_value_info(TIME_BEFORE, _INT64, []))
            one = self.scope.constant(np.asarray(1, np.int64), "one")
            self._time = self.scope("Add", TIME_BEFORE, one, name="time_now")
            self.outputs.append(helper.make_tensor_value_info(TIME_AFTER, _INT64, []))
            self.scope.nodes.append(
                helper.make_node("Identity", [self._time], [TIME_AFTER], name="time/out")
            )
        return self._time

    @property
    def batch(self) -> str:
        """The batch size, a list of one number."""
        if not self._batch:
            if self._batch_from is None:
                self.inputs.append(helper.make_tensor_value_info(BATCH, _INT64, [1]))
                self._batch = BATCH
                return BATCH
            name, axis, unit = self._batch_from
            size = self.scope("Shape", name, start=axis, end=axis + 1)
            self._batch = size if unit == 1 else self.scope("Div", size, self.scope.ints(unit))
        return self._batch

    def finished(self, name: str, metadata: Mapping[str, str]) -> onnx.ModelProto:
        """Give the model, checked in full."""
        graph = helper.make_graph(
            self.scope.nodes,
            name,
            self.inputs,
            self.outputs,
            initializer=self.scope.initializers,
        )
        imports = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, VERSION)]
        model = helper.make_model(
            graph,
            opset_imports=imports,
            functions=self.functions.protos,
            ir_version=IR_VERSION,
            producer_name=DOMAIN,
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return model


def info(name: str, x: TensorType) -> onnx.ValueInfoProto:
    """Declare a value; the batch is a size with a name."""
    dims = [dim if isinstance(dim, int) else _label(dim) for dim in x.dims]
    kind = element_type(np.dtype(x.dtype.numpy))
    return helper.make_tensor_value_info(name, kind, dims)


def _label(dim: SymbolicDim) -> str:
    return BATCH if dim.coefficient == 1 else f"{dim.coefficient}*{BATCH}"


_INT64 = onnx.TensorProto.INT64
