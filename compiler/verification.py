"""Compares what an export did with the runtime, event by event.

Sums of floating-point numbers depend on their order, and no two tools have the same one.  Where a
potential meets a threshold to the last digits, tools may therefore differ, and one such event
changes what comes behind it.  So entries that differ are judged one by one, each neuron under the
events that the export itself has sent it: in double precision, with the neuron's potential moved
by no more than ``tie`` thresholds, the neuron must do what the export did.  If so, the entry is a
tie; if not, it is a difference, and the check fails.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.artifact import Artifact, Deployable, Exporter, Recorded, export
from spikec.errors import UsageError
from spikec.ir import Array, Editor, Family, Graph, Node, Op, ScanOp, Sizes, Value, ops
from spikec.ir.dims import bind as solve
from spikec.ir.dims import rate_of
from spikec.runtime import trace
from spikec.runtime.feed import bind_inputs

Numbers = NDArray[Any]
Bools = NDArray[np.bool_]
TIE = 1e-4
"""largest move of a potential that a tie may need, in thresholds"""
BOUND = 1e-3
"""largest difference of an output, as a share of the largest output"""


@dataclass(frozen=True)
class Difference:
    """The first entry that differs: in time, then in the order of the layers."""

    step: int
    """from 1"""
    layer: str
    neuron: tuple[int, ...]
    """place within the layer, the sample included"""
    expected: float
    found: float

    def __str__(self) -> str:
        """Say it in one line."""
        place = ", ".join(map(str, self.neuron))
        return (
            f"step {self.step}, layer {self.layer}, entry [{place}]: "
            f"{self.found:g} instead of {self.expected:g}"
        )


@dataclass(frozen=True)
class Compared:
    """How much was compared, and how much of it is equal."""

    samples: int
    steps: int
    layers: int
    entries: int
    """events and silences: steps · neurons · samples"""
    unequal: int
    """entries that are not the runtime's, ties and what follows from them included"""
    ties: int
    """entries that a replay in double precision gives only with the potential moved by at most
    ``tie`` thresholds; 0 where no entry is unequal and nothing is replayed"""


@dataclass(frozen=True)
class Check:
    """What a verification has found, for one way to run an export."""

    backend: str
    way: str
    tool: str
    ok: bool
    compared: Compared
    first_difference: Difference | None
    output_difference: float
    """largest difference of an output, to the runtime under the same events"""
    tie: float = TIE

    def to_json(self) -> dict[str, Any]:
        """Give the check as JSON holds it."""
        return asdict(self)

    def __str__(self) -> str:
        """Say what was compared and found."""
        seen = self.compared
        head = (
            f"{self.backend} ({self.way}, {self.tool}): {seen.entries:,} entries of {seen.layers} "
            f"layers, {seen.steps} steps, {seen.samples} samples; {seen.unequal:,} unequal"
        )
        if seen.unequal:
            head += f", replayed in double precision: {seen.ties:,} ties"
            head += f" within {self.tie:g} thresholds"
        tail = f"outputs differ by at most {self.output_difference:.3g}"
        found = f"; first difference: {self.first_difference}" if self.first_difference else ""
        return f"{head}; {tail}{found}"


@dataclass(frozen=True)
class Verification:
    """One check for each way to run an export."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether all checks hold."""
        return all(check.ok for check in self.checks)

    @property
    def first_difference(self) -> Difference | None:
        """The first difference of the first check that fails."""
        return next((c.first_difference for c in self.checks if not c.ok), None)

    @property
    def compared(self) -> tuple[Compared, ...]:
        """How much each check has compared."""
        return tuple(check.compared for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Give the checks as JSON holds them."""
        return {"ok": self.ok, "checks": [check.to_json() for check in self.checks]}

    def __str__(self) -> str:
        """Say one line per check."""
        return "\n".join(map(str, self.checks))


def verify(
    exporter: Exporter,
    source: Deployable,
    inputs: Mapping[str, Numbers],
    artifact: Artifact | tuple[str, Mapping[str, Any]],
    tie: float = TIE,
) -> Verification:
    """Run an export, or a fresh one of a backend with options; compare it with the runtime."""
    if isinstance(artifact, Artifact):
        return _verify(exporter, source, inputs, artifact, tie)
    backend, options = artifact
    with tempfile.TemporaryDirectory() as folder:
        fresh = export(exporter, backend, source, Path(folder) / "export", **options)
        return _verify(exporter, source, inputs, fresh, tie)


def _verify(
    exporter: Exporter,
    source: Deployable,
    inputs: Mapping[str, Numbers],
    artifact: Artifact,
    tie: float,
) -> Verification:
    steps = artifact.manifest["steps"]
    if steps != source.steps or artifact.manifest["program"] != source.graph.name:
        raise UsageError(
            f"an export of {artifact.manifest['program']!r} in {steps} steps",
            where=str(artifact.folder),
            expected=f"one of {source.graph.name!r} in {source.steps} steps",
            remedy="export this program again",
        )
    case = Case.of(source.graph, inputs, steps)
    checks = []
    for way in artifact.ways:
        recorded = exporter.run(artifact, case.inputs, way)
        checks.append(compare(case, recorded, (artifact.backend, way), tie))
    return Verification(tuple(checks))


@dataclass(frozen=True)
class Case:
    """What is verified: a graph on some inputs."""

    graph: Graph
    inputs: Mapping[str, Numbers]
    steps: int | None
    samples: int

    @classmethod
    def of(cls, graph: Graph, inputs: Mapping[str, Numbers], steps: int | None) -> Case:
        """Bind inputs, in float32."""
        timed = any(not v.type.is_static for n in graph for v in n.outputs)
        feed = bind_inputs(graph, dict(inputs), steps if timed else None, "float32")
        return cls(graph, feed.arrays, steps, feed.sizes.batch)

    @property
    def neurons(self) -> tuple[Node, ...]:
        return tuple(node for node in self.graph if node.op.family is Family.NEURON)


def compare(case: Case, recorded: Recorded, label: tuple[str, str], tie: float = TIE) -> Check:
    """Compare a recorded run with the layerwise engine, event by event."""
    names = [node.name for node in case.neurons]
    seen = trace(case.graph, case.inputs, "layerwise", record=names, steps=case.steps)
    wrong = {n: ~_equal(seen.values[n], recorded.spikes[n], case.graph[n]) for n in names}
    unequal = sum(int(np.count_nonzero(mask)) for mask in wrong.values())
    outputs = dict(zip((n.name for n in case.graph.outputs), seen.outputs, strict=True))
    first, ties = None, 0
    if unequal:
        first, ties, outputs = _judge(case, recorded, tie)
    apart, worst = _outputs(outputs, recorded.outputs, case)
    compared = Compared(
        samples=case.samples,
        steps=seen.steps,
        layers=len(names),
        entries=sum(mask.size for mask in wrong.values()),
        unequal=unequal,
        ties=ties,
    )
    first = first or worst
    return Check(*label, recorded.tool, first is None, compared, first, apart, tie)


def _equal(expected: Numbers, found: Numbers, node: Node) -> Bools:
    """Tell where two trains are the same, up to the rounding of an event's value."""
    close: Bools = np.isclose(found, expected, rtol=1e-5, atol=1e-6 * _least(node.op))
    return close


def _least(op: Op) -> float:
    return float(quantum_of(op).data.min())


def _outputs(
    expected: Mapping[str, Numbers], found: Mapping[str, Numbers], case: Case
) -> tuple[float, Difference | None]:
    """Give the largest difference of an output, and the first that is out of bounds."""
    apart, worst = 0.0, None
    for name, wanted in expected.items():
        bound = BOUND * max(float(np.abs(wanted).max(initial=0)), 1e-6)
        gap = np.abs(found[name] - wanted)
        apart = max(apart, float(gap.max(initial=0)))
        (value,) = case.graph[name].inputs
        places = np.argwhere(~(gap <= bound))
        if len(places) and worst is None:
            worst = _difference(name, value, places, (wanted, found[name]))
    return apart, worst


def _difference(
    name: str, value: Value, places: Numbers, both: tuple[Numbers, Numbers]
) -> Difference:
    """Name the first of some entries, in time."""
    expected, found = both
    axis = value.type.time_axis
    if axis is None:
        place = tuple(map(int, places[0]))
        return Difference(1, name, place, float(expected[place]), float(found[place]))
    at = expected.ndim + axis
    size = expected.shape[at]
    steps = size // _share(value, size, expected)
    per_step = size // steps
    place = min((tuple(map(int, p)) for p in places), key=lambda p: (p[at] // per_step, p))
    inner = place[at] % per_step
    neuron = (*place[:at], *((inner,) if per_step > 1 else ()), *place[at + 1 :])
    numbers = float(expected[place]), float(found[place])
    return Difference(place[at] // per_step + 1, name, neuron, *numbers)


def _share(value: Value, size: int, array: Numbers) -> int:
    """Give how many elements of the time axis belong to one step."""
    bound = solve(value.type.dims, array.shape, {})
    if bound is None or "T" not in bound:
        return 1
    axis = value.type.time_axis or 0
    return size // max(1, int(bound["T"] * rate_of(value.type.dims[axis])))


def _judge(
    case: Case, recorded: Recorded, tie: float
) -> tuple[Difference | None, int, dict[str, Numbers]]:
    """Replay every neuron in double precision, under the events that the export has sent it."""
    cut, currents = severed(case.graph)
    given = {**case.inputs, **{n.name: recorded.spikes[n.name] for n in case.neurons}}
    seen = trace(cut, given, "layerwise", record=(), steps=case.steps, dtype="float64")
    values = dict(zip((n.name for n in cut.outputs), seen.outputs, strict=True))
    first: Difference | None = None
    ties = 0
    for node in case.neurons:
        found = recorded.spikes[node.name].astype(np.float64)
        replayed = replay(node, values[currents[node.name]], found, tie)
        ties += int(np.count_nonzero(replayed.ties))
        places = np.argwhere(replayed.wrong)
        if len(places):
            here = _difference(node.name, node.outputs[0], places, (replayed.expected, found))
            first = here if first is None or here.step < first.step else first
    return first, ties, {n.name: values[n.name] for n in case.graph.outputs}


@dataclass(frozen=True)
class Replayed:
    """What a neuron does under given events."""

    expected: Numbers
    ties: Bools
    wrong: Bools


def replay(node: Node, current: Numbers, found: Numbers, tie: float) -> Replayed:
    """Step a neuron; where a move of its potential gives the found event, follow that."""
    op = node.op
    assert isinstance(op, ScanOp)
    axis = current.ndim + (node.outputs[0].type.time_axis or 0)
    count = current.shape[axis] // _share(node.inputs[0], current.shape[axis], current)
    currents, events = (np.split(array, count, axis) for array in (current, found))
    sizes = Sizes(_batch(node.inputs[0], current), 1)
    delta = tie * quantum_of(op).astype(np.dtype(np.float64))
    state = op.initial(tuple(x.step() for x in node.input_types), sizes, np.dtype(np.float64))
    rows: list[tuple[Numbers, Bools, Bools]] = []
    for time, (x, y) in enumerate(zip(currents, events, strict=True), start=1):
        state, row = _followed(node, state, (x, y, time), delta)
        rows.append(row)
    expected, ties, wrong = (np.concatenate(part, axis) for part in zip(*rows, strict=True))
    return Replayed(expected, ties, wrong)


def _followed(
    node: Node, state: tuple[Numbers, ...], now: tuple[Numbers, Numbers, int], delta: Numbers
) -> tuple[tuple[Numbers, ...], tuple[Numbers, Bools, Bools]]:
    """Advance by one step, along the branch that the export has taken."""
    x, y, time = now
    behind, (expected,) = _stepped(node, state, x, time)
    equal = _equal(expected, y, node)
    settled = equal.copy()
    for moved in _moved(node.op, state, delta) if not equal.all() else ():
        other, (result,) = _stepped(node, moved, x, time)
        here = ~settled & _equal(result, y, node)
        behind = tuple(np.where(here, o, b) for o, b in zip(other, behind, strict=True))
        settled |= here
    return behind, (expected, settled & ~equal, ~settled)


def _stepped(
    node: Node, state: tuple[Numbers, ...], x: Numbers, time: int
) -> tuple[tuple[Numbers, ...], tuple[Numbers, ...]]:
    assert isinstance(node.op, ScanOp)
    with np.errstate(all="ignore"):
        return node.op.step(state, (x,), time)


def _moved(op: Op, state: tuple[Numbers, ...], delta: Numbers) -> Iterator[tuple[Numbers, ...]]:
    """Move what is compared with thresholds: the potential, and what a window will make of it."""
    count = 2 if isinstance(op, ops.PhasedFire | ops.FewSpikes) else 1
    for change in (delta, -delta):
        yield (*(part + change for part in state[:count]), *state[count:])


def severed(graph: Graph) -> tuple[Graph, dict[str, str]]:
    """Cut a graph at its neurons: their events come in, their currents go out.

    Also gives the name of each neuron's current among the outputs.
    """
    edit = Editor(Graph(graph.name, graph.stage), by="verify")
    values: dict[Value, Value] = {}
    currents: dict[str, str] = {}
    for node in graph:
        operands = [values[value] for value in node.inputs]
        if node.op.family is Family.NEURON:
            currents[node.name] = f"{node.name}.current"
            edit.output(currents[node.name], operands[0])
            values[node.outputs[0]] = edit.input(node.name, node.outputs[0].type, node.location)
        else:
            new = edit.add_node(node.op, operands, name=node.name, location=node.location)
            values.update(zip(node.outputs, new.outputs, strict=True))
    return edit.graph, currents


def _batch(value: Value, array: Numbers) -> int:
    bound = solve(value.type.dims, array.shape, {}) or {}
    return bound.get("B", 1)


def quantum_of(op: Op) -> Array:
    """Give what one event is worth to the potential of a neuron: its (smallest) threshold."""
    rule = _QUANTA.get(type(op))
    return Array(1.0) if rule is None else rule(op)


_QUANTA: Mapping[type[Op], Callable[[Any], Array]] = {
    ops.IntegrateFire: lambda op: op.threshold,
    ops.BipolarIF: lambda op: op.threshold,
    ops.PhasedFire: lambda op: op.threshold,
    ops.MultiThreshold: lambda op: op.quantum,
    ops.Differential: lambda op: op.quantum,
    ops.SigmaDelta: lambda op: op.step_size,
    ops.FewSpikes: lambda op: op.amplitude,
}
