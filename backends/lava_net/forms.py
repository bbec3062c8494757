"""How a path stands in Lava: as a convolution, a dense or a sparse matrix, or as nothing at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.backends.lava_net.gains import GAINS
from spikec.backends.lava_net.matrices import entries
from spikec.backends.lava_net.paths import Path
from spikec.ir import Node, TensorType, ops
from spikec.ir.layout import elements, unit_shape

Numbers = NDArray[Any]
DENSE = 0.4
"""share of entries other than 0 from which on a matrix is stored whole"""
SMALL = 127
"""largest whole weight of a convolution, which Lava's fixed point cannot put together of digits"""


@dataclass(frozen=True, eq=False)
class Form:
    """One linear map: its name in the manifest, its options, its arrays in weights.npz."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Numbers] = field(default_factory=dict)

    @property
    def weights(self) -> Numbers:
        """All numbers other than positions."""
        arrays = [a for name, a in self.arrays.items() if name in ("weight", "values")]
        return np.concatenate([np.ravel(a) for a in arrays]) if arrays else np.ones(1)

    @property
    def whole(self) -> bool:
        """Whether all weights are whole numbers."""
        return bool((self.weights == np.rint(self.weights)).all())


@dataclass(frozen=True, eq=False)
class Weighted:
    """The one op with weights on a path, what is multiplied in front of it, and a pool there."""

    node: Node
    before: Numbers
    pool: Node | None


def form_of(path: Path, amplitude: Numbers) -> Form:
    """Give the form of a path whose source sends counts of ``amplitude``."""
    gain: Numbers = np.broadcast_to(amplitude, unit_shape(path.source.type)).astype(np.float64)
    weighted: Weighted | None = None
    pool: Node | None = None
    for node, position in path.steps:
        rule = GAINS.get(type(node.op))
        if pool is not None and isinstance(node.op, ops.Reshape):
            return tried(path, amplitude)  # its channels need not be the pool's
        behind = None if rule is None else rule(node, position, gain)
        if behind is not None:
            gain = behind
        elif weighted is None and pool is None and _is_plain_pool(node, gain):
            pool, gain = node, _pooled(node, gain)
        elif weighted is None and isinstance(node.op, ops.Conv | ops.Linear):
            weighted, pool = Weighted(node, gain, pool), None
            gain = np.ones(unit_shape(node.outputs[0].type))
        else:
            return tried(path, amplitude)
    if pool is not None:
        return tried(path, amplitude)
    found = _single(weighted, gain) if weighted else _diagonal(gain)
    return found or tried(path, amplitude)


def tried(path: Path, amplitude: Numbers) -> Form:
    """Find a matrix by sending one event after another."""
    return _matrix(*entries(path, amplitude), _shape(path))


def _shape(path: Path) -> tuple[int, int]:
    return elements(path.end.type), elements(path.source.type)


def _matrix(rows: Numbers, columns: Numbers, values: Numbers, shape: tuple[int, int]) -> Form:
    if len(values) >= DENSE * shape[0] * shape[1]:
        weight = np.zeros(shape)
        weight[rows, columns] = values
        return Form("dense", {"shape": list(shape)}, {"weight": _stored(weight)})
    arrays = {"rows": _index(rows), "columns": _index(columns), "values": _stored(values)}
    return Form("sparse", {"shape": list(shape)}, arrays)


def _index(array: Numbers) -> Numbers:
    return array.astype(np.int32)


def _stored(array: Numbers) -> Numbers:
    """Store whole numbers in few bits, and what is exact in 32 bits in those."""
    for kind in (np.int8, np.int16, np.int32, np.float32):
        if np.array_equal(array, array.astype(kind)) and np.abs(array).max(initial=0) < 2**30:
            return np.asarray(array.astype(kind))
    return array


def _diagonal(gain: Numbers) -> Form:
    flat = gain.reshape(-1)
    if (flat == 1).all():
        return Form("same", {"shape": [flat.size, flat.size]})
    place = np.flatnonzero(flat)
    return _matrix(place, place, flat[place], (flat.size, flat.size))


def identity(size: int) -> Form:
    """Give connections one to one as synapses."""
    place = np.arange(size)
    return _matrix(place, place, np.ones(size), (size, size))


def _single(weighted: Weighted, after: Numbers) -> Form | None:
    if isinstance(weighted.node.op, ops.Linear):
        return None if weighted.pool else _linear(weighted, after)
    return _conv(weighted, after)


def _linear(weighted: Weighted, after: Numbers) -> Form | None:
    op = weighted.node.op
    assert isinstance(op, ops.Linear)
    if after.size != op.weight.shape[0]:
        return None  # one matrix for each of several rows
    weight = after.reshape(-1, 1) * op.weight.data.astype(np.float64) * weighted.before.reshape(-1)
    return Form("dense", {"shape": list(weight.shape)}, {"weight": _stored(weight)})


def _conv(weighted: Weighted, after: Numbers) -> Form | None:
    op, x = weighted.node.op, weighted.node.inputs[0].type
    assert isinstance(op, ops.Conv)
    before = _per_channel(weighted.before)
    even = after.size > 0 and bool((after == after.flat[0]).all())
    behind = np.full(op.channels[1], after.flat[0]) if even else _per_channel(after)
    square = len(op.kernel) == 2 and all(low == high for low, high in op.padding)
    if before is None or behind is None or not square or not _leads_by_ones(x):
        return None
    channels = op.weight.shape[1]
    weight = op.weight.data.astype(np.float64) * behind.reshape(-1, 1, 1, 1)
    group = np.arange(len(weight)) // (len(weight) // op.groups)
    weight = weight * before.reshape(op.groups, channels)[group][..., np.newaxis, np.newaxis]
    options = {
        "input": list(unit_shape(x)[-3:]),
        "output": list(unit_shape(weighted.node.outputs[0].type)[-3:]),
        "padding": [low for low, _ in op.padding],
        "stride": list(op.stride),
        "dilation": list(op.dilation),
        "groups": op.groups,
    }
    if weighted.pool is not None:
        if op.dilation != (1, 1):
            return None
        weight, options = _with_pool(weight, options, weighted.pool)
    whole = bool((weight == np.rint(weight)).all())
    if whole and np.abs(weight).max(initial=0) > SMALL:
        return None
    return Form("conv", options, {"weight": _stored(weight)})


def _leads_by_ones(x: TensorType) -> bool:
    return x.rank >= 3 and elements(x) == int(np.prod(unit_shape(x)[-3:]))


def _per_channel(gain: Numbers) -> Numbers | None:
    """Give one number per channel, where that is all there is."""
    if gain.ndim < 3 or gain.size != np.prod(gain.shape[-3:]):
        return None
    image = gain.reshape(gain.shape[-3:])
    first = image[:, :1, :1]
    return first.reshape(-1) if bool((image == first).all()) else None


def _is_plain_pool(node: Node, gain: Numbers) -> bool:
    """Tell whether windows touch without gap or overlap, cover everything, and weigh it alike."""
    op = node.op
    if not isinstance(op, ops.SumPool | ops.AvgPool) or len(op.kernel) != 2:
        return False
    if _per_channel(gain) is None:
        return False
    size, plain = unit_shape(node.inputs[0].type)[-2:], op.kernel == op.stride
    plain = plain and op.dilation == (1, 1) and not any(map(any, op.padding))
    return plain and all(n % k == 0 for n, k in zip(size, op.kernel, strict=True))


def _pooled(node: Node, gain: Numbers) -> Numbers:
    """Give what is multiplied in front of a pool, in the size behind it."""
    op = node.op
    assert isinstance(op, ops.SumPool | ops.AvgPool)
    share = 1.0 / np.prod(op.kernel) if isinstance(op, ops.AvgPool) else 1.0
    return share * np.asarray(gain[..., :: op.kernel[0], :: op.kernel[1]])


def _with_pool(
    weight: Numbers, options: dict[str, Any], pool: Node
) -> tuple[Numbers, dict[str, Any]]:
    """Let a convolution see what a pool sums up: each tap once for every element of a window."""
    op = pool.op
    assert isinstance(op, ops.SumPool | ops.AvgPool)
    for axis, size in zip((-2, -1), op.kernel, strict=True):
        weight = np.repeat(weight, size, axis)
    wide = {
        key: [n * k for n, k in zip(options[key], op.kernel, strict=True)]
        for key in ("padding", "stride")
    }
    source = list(unit_shape(pool.inputs[0].type)[-3:])
    return weight, {**options, **wide, "input": source}
