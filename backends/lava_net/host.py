"""Writes the host's nodes: what is computed beside Lava, in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spikec.backends.lava_net.forms import form_of
from spikec.backends.lava_net.matrices import bias_of
from spikec.backends.lava_net.paths import Path, Refused, is_linear
from spikec.backends.lava_net.plan import HostNode
from spikec.errors import Problem
from spikec.ir import Array, Node, Op, ops
from spikec.ir.layout import unit_shape

ONE = np.ones(())
Options = Mapping[str, Any]


def host_node(node: Node) -> HostNode:
    """Write a node that is no neuron."""
    if len(node.outputs) != 1 or node.outputs[0].type.rate != 1:
        raise Refused(_problem(node))
    rule = _RULES.get(type(node.op))
    moving = [v for v in node.inputs if not isinstance(v.producer.op, ops.Constant)]
    names = tuple(value.name for value in moving)
    if rule is not None:
        word, options = rule(node.op, node)
        return HostNode(node.name, word, names, options)
    mixed = len({value.type.is_static for value in moving}) > 1
    if mixed or not is_linear(node) or isinstance(node.op, ops.Delay):
        raise Refused(_problem(node))
    positions = [i for i, v in enumerate(node.inputs) if v in moving]
    maps = tuple(form_of(Path(node.inputs[i], ((node, i),)), ONE) for i in positions)
    bias = bias_of(node)
    return HostNode(node.name, "affine", names, {}, maps, bias if bias.any() else None)


def _problem(node: Node) -> Problem:
    what = f"{type(node.op).__name__} beside the neurons is not written"
    known = ", ".join(sorted(kind.__name__ for kind in _RULES))
    return Problem(what, node.place, f"linear maps, {known}", "apply it outside of the network")


def _word(word: str) -> Callable[[Op, Node], tuple[str, Options]]:
    return lambda op, node: (word, {})


def _clip(op: ops.Clip, node: Node) -> tuple[str, Options]:
    return "clip", {"low": op.low, "high": op.high}


def _quantise(op: ops.Quantise, node: Node) -> tuple[str, Options]:
    shape = unit_shape(node.outputs[0].type)
    given = {"step": op.step, "amplitude": op.step if op.amplitude is None else op.amplitude}
    spread = {name: _spread(array, shape) for name, array in given.items()}
    return "quantise", {**spread, "low": op.low, "high": op.high}


def _spread(array: Array, shape: tuple[int, ...]) -> list[float]:
    """Give one number per element, or one for all."""
    full = np.broadcast_to(array.data.astype(np.float64), shape).reshape(-1)
    numbers: list[float] = full.tolist()
    return numbers[:1] if len(set(numbers)) == 1 else numbers


def _relu(op: ops.ReLU, node: Node) -> tuple[str, Options]:
    return "clip", {"low": 0, "high": None}


def _mean(op: ops.MeanReadout, node: Node) -> tuple[str, Options]:
    return "mean", {"start": op.start}


def _window(op: ops.WindowReadout, node: Node) -> tuple[str, Options]:
    return "window", {"weights": op.weights.data.astype(np.float64).tolist()}


def _softmax(op: ops.Softmax, node: Node) -> tuple[str, Options]:
    return "softmax", {
        "shape": list(unit_shape(node.inputs[0].type)),
        "axis": op.axis,
        "log": op.log,
    }


_RULES: Mapping[type[Op], Callable[[Any, Node], tuple[str, Options]]] = {
    ops.Round: _word("round"),
    ops.Floor: _word("floor"),
    ops.Clip: _clip,
    ops.Quantise: _quantise,
    ops.ReLU: _relu,
    ops.Sigmoid: _word("sigmoid"),
    ops.Softmax: _softmax,
    ops.MeanReadout: _mean,
    ops.WindowReadout: _window,
    ops.DifferentialReadout: _word("differential"),
    ops.CumulativeSum: _word("sum"),
    ops.LastStep: _word("last"),
    ops.SumOverTime: _word("total"),
    ops.MeanOverTime: _word("average"),
    ops.AndOverTime: _word("least"),
}
