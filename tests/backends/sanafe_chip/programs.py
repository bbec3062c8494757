"""Placed programs in whole numbers, and how to run them on the simulated chip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.artifact import Artifact, Deployable, export
from spikec.backends.sanafe_chip import SanafeExporter
from spikec.ir import Array, Graph, Value, ops
from spikec.verification import Check, verify
from tests.passes.helpers import applied
from tests.passes.whole_nets import STEPS, Whole

EXPORTER = SanafeExporter()
Inputs = Mapping[str, NDArray[Any]]


def lowered(graph: Graph, target: str = "sanafe-loihi") -> Graph:
    """Apply what ``spikec lower`` applies."""
    names = ("fold-pools", "split-fan-in", "relay-paths", "legalise-neurons", "place-cores")
    return applied(",".join(f"{name}{{target={target}}}" for name in names), graph)


def plain(seed: int = 0, reset: ops.Reset = ops.Reset.SOFT) -> Graph:
    """Events -> conv -> neurons -> pool, conv -> neurons -> linear map that the host reads."""
    net = Whole(2, 6, 6, seed=seed)
    a = net.neuron(net.conv(net.x, 3), 9, name="a", reset=reset)
    pooled = net.edit.add(ops.SumPool((2, 2), (2, 2), ((0, 0),) * 2, (1, 1)), a)
    start = Array(net.rng.integers(-3, 6, (4, 1, 1)).astype(np.float32))
    b = net.neuron(net.conv(pooled, 4), 20, name="b", reset=reset, v0=start)
    return net.done(net.edit.add(ops.MeanReadout(), net.linear(flat(net, b), 5, name="last")))


def residual(seed: int = 0) -> Graph:
    """A block with a way around it that is two layers shorter."""
    net = Whole(2, 5, 5, seed=seed)
    a = net.neuron(net.conv(net.x, 3), 7, name="a")
    b = net.neuron(net.conv(a, 3), 9, name="b")
    c = net.neuron(net.conv(b, 3), 9, name="c")
    total = net.edit.add(ops.Add(), net.conv(c, 3), a)
    return net.done(net.neuron(total, 9, name="d"))


def flat(net: Whole, x: Value) -> Value:
    size = int(np.prod([dim for dim in x.type.dims if isinstance(dim, int)]))
    return net.edit.add(ops.Reshape((*x.type.dims[:2], size)), x)


def deployed(graph: Graph, steps: int = STEPS) -> Deployable:
    return Deployable(graph, steps)


def exported(graph: Graph, folder: Path, **options: Any) -> Artifact:
    return export(EXPORTER, "sanafe_chip", deployed(graph), folder / "out", **options)


def checked(graph: Graph, inputs: Inputs, **options: Any) -> Check:
    """Export, run and compare."""
    (check,) = verify(EXPORTER, deployed(graph), inputs, ("sanafe_chip", options)).checks
    return check
