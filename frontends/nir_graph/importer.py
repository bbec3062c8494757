"""Walks a NIR graph and builds the IR graph; collects everything that cannot be imported."""

from __future__ import annotations

from collections.abc import Mapping

from spikec.errors import Problem, TypeMismatch, UsageError
from spikec.frontends.common import Refused, node_name, refuse_all
from spikec.frontends.nir_graph import rules_affine, rules_neuron, rules_shape
from spikec.frontends.nir_graph.call import Call, Rule
from spikec.frontends.nir_graph.fields import wrong_fields
from spikec.frontends.nir_graph.raw import RawNode, Source
from spikec.frontends.nir_graph.settings import Settings
from spikec.frontends.nir_graph.wiring import Flat, flat
from spikec.ir import B, Editor, Graph, Stage, T, TensorType, Value, ops
from spikec.ir.location import Location

RULES: Mapping[str, Rule] = {
    **rules_affine.RULES,
    **rules_neuron.RULES,
    **rules_shape.RULES,
}
"""one rule for each class of NIR but NIRGraph, which is put in line"""
LEGACY = (1, 0, 5)
"""the last version in which a spike subtracts the threshold"""
LARGEST = 1 << 31
"""elements of an input"""


def build(source: Source, name: str, settings: Settings) -> Graph:
    """Build the graph; values are [T, B, …]."""
    importer = _Importer(source, name, settings)
    importer.run()
    refuse_all(source.origin, importer.problems)
    return importer.edit.graph


class _Importer:
    def __init__(self, source: Source, name: str, settings: Settings) -> None:
        self.source = source
        self.settings = settings
        self.flat: Flat = flat(source.graph, source.origin)
        self.edit = Editor(Graph(node_name(name, "nir"), Stage.SPIKING), by="nir_graph")
        self.values: dict[str, Value] = {}
        self.problems: list[Problem] = []
        self.dt = settings.dt if settings.dt is not None else self._own_step()
        version = ".".join(map(str, source.version or ())) or "unknown"
        self.edit.graph.notes = {"frontend": "nir_graph", "nir": version, **self._choices()}

    def _own_step(self) -> float | None:
        """Give the step that the file itself names in its metadata."""
        said = self.source.graph.metadata.get("dt")
        if said is None:
            return None
        if isinstance(said, str) or said.size != 1 or not float(said.reshape(())) > 0:
            where = f"{self.source.origin}, metadata"
            raise UsageError(f"dt = {said!r}", where=where, remedy="give dt")
        return float(said.reshape(()))

    def _choices(self) -> dict[str, str]:
        """Say by which options the equations have become steps."""
        return {
            "dt": "1, where nothing depends on it" if self.dt is None else f"{self.dt:g}",
            "method": self.settings.method.value,
        }

    def run(self) -> None:
        """Import nodes in order; a refused one is listed, and so are not those behind it."""
        for path, node in self.flat.nodes.items():
            location = Location.at(module=path)
            sources = self.flat.sources[path]
            wrong = list(wrong_fields(node))
            for refused in wrong:
                self._report(path, node, refused)
            if wrong or any(name not in self.values for name in sources):
                continue  # or hangs on a node that was refused
            try:
                if sources:
                    self.values[path] = self._node(path, node, location)
                else:
                    self.values[path] = self._input(path, node, location)
                if node.kind == "Output" and path in self.source.graph.nodes:
                    self.edit.output(node_name(path), self.values[path], location)
            except (Refused, TypeMismatch) as error:
                self._report(path, node, error)

    def _report(self, path: str, node: RawNode, error: Refused | TypeMismatch) -> None:
        reason = error.reason if isinstance(error, Refused) else error.what
        what = f"{node.kind}: {reason}"
        self.problems.append(Problem(what, f"NIR node {path}", error.expected, error.remedy))

    def _input(self, path: str, node: RawNode, location: Location) -> Value:
        shape = node.fields["shape"]
        assert not isinstance(shape, str)  # wrong_fields has looked
        sizes = [int(n) for n in shape.reshape(-1).tolist()]
        count = 1
        for size in sizes:
            count *= size
        if any(size < 1 for size in sizes) or count > LARGEST:
            raise Refused(f"a shape of {sizes}", expected="sizes from 1 on, and a total below 2^31")
        return self.edit.input(node_name(path), TensorType((T, B, *sizes)), location)

    def _node(self, path: str, node: RawNode, location: Location) -> Value:
        x = self._sum(path, location)
        legacy = self.source.version is not None and self.source.version <= LEGACY
        call = Call(node, x, self.edit, node_name(path), location, self.settings, legacy, self.dt)
        return RULES[node.kind](call)

    def _sum(self, path: str, location: Location) -> Value:
        """Add up what leads to a node."""
        first, *others = (self.values[name] for name in self.flat.sources[path])
        for other in others:
            if other.type.dims != first.type.dims:
                shapes = [v.type.dims[2:] for v in (first, other)]
                raise Refused(f"values of shapes {shapes[0]} and {shapes[1]} meet in it")
            first = self.edit.add(
                ops.Add(), first, other, name=f"{node_name(path)}.sum", location=location
            )
        return first
