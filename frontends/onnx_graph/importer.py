"""Walks an ONNX graph and builds the IR graph; collects everything that cannot be imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from onnx import AttributeProto, GraphProto, NodeProto, TensorProto

from spikec.errors import Problem, TypeMismatch
from spikec.frontends.common import Refused
from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.emitting import GraphEmitter
from spikec.frontends.onnx_graph.entries import Entry, Known
from spikec.frontends.onnx_graph.folding import fold
from spikec.frontends.onnx_graph.functions import Body, local_functions, standard_body
from spikec.frontends.onnx_graph.reading import Source, node_name
from spikec.frontends.onnx_graph.rule import UseBody, choose
from spikec.frontends.onnx_graph.rules import RULES, UNSUPPORTED
from spikec.frontends.onnx_graph.tensors import to_array
from spikec.ir.array import NumpyArray

STANDARD = ("", "ai.onnx")
DEEPEST = 32
"""Functions that call functions deeper than this are refused (they may call themselves)."""

Results = tuple[Entry | None, ...]
"""None for an optional result that the node does not make."""


class Scope:
    """Names of one graph or function body, the opsets it is written in, and where it is called."""

    def __init__(
        self, opsets: Mapping[str, int], outer: Scope | None = None, path: str = ""
    ) -> None:
        self.opsets = opsets
        self.path = path
        self.outer = outer
        self.depth: int = 0 if outer is None else outer.depth + 1
        self.sees_outer = False
        self.entries: dict[str, Entry] = {}
        self.lost: set[str] = set()
        """results of nodes that were refused"""

    def find(self, name: str) -> Entry | None:
        """Give what a name stands for; branches of If see the names around them."""
        if name in self.entries or self.outer is None or not self.sees_outer:
            return self.entries.get(name)
        return self.outer.find(name)

    def is_lost(self, name: str) -> bool:
        """Tell whether a name hangs on a refused node."""
        seen = self.outer is not None and self.sees_outer and self.outer.is_lost(name)
        return name in self.lost or seen


class Lost(Exception):  # noqa: N818  (a node that cannot be looked at, because others were refused)
    """An operand hangs on a node that was refused before."""


class Importer:
    """Imports nodes in order."""

    def __init__(self, source: Source, emitter: GraphEmitter) -> None:
        self.problems: list[Problem] = []
        self._origin = source.origin
        self._emitter = emitter
        self._functions = local_functions(source.model)

    def add_weights(self, graph: GraphProto, scope: Scope) -> None:
        """Read initializers."""
        for tensor in graph.initializer:
            entry = Known(self._decode(tensor))
            scope.entries[tensor.name] = entry
            self._emitter.label(entry, tensor.name)
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            scope.lost.add(name)
            self._report(f"the sparse weight {name}", Refused("sparse weights", "store it densely"))

    def run(self, nodes: Iterable[NodeProto], scope: Scope) -> None:
        """Import nodes; a refused one is listed, and so are not those behind it."""
        for node in nodes:
            label = scope.path + node_name(node)
            try:
                results = self._node(node, scope, label)
            except (Refused, TypeMismatch) as error:
                self._report(f"{_kind(node)} {label}", error)
                scope.lost.update(node.output)
            except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as error:
                # NumPy's objections to shapes and numbers that do not belong together
                contradiction = Refused(f"its operands and attributes do not fit ({error})")
                self._report(f"{_kind(node)} {label}", contradiction)
                scope.lost.update(node.output)
            except Lost:
                scope.lost.update(node.output)
            else:
                named = zip(node.output, results, strict=False)
                scope.entries.update((n, entry) for n, entry in named if n and entry is not None)

    def _report(self, what: str, error: Refused | TypeMismatch) -> None:
        reason = error.reason if isinstance(error, Refused) else error.what
        kind, _, name = what.partition(" ")
        self.problems.append(
            Problem(f"{kind}: {reason}", f"ONNX node {name}", error.expected, error.remedy)
        )

    def _node(self, node: NodeProto, scope: Scope, label: str) -> Results:
        call = self._call(node, scope)
        first = next((output for output in node.output if output), "")
        self._emitter.at(label, scope.path + (node.name or first))
        results = self._imported(call, scope, label)
        made = (*results, *(None,) * len(node.output))
        missing = [n for n, entry in zip(node.output, made, strict=False) if n and entry is None]
        if missing:
            raise Refused(f"its result {missing[0]} is not supported")
        return results

    def _call(self, node: NodeProto, scope: Scope) -> Call:
        if any(name and scope.is_lost(name) for name in node.input):
            raise Lost
        operands = tuple(scope.find(name) if name else None for name in node.input)
        for name, entry in zip(node.input, operands, strict=True):
            if name and entry is None:
                raise Refused(f"its operand {name} is made by no node")
        while operands and operands[-1] is None:
            operands = operands[:-1]
        domain = "" if node.domain in STANDARD else node.domain
        opset = scope.opsets.get(domain, scope.opsets.get("ai.onnx", 0) if not domain else 0)
        attributes = {attribute.name: attribute for attribute in node.attribute}
        return Call(node, opset, operands, attributes, self._emitter, self._decode)

    def _imported(self, call: Call, scope: Scope, label: str) -> Results:
        node = call.node
        body = self._functions.get((node.domain, node.op_type))
        if body is not None:
            return self._inlined(call, body, scope, label)
        if node.domain not in STANDARD:
            raise Refused(
                f"domain {node.domain!r} is unknown",
                "export with standard operators, or with the op as a function of the model",
            )
        if node.op_type == "If":
            return self._chosen(call, scope, label)
        return fold(call, node.op_type) or self._by_rule(call, scope, label)

    def _by_rule(self, call: Call, scope: Scope, label: str) -> Results:
        kind = call.node.op_type
        rules = RULES.get(kind)
        if rules is not None and min(rules) <= call.opset:
            try:
                result = choose(rules, call.opset)(call)
            except UseBody:
                pass
            else:
                return result if isinstance(result, tuple) else (result,)
        if kind in UNSUPPORTED:
            raise Refused(*UNSUPPORTED[kind])
        body = standard_body(call.node, call.opset, call.operands)
        if body is None:
            raise Refused(
                f"spikec does not know this op (opset {call.opset})",
                "express it with other ops, or cut the model before it",
            )
        return self._inlined(call, body, scope, label)

    def _inlined(self, call: Call, body: Body, scope: Scope, label: str) -> Results:
        """Import a function's nodes in place of the node that calls it."""
        inner = Scope(body.opsets, scope, f"{label}/")
        if inner.depth > DEEPEST:
            raise Refused("functions call each other too deeply")
        for name, entry in zip(body.function.input, call.operands, strict=False):
            if entry is not None:
                inner.entries[name] = entry
        self.run(_without_absent(body.nodes(call.node), body, inner), inner)
        return self._results(body.function.output, inner)

    def _chosen(self, call: Call, scope: Scope, label: str) -> Results:
        """Import the branch of an If whose condition is known."""
        taken = call.scalar(0, "condition")
        branch = call.attributes.get("then_branch" if taken else "else_branch")
        if branch is None or branch.type != AttributeProto.GRAPH:
            raise Refused("a branch is missing")
        inner = Scope(scope.opsets, scope, f"{label}/")
        inner.sees_outer = True
        self.add_weights(branch.g, inner)
        self.run(branch.g.node, inner)
        return self._results([output.name for output in branch.g.output], inner)

    def _results(self, names: Sequence[str], scope: Scope) -> Results:
        if any(scope.is_lost(name) for name in names):
            raise Lost
        return tuple(scope.find(name) for name in names)

    def _decode(self, tensor: TensorProto) -> NumpyArray:
        return to_array(tensor, self._origin)


def _without_absent(nodes: Iterable[NodeProto], body: Body, scope: Scope) -> Iterable[NodeProto]:
    """Leave operands out that the caller did not give to a function."""
    absent = {name for name in body.function.input if name not in scope.entries}
    for node in nodes:
        for index, name in enumerate(node.input):
            if name in absent:
                node.input[index] = ""
        yield node


def _kind(node: NodeProto) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain not in STANDARD else node.op_type
