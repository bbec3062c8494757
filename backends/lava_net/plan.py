"""What an export says: layers, connections, currents and the host's work, with their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from spikec.backends.lava_net.forms import Form
from spikec.backends.lava_net.neurons import Neurons
from spikec.ir import Node, TensorType, Value

Numbers = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Layer:
    """Neurons, or accumulators of a current that the host reads."""

    name: str
    value: Value
    """what the host gets: events, or the current"""
    node: Node | None
    """the neuron; None for a current that the host reads"""
    neurons: Neurons
    size: int
    bias: Numbers
    """[R, size]: the current that comes by itself; row min(t, R) in step t"""
    analog: bool
    """whether potentials are written down, not counts"""


@dataclass(frozen=True, eq=False)
class Connection:
    """Synapses between two layers."""

    source: str
    target: str
    form: Form
    delay: int
    """steps of the graph's own delays"""
    graded: bool


@dataclass(frozen=True, eq=False)
class Current:
    """A static value of the host that flows into a layer: value · profile[t - delay]."""

    value: str
    profile: tuple[float, ...]
    """the last number stays"""
    delay: int
    origin: tuple[Value, Form]
    """the value in the graph, and the map on its way"""


@dataclass(frozen=True, eq=False)
class HostNode:
    """One step of the host's work."""

    name: str
    op: str
    inputs: tuple[str, ...]
    options: Mapping[str, Any]
    maps: tuple[Form, ...] = ()
    bias: Numbers | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """A whole export."""

    steps: int
    inputs: Mapping[str, TensorType]
    before: tuple[HostNode, ...]
    layers: tuple[Layer, ...]
    connections: tuple[Connection, ...]
    currents: Mapping[str, tuple[Current, ...]]
    """by layer"""
    behind: tuple[HostNode, ...]
    outputs: Mapping[str, Value]
