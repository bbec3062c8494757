"""Walk an ATen program and write the graph: one rule per operator, every refusal at once."""

from __future__ import annotations

import operator
import re
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import (
    ConstantArgument,
    InputKind,
    InputSpec,
    OutputKind,
)
from torch.utils import _pytree as pytree

from spikec.errors import DataError, GraphError, Problem, TypeMismatch
from spikec.frontends.common import Refused, node_name, refuse_all
from spikec.frontends.torch_export.capture import Capture
from spikec.frontends.torch_export.fold import fold
from spikec.frontends.torch_export.naming import Names
from spikec.frontends.torch_export.places import location_of
from spikec.frontends.torch_export.rule import Unavailable
from spikec.frontends.torch_export.rules import rule_for
from spikec.frontends.torch_export.scope import Known, Scope, dtype_of, type_of
from spikec.frontends.torch_export.sizes import CLOCK, Size, batch_of
from spikec.ir import Editor, Graph, Location, SymbolicDim, Value

Entry = Any
"""Value, Known, Size, a plain Python constant, a tuple of these, or MISSING."""
Env = dict[fx.Node, Entry]


class _Missing:
    """Stands for the result of a node that was refused."""


MISSING = _Missing()
_READS = {torch.ops.aten.item.default, torch.ops.aten._local_scalar_dense.default}
_ASSERTIONS = {
    # statements about sizes and element types, which torch has proved while tracing
    torch.ops.aten._assert_scalar.default,
    torch.ops.aten._assert_tensor_metadata.default,
    torch.ops.aten.sym_constrain_range.default,
    torch.ops.aten.sym_constrain_range_for_size.default,
}


def import_capture(capture: Capture, name: str) -> Graph:
    """Write the graph of a captured program."""
    importer = Importer(capture.program, name, capture.time_axis)
    graph = importer.run()
    graph.notes["capture"] = capture.route.value
    if capture.note:
        graph.notes["capture_refused"] = capture.note
    return graph


class Importer:
    """One import: the program, the graph so far, what each node became, what was refused."""

    def __init__(self, program: ExportedProgram, name: str, time_axis: int | None = None) -> None:
        program.graph.eliminate_dead_code()
        self.program = program
        self.graph = Graph(node_name(name, "model"))
        self.edit = Editor(self.graph, by="torch_export")
        self.batch = batch_of(program, time_axis)
        self.scope = Scope(self.edit, self.batch)
        self.names = Names(program.graph.nodes)
        self.problems: list[Problem] = []

    def run(self) -> Graph:
        """Import inputs, nodes, outputs; raise over everything that was refused."""
        env: Env = {}
        self._inputs(env)
        results = self.walk(env)
        self._check_state()
        if not self.problems:
            self._outputs(results)
        refuse_all(self.graph.name, self.problems)
        self._drop_unread()
        return self.graph

    # ---- inputs ----------------------------------------------------------------------------------

    def _inputs(self, env: Env) -> None:
        places = self.program.graph.find_nodes(op="placeholder")
        bad = []
        for node, spec in zip(places, self.program.graph_signature.input_specs, strict=True):
            if spec.kind is InputKind.USER_INPUT:
                clock = node.name == CLOCK  # only its size counts
                env[node] = MISSING if clock else self._user_input(node, spec)
                continue
            tensor = self._stored(spec)
            if tensor is None:
                self._refuse(node, Refused(f"{spec.target} is a {spec.kind.name}, not a tensor"))
                env[node] = MISSING
                continue
            env[node] = Known.of(tensor)
            if flaw := _unsound(tensor, spec.kind):
                bad.append(f"{spec.target} holds {flaw}")
        if bad:
            raise DataError(
                f"weights of {self.graph.name} are not finite",
                where="; ".join(bad),
                expected="finite numbers",
                remedy="load another checkpoint, or find where training diverged",
            )

    def _user_input(self, node: fx.Node, spec: InputSpec) -> Entry:
        if isinstance(spec.arg, ConstantArgument):
            return spec.arg.value
        fake = node.meta["val"]
        try:
            if not isinstance(fake, torch.Tensor):
                return self.batch.size(fake)
            return self.edit.input(node_name(node.name), type_of(fake, self.batch))
        except (Refused, TypeMismatch) as error:
            self._refuse(node, error)
            return MISSING

    def _stored(self, spec: InputSpec) -> torch.Tensor | None:
        stores: tuple[Any, Any] = (self.program.state_dict, self.program.constants)
        for store in stores:
            tensor = store.get(spec.target)
            if isinstance(tensor, torch.Tensor):
                return tensor.detach().cpu()
        return None

    # ---- nodes -----------------------------------------------------------------------------------

    def walk(self, env: Env) -> Entry:
        """Import every node; give the results."""
        for node in self.program.graph.nodes:
            if node.op == "output":
                return pytree.tree_map_only(fx.Node, lambda n: env[n], node.args[0])
            if node.op == "placeholder":
                continue
            try:
                env[node] = self._node(node, env)
            except (Refused, TypeMismatch) as error:
                self._refuse(node, error)
                env[node] = MISSING
        raise GraphError("a program without results")

    def _node(self, node: fx.Node, env: Env) -> Entry:
        target: Any = node.target
        if target in _ASSERTIONS:
            return None
        args, kwargs = pytree.tree_map_only(fx.Node, lambda n: env[n], (node.args, node.kwargs))
        leaves = pytree.tree_leaves((args, kwargs))
        if target in _READS and isinstance(args[0], Known):
            return self._number(node, args[0])
        if isinstance(node.meta.get("val"), torch.SymInt | torch.SymFloat | torch.SymBool):
            return self.batch.size(node.meta["val"])
        if target is operator.getitem:
            return MISSING if args[0] is MISSING else args[0][args[1]]
        if not isinstance(target, torch._ops.OpOverload):
            raise Refused(f"{getattr(target, '__name__', target)} is unknown")
        kind = target._schema.name.partition("::")[2].strip("_")
        self.scope.enter(node, self.names.of(node, kind), location_of(node))
        if not any(isinstance(leaf, Value | _Missing | Unavailable) for leaf in leaves):
            return fold(target, args, kwargs, node.meta["val"], self.batch)
        rule = rule_for(target)
        if any(leaf is MISSING for leaf in leaves):
            return MISSING
        for leaf in leaves:
            if isinstance(leaf, Unavailable):
                raise Refused(f"needs {leaf.what}", remedy="use only the first result")
        args, kwargs = pytree.tree_map_only(Size, Size.dim, (args, kwargs))
        result = rule(self.scope, *args, **kwargs)
        self._check(node, result, node.meta["val"])
        return result

    def _number(self, node: fx.Node, x: Known) -> int | float:
        """Read a constant, and let sizes that torch left open by it be known."""
        number: int | float = x.tensor.item()
        fake = node.meta["val"]
        if isinstance(fake, torch.SymInt | torch.SymFloat) and fake.node.expr.is_Symbol:
            self.batch.found[fake.node.expr] = number
        return number

    def _check(self, node: fx.Node, result: Entry, fake: Any) -> None:
        """A rule that disagrees with torch about its result is a defect: never go on."""
        if isinstance(fake, list | tuple):
            for part, expected in zip(result, fake, strict=True):
                self._check(node, part, expected)
        elif isinstance(result, Value):
            self.batch.decide(fake.shape, result.type.dims)
            dims, dtype = self.batch.dims(fake.shape), dtype_of(fake.dtype)
            if (result.type.dims, result.type.dtype) != (dims, dtype):
                raise GraphError(
                    f"the rule for {node.target} gives {result.type}, torch has "
                    f"{dtype.value}[{', '.join(map(str, dims))}]",
                    where=str(location_of(node)),
                    remedy="report this as a defect of spikec",
                )

    def _refuse(self, node: fx.Node, error: Refused | TypeMismatch) -> None:
        problem = Problem(
            f"{node.target} ({node.name}): "
            f"{error.reason if isinstance(error, Refused) else error.what}",
            where=str(location_of(node)) or f"FX node {node.name}",
            expected=error.expected,
            remedy=error.remedy or "replace this operation in the model",
        )
        if problem not in self.problems:
            self.problems.append(problem)

    # ---- outputs ---------------------------------------------------------------------------------

    def _check_state(self) -> None:
        """A model that writes its own buffers would need a memory that the graph lacks."""
        for spec in self.program.graph_signature.output_specs:
            if spec.kind is OutputKind.BUFFER_MUTATION:
                self.problems.append(
                    Problem(
                        f"forward writes the buffer {spec.target}",
                        where=str(spec.target),
                        expected="a forward that leaves the module as it is",
                        remedy="compute without the buffer, or return its new content as a result",
                    )
                )

    def _outputs(self, results: Entry) -> None:
        specs = self.program.graph_signature.output_specs
        kinds = [spec.kind for spec in specs]
        wanted = [
            entry
            for entry, kind in zip(results, kinds, strict=True)
            if kind is OutputKind.USER_OUTPUT
        ]
        for name, entry in zip(output_names(self.program, len(wanted)), wanted, strict=True):
            if entry is not None:
                self._output(name, entry)

    def _output(self, name: str, entry: Entry) -> None:
        self.scope.enter(self.program.graph.output_node(), name, Location())
        try:
            self.edit.output(name, self.scope.value(_as_tensor(entry)))
        except (Refused, TypeMismatch) as error:
            self._refuse(self.program.graph.output_node(), error)

    def _drop_unread(self) -> None:
        """Remove what the model computes but does not return."""
        for node in reversed(self.graph.nodes):
            is_boundary = node in self.graph.inputs or not node.outputs
            if not is_boundary and not any(value.users for value in node.outputs):
                self.edit.remove(node)


def output_names(program: ExportedProgram, count: int) -> list[str]:
    """Name results as the model does: keys of a dict, fields of an object, else by number."""
    spec = program.call_spec.out_spec
    if spec is None or spec.num_leaves != count:
        return [f"output_{index}" for index in range(count)]
    structure = pytree.tree_unflatten(list(range(count)), spec)
    paths = [pytree.keystr(path) for path, _ in pytree.tree_leaves_with_path(structure)]
    if count == 1 and not paths[0].strip("[]0123456789"):
        return ["output"]
    return [_spoken(path) for path in paths]


def _spoken(path: str) -> str:
    """Turn ``['mask'][0]`` into ``mask_0`` and ``[1]`` into ``output_1``."""
    words = "_".join(re.findall(r"\w+", path))
    return node_name(words if words[:1].isalpha() else f"output_{words}")


def _as_tensor(entry: Entry) -> Known | Value:
    """Give a number among the results as a constant."""
    if isinstance(entry, Unavailable):
        raise Refused(f"the model returns {entry.what}", remedy="return only the first result")
    if isinstance(entry, Size):
        entry = entry.dim()
    if isinstance(entry, SymbolicDim):
        raise Refused(
            "the batch size is a result of the model",
            expected="tensors as results",
            remedy="return tensors only; the caller knows the batch size",
        )
    return Known.of(torch.tensor(entry)) if isinstance(entry, int | float) else entry


def _unsound(tensor: torch.Tensor, kind: InputKind) -> str:
    """Say what is wrong with the numbers; masks, which are buffers, may hold infinities."""
    if not tensor.is_floating_point():
        return ""
    if bool(tensor.isnan().any()):
        return "NaN"
    is_weight = kind is InputKind.PARAMETER
    return "infinity" if is_weight and bool(tensor.isinf().any()) else ""
