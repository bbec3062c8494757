"""The count by brute force: the reference runtime, one sample, one step, one event at a time."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spikec.energy.rules.pooled import is_folded, sender
from spikec.ir import Array, Family, Graph, Node, Op, Sizes, Spikes, Value, ops
from spikec.ir.op import Timing
from spikec.ir.ops.coding import Encoder, FromStatic
from spikec.ir.ops.readout import OverTime, Readout
from spikec.runtime import trace
from spikec.runtime.reference import step_of

FIELDS = ("macs", "acs", "shift_adds", "adds", "updates", "events", "quanta", "popcount")
Tally = dict[str, int]


@dataclass
class Seen:
    """A node beside the values of one sample."""

    node: Node
    values: Mapping[str, Any]
    steps: int

    def operand(self, position: int = 0) -> Any:
        return self.values[self.node.inputs[position].name]

    @property
    def result(self) -> Any:
        return self.values[self.node.outputs[0].name]

    def slices(self, position: int = 0) -> Iterator[Any]:
        """Give an operand step by step, as the reference runtime does."""
        value = self.node.inputs[position]
        if self.node.timing is Timing.STATIC or self.node.timing is Timing.WHOLE:
            yield self.operand(position)
            return
        timed = [
            v.type.rate for v in (*self.node.inputs, *self.node.outputs) if not v.type.is_static
        ]
        rate = max(timed)
        for time in range(1, int(self.steps * rate) + 1):
            yield step_of(value, self.operand(position), time, Sizes(1, rate.denominator))


def brute(graph: Graph, inputs: Mapping[str, Any], steps: int | None) -> dict[str, Tally]:
    """Count one sample; ``steps`` is None where nothing holds time."""
    seen = trace(graph, dict(inputs), "reference", steps=steps)
    tallies = {}
    for node in graph:
        tally = dict.fromkeys(FIELDS, 0)
        for name, number in _count(Seen(node, seen.values, seen.steps)).items():
            tally[name] += number
        tallies[node.name] = tally
    return tallies


def _count(seen: Seen) -> Tally:
    rule = next((r for kinds, r in _RULES if isinstance(seen.node.op, kinds)), None)
    return {} if rule is None else rule(seen)


def quanta_of(value: Value, array: Any) -> Any:
    """Give |k| of each element, as integers of Python."""
    signal = value.type.signal
    assert isinstance(signal, Spikes)
    wide = np.broadcast_to(signal.amplitude.data, array.shape)
    flat = zip(array.ravel().tolist(), wide.ravel().tolist(), strict=True)
    return np.array([round(abs(x / a)) for x, a in flat]).reshape(array.shape)


def _sent(seen: Seen) -> Tally:
    """Look at each value that leaves."""
    value = seen.node.outputs[0]
    if not isinstance(value.type.signal, Spikes):
        return {}
    sizes = [int(k) for k in quanta_of(value, seen.result).ravel()]
    return {
        "events": sum(1 for k in sizes if k),
        "quanta": sum(sizes),
        "popcount": sum(bin(k).count("1") for k in sizes),
    }


def _neuron(seen: Seen) -> Tally:
    value = seen.node.inputs[0]
    came = quanta_of(value, seen.operand()).ravel().tolist() if value.type.is_spikes else []
    return {
        "updates": sum(1 for _ in seen.result.ravel()),
        "acs": sum(1 for k in came if k),
        "shift_adds": sum(bin(k).count("1") for k in came),
        **_sent(seen),
    }


def _reached(op: Op, x: Any, index: int) -> int:
    """Send one element through an op whose weights are all 1; see what is not 0 behind it."""
    one = np.zeros(x.size)
    one[index] = 1
    (y,) = op.run((one.reshape(x.shape),), Sizes(1, 1))
    return int(np.count_nonzero(y))


def _synapses(seen: Seen, op: Op, *, weighted: bool) -> Tally:
    tally = dict.fromkeys(("acs", "shift_adds", "macs", "adds"), 0)
    value, reached = seen.node.inputs[0], dict[int, int]()
    fires = value.type.is_spikes
    for x in seen.slices():
        sizes = quanta_of(value, x).ravel() if fires else np.ones(x.size, int)
        for index, k in enumerate(sizes.tolist()):
            if k and index not in reached:
                reached[index] = _reached(op, x, index)
            if k and fires:
                tally["acs"] += reached[index]
                tally["shift_adds"] += bin(k).count("1") * reached[index]
            elif not fires:
                tally["macs" if weighted else "adds"] += reached[index]
    return tally


def _layer(seen: Seen) -> Tally:
    """Look at each event before the pools, if there are any; let it run through to the end."""
    op: Any = seen.node.op
    ones = Array(np.ones(op.weight.shape))
    source = sender(seen.node)
    if source is not None and source is not seen.node.inputs[0]:
        return _through_pools(seen, source, replace(op, weight=ones, bias=None))
    tally = _synapses(seen, replace(op, weight=ones, bias=None), weighted=True)
    if op.bias is not None:
        tally["adds"] += seen.result.size
    return tally


def _through_pools(seen: Seen, source: Value, op: Any) -> Tally:
    chain: list[Op] = [op]
    value = seen.node.inputs[0]
    while value is not source:
        chain.insert(0, value.producer.op)
        value = value.producer.inputs[0]
    own: Any = seen.node.op
    tally = {"acs": 0, "shift_adds": 0, "adds": seen.result.size if own.bias else 0}
    reached: dict[int, int] = {}
    for time in range(1, seen.steps + 1):
        x = step_of(source, seen.values[source.name], time, Sizes(1, 1))
        for index, k in enumerate(quanta_of(source, x).ravel().tolist()):
            if k and index not in reached:
                y: Any = np.zeros(x.size)
                y[index] = 1
                y = y.reshape(x.shape)
                for one in chain:
                    (y,) = one.run((y,), Sizes(1, 1))
                reached[index] = int(np.count_nonzero(y))
            if k:
                tally["acs"] += reached[index]
                tally["shift_adds"] += bin(k).count("1") * reached[index]
    return tally


def _deformed(seen: Seen) -> Tally:
    op: Any = seen.node.op
    taps = sum(1 for _ in np.ndindex(op.weight.shape[1:]))
    return {"macs": seen.result.size * taps, "adds": seen.result.size if op.bias else 0}


def _scale(seen: Seen) -> Tally:
    op: Any = seen.node.op
    tally = _synapses(seen, ops.Neg(), weighted=True)
    if op.shift is not None:
        tally["adds"] += seen.result.size
    return tally


def _mixed(seen: Seen) -> Tally:
    op: Any = seen.node.op
    return {"macs": sum(op.weight.shape[1] for _ in seen.result.ravel())}


def _pool(seen: Seen) -> Tally:
    if is_folded(seen.node):
        return {}
    return _synapses(seen, seen.node.op, weighted=False)


def _join(seen: Seen) -> Tally:
    """Give the operands one after another to whatever they are added to, element by element."""
    tally = {"acs": 0, "shift_adds": 0}
    for position, value in enumerate(seen.node.inputs):
        if value.type.is_spikes:
            sizes = quanta_of(value, seen.operand(position))
            for k in np.broadcast_to(sizes, seen.result.shape).ravel().tolist():
                tally["acs"] += k != 0
                tally["shift_adds"] += bin(k).count("1")
    if not any(value.type.is_spikes for value in seen.node.inputs):
        return {"adds": seen.result.size}
    return tally


def _pairs(seen: Seen) -> Iterator[tuple[int, ...]]:
    """Give the sizes of what meets in each product, written out as an Einstein sum."""
    arrays = [
        quanta_of(v, seen.operand(i)) if v.type.is_spikes else np.ones(seen.operand(i).shape, int)
        for i, v in enumerate(seen.node.inputs)
    ]
    op = seen.node.op
    if isinstance(op, ops.Einsum):
        terms, _ = op._terms(*(a.ndim for a in arrays))
    elif isinstance(op, ops.Mul):
        letters = "abcdefgh"[: max(a.ndim for a in arrays)]
        terms = [letters[len(letters) - a.ndim :] for a in arrays]
    else:
        a, b = arrays
        lead = "cdefgh"[: max(a.ndim, b.ndim, 2) - 2]
        left = "k" if a.ndim == 1 else lead[len(lead) - a.ndim + 2 :] + "ik"
        right = "k" if b.ndim == 1 else lead[len(lead) - b.ndim + 2 :] + "kj"
        terms = [left, right]
    sizes: dict[str, int] = {}
    for term, array in zip(terms, arrays, strict=True):
        for letter, size in zip(term, array.shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    for index in itertools.product(*map(range, sizes.values())):
        at = dict(zip(sizes, index, strict=True))
        yield tuple(
            int(array[tuple(at[c] if n > 1 else 0 for c, n in zip(term, array.shape, strict=True))])
            for term, array in zip(terms, arrays, strict=True)
        )


def _product(seen: Seen) -> Tally:
    fires = any(value.type.is_spikes for value in seen.node.inputs)
    each = len(seen.node.inputs) - 1 if len(seen.node.inputs) > 1 else int(fires)
    tally = {"macs": 0, "acs": 0, "shift_adds": 0}
    for sizes in _pairs(seen):
        ones = 1
        for k in sizes:
            ones *= bin(k).count("1")
        tally["acs" if fires else "macs"] += each * all(sizes)
        tally["shift_adds"] += each * ones * fires
    return tally


def _running(seen: Seen) -> Tally:
    value = seen.node.inputs[0]
    if not value.type.is_spikes:
        return {"adds": seen.operand().size}
    sizes = quanta_of(value, seen.operand()).ravel().tolist()
    return {
        "acs": sum(1 for k in sizes if k),
        "shift_adds": sum(bin(k).count("1") for k in sizes),
    }


def _each(name: str) -> Callable[[Seen], Tally]:
    return lambda seen: {name: seen.result.size}


def _wavelet(seen: Seen) -> Tally:
    size = sum(seen.values[value.name].size for value in seen.node.outputs)
    return {"adds": size, "macs": size}


def _resized(seen: Seen) -> Tally:
    """Look at each result: which pixels does it change with?"""
    op: Any = seen.node.op
    if op.mode is ops.Interpolation.NEAREST:
        return {}
    rank = len(op.sizes)
    size = seen.operand().shape[-rank:]
    plain = replace(op, extrapolation=0.0)
    used = 0
    for index in np.ndindex(size):
        one = np.zeros(size)
        one[index] = 1
        used += int(np.count_nonzero(plain.run((one,), Sizes(1, 1))[0]))
    return {"macs": used * (seen.operand().size // int(np.prod(size)))}


_RULES: tuple[tuple[Any, Callable[[Seen], Tally]], ...] = (
    ((ops.Linear, ops.Conv, ops.ConvTranspose), _layer),
    (ops.DeformConv, _deformed),
    (ops.Scale, _scale),
    (ops.StepScale, lambda seen: _synapses(seen, ops.Neg(), weighted=True)),
    (ops.TimeMix, _mixed),
    ((ops.SumPool, ops.AvgPool, ops.AdaptiveAvgPool), _pool),
    ((ops.ReduceSum, ops.ReduceMean), _running),
    ((ops.Add, ops.Sub), _join),
    ((ops.Mul, ops.Matmul, ops.Einsum), _product),
    ((ops.CumulativeSum, ops.SumOverTime, ops.MeanOverTime, Readout), _running),
    ((ops.Difference, ops.CumSum), _each("adds")),
    ((ops.TimeScale, ops.PhaseScale, ops.BatchNorm, ops.LayerNorm), _each("macs")),
    ((ops.RMSNorm, ops.GroupNorm), _each("macs")),
    (ops.ReduceProd, lambda seen: {"macs": seen.operand().size}),
    ((ops.Haar, ops.HaarInverse), _wavelet),
    (ops.Resize, _resized),
    (ops.Neuron, _neuron),
    ((Encoder, ops.Input), _sent),
)
FREE = (FromStatic, OverTime, Family)
