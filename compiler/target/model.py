"""What a target can do, as data: every fact stands beside its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from spikec.ir import Code, Op
from spikec.ir.ops import Neuron, Reset

T = TypeVar("T")

ASSUMPTION = "not published; assumption"
"""what stands as the source of a number that nobody has published"""


class Sign(Enum):
    """Which whole numbers a weight of b bits can be."""

    SIGNED = "signed"
    """-2^(b-1) .. 2^(b-1) - 1"""
    MIXED_EVEN = "mixed-even"
    """magnitudes below 2^(b-1) by way of an exponent, and even numbers of -2^b .. 2^b - 2"""


class AnalogInput(Enum):
    """What may reach the first layer, besides events."""

    NONE = "none"
    """nothing: the host sends events"""
    CURRENT = "current"
    """currents of the first neurons, set as biases: the host applies the first weights"""
    ANY = "any"
    """analog values: the first weights are applied by the target"""


@dataclass(frozen=True)
class Fact(Generic[T]):
    """One value of a table, and who says so."""

    value: T
    source: str


@dataclass(frozen=True)
class Limits:
    """How much there is; an absent limit is none."""

    cores: Fact[int] | None = None
    neurons: Fact[int] | None = None
    synapses: Fact[int] | None = None
    neurons_per_core: Fact[int] | None = None
    synapses_per_core: Fact[int] | None = None
    synapse_bits_per_core: Fact[int] | None = None
    input_axons_per_core: Fact[int] | None = None
    output_axons_per_core: Fact[int] | None = None
    fan_in: Fact[int] | None = None
    fan_out: Fact[int] | None = None


@dataclass(frozen=True)
class Mesh:
    """How the cores of one chip lie: tiles in rows and columns, messages go from tile to tile."""

    width: Fact[int] | None = None
    """tiles per row"""
    height: Fact[int] | None = None
    """tiles per column"""
    cores_per_tile: Fact[int] | None = None


@dataclass(frozen=True)
class Cores:
    """How layers come to cores."""

    split_layers: Fact[bool]
    """a layer may stand on several cores"""
    share_cores: Fact[bool]
    """several layers may stand on one core"""
    shared_kernels: Fact[bool]
    """a core stores a convolution's kernel once, not once per position"""
    bits_per_synapse: Fact[int] | None = None
    """memory of one weight, with whatever addresses it"""


@dataclass(frozen=True)
class Weights:
    """What a weight may be; without ``bits`` it is a floating-point number."""

    sign: Fact[Sign]
    bits: Fact[int] | None = None
    values_per_neuron: Fact[int] | None = None
    """distinct weights other than 0 that the synapses of one neuron may have"""


@dataclass(frozen=True)
class Precision:
    """Numbers inside a neuron."""

    float_state: Fact[bool]
    """potentials, thresholds and biases may be floating-point numbers"""
    threshold_bits: Fact[int] | None = None
    """of an unsigned mantissa"""
    bias_bits: Fact[int] | None = None
    """of a signed mantissa"""
    bias_exponent: Fact[int] | None = None
    """the mantissa may be shifted left by so many bits at most"""
    accumulator_bits: Fact[int] | None = None
    """of the signed sum of one step, in units of a weight"""


@dataclass(frozen=True)
class Signals:
    """What travels between neurons."""

    signed: Fact[bool]
    levels: Fact[int] | None
    """most quanta per event; absent: no limit"""
    codes: Fact[tuple[Code, ...]]


@dataclass(frozen=True)
class Time:
    """How steps and connections relate."""

    whole_sequence: Fact[bool]
    """ops that mix steps may run"""
    delay_per_connection: Fact[int]
    """steps from an event to its current, always there"""
    max_delay: Fact[int] | None = None
    """most steps of delay that a synapse may add"""


@dataclass(frozen=True)
class Host:
    """What the computer beside the target may do."""

    analog_input: Fact[AnalogInput]
    prefix: Fact[bool]
    """it may compute what comes first, and send events in"""
    suffix: Fact[bool]
    """it may compute what comes last, from events that come out"""
    read_potential: Fact[bool]
    """it may read potentials of accumulators that never fire"""


@dataclass(frozen=True)
class Operations:
    """What may stand between neurons."""

    allowed: Fact[tuple[type[Op], ...]]
    in_series: Fact[tuple[type[Op], ...]]
    """of these, what may stand in series with other weights, without neurons between"""


@dataclass(frozen=True)
class NeuronKind:
    """One class of neurons and the members of its options that the target has."""

    source: str
    options: Mapping[str, tuple[Enum, ...]]
    """by field; a field that is not named may be anything"""
    absent: tuple[str, ...] = ()
    """fields that must be left out"""
    compartments: Mapping[Reset, Fact[int]] = field(default_factory=dict)
    """what a neuron of that reset takes, where that is more than one compartment of a core; all
    but one pass their potential on, and the neuron's events come back to it by a synapse"""


@dataclass(frozen=True)
class Target:
    """A chip, a simulator or a format."""

    name: str
    about: str
    limits: Limits
    mesh: Mesh
    cores: Cores
    weights: Weights
    precision: Precision
    signals: Signals
    time: Time
    host: Host
    operations: Operations
    neurons: Mapping[type[Neuron], NeuronKind] = field(default_factory=dict)
    origin: str = ""
    """the file that it was read from"""


SECTIONS: Mapping[str, type] = {
    "limits": Limits,
    "mesh": Mesh,
    "cores": Cores,
    "weights": Weights,
    "precision": Precision,
    "signals": Signals,
    "time": Time,
    "host": Host,
    "operations": Operations,
}
"""the tables of a file, but for ``neurons``"""
