"""Writes nodes of NIR: weights absorb the factors around them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from spikec.backends.nir_graph.forms import (
    ONE,
    ZERO,
    Form,
    Numbers,
    Part,
    Refused,
    Shape,
    is_one,
    per_channel,
)
from spikec.backends.nir_graph.net import NirNet, NirNode
from spikec.backends.nir_graph.neurons import Style
from spikec.backends.nir_graph.weights import affine, convolution, pointwise
from spikec.errors import Problem
from spikec.ir import Array, Node, Value, ops

NO_SOURCE = "a value that no input changes"
FOLD = "fold-constants computes what no input changes"


@dataclass(eq=False)
class Emitter:
    """The net so far, and what each value of the graph is in it."""

    style: Style
    unit: bool | None
    """thresholds become 1; None: where those of a layer differ and are no whole numbers"""
    net: NirNet = field(default_factory=NirNet)
    forms: dict[Value, Form] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    neurons: dict[str, str] = field(default_factory=dict)
    """nodes of NIR, by the names of the neurons in the graph"""
    _made: dict[tuple[object, ...], list[str]] = field(default_factory=dict)

    def form(self, value: Value) -> Form:
        """Give what a value is in the net."""
        return self.forms[value]

    def names(self, form: Form, name: str) -> list[str]:
        """Give nodes whose values add up to a form; ``name`` is for nodes that have to be added."""
        offset: Numbers | None = form.offset if form.shifted else None
        found: list[str] = []
        for part in form.parts:
            extra = ZERO
            if offset is not None and self._absorbs(part, offset, form.shape):
                extra, offset = offset, None
            found += self._behind_gain(part, extra, form.shape)
        if offset is None:
            return found
        if not found:
            raise Refused(NO_SOURCE, "currents that come from somewhere", FOLD)
        return [self._shifted(found[0], offset, form.shape, name), *found[1:]]

    def grouped(self, form: Form, name: str, *, channels: bool) -> list[tuple[list[str], Numbers]]:
        """Give nodes, put together where their factors are the same, and these.

        With ``channels`` a factor is one number per channel; others become nodes of their own.
        """
        found: dict[bytes, tuple[list[str], Numbers]] = {}
        for part in form.parts:
            gain = per_channel(part.gain, form.shape) if channels else None
            if not channels:
                gain = np.broadcast_to(part.gain, form.shape)
            if isinstance(part.source, Node) or gain is None:
                nodes = self._behind_gain(part, ZERO, form.shape)
                gain = np.ones(form.shape[:1] if channels else form.shape)
            else:
                nodes = [part.source]
            key = np.ascontiguousarray(gain, np.float64).tobytes()
            found.setdefault(key, ([], gain))[0].extend(nodes)
        return list(found.values())

    def _absorbs(self, part: Part, offset: Numbers, shape: Shape) -> bool:
        if not isinstance(part.source, Node):
            return False
        if isinstance(part.source.op, ops.Linear):
            return True
        return per_channel(part.gain, shape) is not None and per_channel(offset, shape) is not None

    def _behind_gain(self, part: Part, extra: Numbers, shape: Shape) -> list[str]:
        """Give nodes that add up to a part (and a constant that its weights absorb)."""
        if isinstance(part.source, str):
            return [self._scaled(part.source, part.gain, shape)]
        gain, rest = part.gain, ONE
        if isinstance(part.source.op, ops.Conv):
            by_channel = per_channel(part.gain, shape)
            gain, rest = (ONE, part.gain) if by_channel is None else (by_channel, ONE)
            extra = _or_zero(per_channel(extra, shape))
        return [
            self._scaled(name, rest, shape) for name in self._weighted(part.source, gain, extra)
        ]

    def _weighted(self, node: Node, gain: Numbers, extra: Numbers) -> list[str]:
        """Write the weights of a node, one copy for each factor in front of them."""
        key = (node, gain.tobytes(), extra.tobytes())
        if key not in self._made:
            op = node.op
            assert isinstance(op, ops.Linear | ops.Conv)
            source = self.form(node.inputs[0])
            groups = self.grouped(source, f"{node.name}_in", channels=isinstance(op, ops.Conv))
            if not groups:
                raise Refused(
                    "weights behind a constant", "currents that come from somewhere", FOLD
                )
            width = len(op.weight.data)
            bias = np.zeros(width) if op.bias is None else op.bias.data.astype(np.float64)
            gain = np.broadcast_to(gain, (width,))
            self._made[key] = [
                self.net.add(
                    node.name,
                    _node(op, source.shape, gain, before, (gain * bias + extra) * (number == 0)),
                    nodes,
                )
                for number, (nodes, before) in enumerate(groups)
            ]
        return self._made[key]

    def _scaled(self, source: str, gain: Numbers, shape: Shape) -> str:
        """Put a Scale behind a node, unless it would change nothing."""
        if is_one(gain):
            return source
        full = np.broadcast_to(gain, shape).astype(np.float32)
        key = (source, full.tobytes())
        if key not in self._made:
            node = NirNode("Scale", {"scale": full})
            self._made[key] = [self.net.add(f"{source}_scaled", node, [source])]
        return self._made[key][0]

    def _shifted(self, source: str, offset: Numbers, shape: Shape, name: str) -> str:
        """Add a constant behind a node, by weights that do nothing else."""
        if len(shape) == 1:
            node = affine(np.eye(shape[0]), np.broadcast_to(offset, shape))
            return self.net.add(f"{name}_shifted", node, [source])
        numbers = per_channel(offset, shape) if shape else None
        if numbers is None or len(shape) > 3:
            raise Refused(
                "a constant that differs from place to place is added to a map",
                "one number per channel, or a vector",
                "add it behind a Flatten",
            )
        node = pointwise(np.eye(shape[0]), numbers, shape[1:])
        return self.net.add(f"{name}_shifted", node, [source])


def _or_zero(array: Numbers | None) -> Numbers:
    return ZERO if array is None else array


def _node(
    op: ops.Linear | ops.Conv, shape: Shape, gain: Numbers, before: Numbers, bias: Numbers
) -> NirNode:
    """Write gain · W · before, and a bias."""
    weight = op.weight.data.astype(np.float64)
    if isinstance(op, ops.Linear):
        return affine(gain[:, None] * weight * before, bias)
    tail = (1,) * len(op.kernel)
    each = before.reshape(op.groups, 1, -1, *tail)
    blocks = weight.reshape(op.groups, -1, *weight.shape[1:]) * each
    scaled = gain.reshape(-1, 1, *tail) * blocks.reshape(weight.shape)
    return convolution(replace(op, weight=Array(scaled), bias=Array(bias)), shape[1:])
