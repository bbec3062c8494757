"""Recipes: named pipelines, with the options that a user may turn."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from spikec.errors import UsageError
from spikec.ir import Graph
from spikec.ir.ops import BipolarIF, FewSpikes, PhasedFire
from spikec.pipeline.base import check_option

FOLDED = "fold-constants,fold-batchnorm,nearest-to-gather,split-activations"
FITTED = "calibrate-neurons{samples=1024,search=true,refit=true}"
"""weights and quantisers, or neurons of few steps, fitted to what reaches them"""

FEW_STEPS = 4
"""up to which thresholds are searched; later, smaller ones only cost events"""


def tuned(epochs: int) -> str:
    """Give the pass that tunes a quantised network as a whole, with a comma in front."""
    return f",tune-quantised{{epochs={epochs}}}" if epochs else ""


@dataclass(frozen=True)
class Rounding:
    """Which numbers of a program become whole, whatever the recipe."""

    weight_bits: int | None = None
    """bits of a weight; thresholds and biases come to the same grid"""
    input_bits: int | None = None
    """bits of an analog input"""
    weight_options: str = ""
    """further options of the pass whole-weights: ``per=layer,sign=mixed-even``"""

    def __post_init__(self) -> None:
        if self.weight_options and self.weight_bits is None:
            raise UsageError(
                f"weights with {self.weight_options}, but of no number of bits",
                remedy="--weight-bits 8 (weight_bits=8)",
            )

    @property
    def entrance(self) -> str:
        """The pass that rounds inputs, in front of all that is fitted to them."""
        return "" if self.input_bits is None else f"quantise-input{{bits={self.input_bits}}}"

    @property
    def weights(self) -> str:
        """The pass that rounds weights."""
        more = f",{self.weight_options}" if self.weight_options else ""
        bits = self.weight_bits
        return "" if bits is None else f"whole-weights{{bits={bits}{more}}}"


@dataclass(frozen=True)
class Recipe(ABC):
    """A way to make a network spiking; its fields are its options."""

    average_pools: bool = False
    """average pools in the place of max-pools: another network, compared with the given one"""

    name: ClassVar[str]
    about: ClassVar[str]
    needs: ClassVar[str]
    """what a target must be able to do"""
    gates: ClassVar[bool] = True
    """whether the code carries products of two values, and sigmoids in front of them"""
    functions: ClassVar[bool] = False
    """whether it carries any function of values: attention, normalisation, smooth activations"""
    bounded: ClassVar[bool] = True
    """whether no neuron sends more than its full scale, so that one can be the bound of a Clip"""

    @abstractmethod
    def tail(self, steps: int) -> str:
        """Give the passes behind the canonical form."""

    def pipeline(self, steps: int, rounding: Rounding | None = None) -> str:
        """Give the whole pipeline as text."""
        rounding = rounding or Rounding()
        passes = (
            self._canonical(),
            rounding.entrance,
            self.tail(steps),
            self.rounded(rounding),
            "remove-dead",
        )
        return ",".join(filter(None, passes))

    def rounded(self, rounding: Rounding) -> str:
        """Give the pass that rounds weights, behind all the others."""
        return rounding.weights

    def _canonical(self) -> str:
        check = "check-convertible" if self.gates else "check-convertible{gates=false}"
        check = "check-convertible{functions=true}" if self.functions else check
        kept = f"remove-dead,{check},keep-reference"
        folded = FOLDED if self.bounded else f"{FOLDED},clip-before-activation"
        if self.average_pools:  # what is kept has its maxima, where it had them
            return f"{folded},{kept},average-pools"
        return f"{folded},pool-before-activation,{kept}"

    def program_steps(self, graph: Graph, steps: int) -> int:
        """Give the steps that the whole program takes."""
        return steps

    def settled_by(self, graph: Graph, steps: int) -> int:
        """Give a step by which the outputs have certainly come to rest."""
        return self.program_steps(graph, steps)


@dataclass(frozen=True)
class PercentileRecipe(Recipe):
    """The classic: thresholds at a percentile of the activations, one per layer.

    Other threshold rules give other baselines: ``rule=max``, ``rule=ltb,per=channel,v0=0.5``, or
    ``rule=ti,source=batchnorm``, which needs no calibration data.
    """

    p: float = 99.9
    per: str = "layer"
    v0: float = 0.0
    rule: str = "percentile"
    source: str = "data"

    name: ClassVar[str] = "percentile"
    about: ClassVar[str] = "the classic baseline: 99.9 percentile of each layer's activations"
    needs: ClassVar[str] = "binary spikes, soft reset"

    def tail(self, steps: int) -> str:
        rule = f"rule={self.rule},p={self.p},per={self.per},source={self.source}"
        return f"thresholds{{levels={steps},{rule}}},spike-rate{{v0={self.v0}}}"


@dataclass(frozen=True)
class BalancedRecipe(Recipe):
    """Thresholds by the currents that spikes cause, one layer after another."""

    p: float = 99.9
    alpha: float = 1.0
    per: str = "layer"
    over: str = "step"
    samples: int = 512
    leak: float = 1.0
    reset: str = "soft"
    delay: bool = False
    v0: float = 0.0

    name: ClassVar[str] = "balanced"
    about: ClassVar[str] = "thresholds from spiking currents, layer by layer: to be fine-tuned"
    needs: ClassVar[str] = "binary spikes, soft or hard reset, leak where leak < 1"

    def tail(self, steps: int) -> str:
        delay = str(self.delay).lower()
        model = f"leak={self.leak},reset={self.reset},delay={delay}"
        balance = f"p={self.p},alpha={self.alpha},per={self.per},over={self.over}"
        return (
            f"thresholds{{levels={steps},rule=max,per={self.per}}},spike-rate{{v0={self.v0}}},"
            f"neuron-model{{{model}}},balance-thresholds{{{balance},samples={self.samples}}}"
        )


@dataclass(frozen=True)
class RateRecipe(Recipe):
    """Binary spikes, one per step at most; everything is fitted to the number of steps."""

    samples: int = 256
    rounds: int = 2
    delay_readout: bool = False
    """let delay-readout choose the first step that is read"""

    name: ClassVar[str] = "rate"
    about: ClassVar[str] = "strictly binary spikes, thresholds and biases fitted to the steps"
    needs: ClassVar[str] = "binary spikes, soft reset, initial potential"

    def tail(self, steps: int) -> str:
        fit = f"samples={self.samples},rounds={self.rounds},search=true,refit=true"
        late = ",delay-readout" if self.delay_readout else ""
        scales = f"levels={steps},samples={self.samples}"
        return f"thresholds{{{scales}}},spike-rate,calibrate-neurons{{{fit}}}{late}"


@dataclass(frozen=True)
class SignedRecipe(Recipe):
    """As ``rate``, with negative spikes that take wrong ones back."""

    samples: int = 256
    rounds: int = 2

    name: ClassVar[str] = "signed"
    about: ClassVar[str] = "spikes of +1 and -1: wrong events are taken back"
    needs: ClassVar[str] = "a sign bit per spike, soft reset, initial potential, a counter"

    def tail(self, steps: int) -> str:
        fit = f"samples={self.samples},rounds={self.rounds},refit=true"
        scales = f"levels={steps},samples={self.samples}"
        return f"thresholds{{{scales}}},spike-rate{{signed=true}},calibrate-neurons{{{fit}}}"


@dataclass(frozen=True)
class PhasedRecipe(Recipe):
    """Each layer fires in its own window: exactly the quantised network, in binary spikes."""

    tune: int = 24
    """epochs in which all layers of the quantised network are fitted together; 0: none"""

    name: ClassVar[str] = "phased"
    about: ClassVar[str] = "a window of T steps per layer: equals the T-level quantised network"
    needs: ClassVar[str] = "binary spikes, soft reset, layers that know their window"

    def tail(self, steps: int) -> str:
        fitted = f"{FITTED}{tuned(self.tune)}"
        return f"thresholds{{levels={steps}}},{fitted},spike-phased{{window={steps}}}"

    def program_steps(self, graph: Graph, steps: int) -> int:
        return steps * (1 + _depth(graph))


@dataclass(frozen=True)
class FewSpikesRecipe(Recipe):
    """As ``phased``, but K steps say 2^K - 1 levels; how many steps are asked for plays no part."""

    bits: int = 6
    """K, the steps of a window and the binary digits of an activation"""
    tune: int = 0
    """as for ``phased``"""

    name: ClassVar[str] = "few-spikes"
    about: ClassVar[str] = "a window of K steps per layer sends K binary digits"
    needs: ClassVar[str] = "binary spikes, layers that know their window and double what they hold"

    def tail(self, steps: int) -> str:
        check_option(f"{self.name}.bits", self.bits, 1, 16)
        fitted = f"{FITTED}{tuned(self.tune)}"
        scales = f"thresholds{{levels={2**self.bits - 1}}}"
        return f"{scales},{fitted},short-steps,spike-few{{bits={self.bits}}}"

    def program_steps(self, graph: Graph, steps: int) -> int:
        return self.bits * (1 + _depth(graph))


@dataclass(frozen=True)
class GradedRecipe(Recipe):
    """Several power-of-two thresholds per step: near lossless in 2 to 4 steps."""

    n: int = 4

    name: ClassVar[str] = "graded"
    about: ClassVar[str] = "n bits per graded spike, near lossless in 2 to 4 steps"
    needs: ClassVar[str] = "graded spikes of n bits"

    def tail(self, steps: int) -> str:
        check_option(f"{self.name}.n", self.n, 1, 16)
        levels = (2**self.n - 1) * steps
        return f"thresholds{{levels={levels}}},spike-graded{{n={self.n}}},{FITTED}"


@dataclass(frozen=True)
class DifferentialRecipe(Recipe):
    """Events correct a decoded mean; any function of values may stand between the neurons."""

    n: int = 4
    """levels of each sign, θ to θ/2^(n-1), of neurons behind ReLU"""
    signed: int = 8
    """those of neurons in front of weights and products that read signed values"""
    rule: str = "ti"
    """how θ is found, as for ``thresholds``"""

    name: ClassVar[str] = "differential"
    about: ClassVar[str] = "corrections of a decoded mean: few events at T=8; transformers"
    needs: ClassVar[str] = "signed events of n powers of two, division by the step, a float state"
    functions: ClassVar[bool] = True
    bounded: ClassVar[bool] = False

    def tail(self, steps: int) -> str:
        check_option(f"{self.name}.signed", self.signed, 1, 16)
        search = str(steps <= FEW_STEPS).lower()
        return (
            f"thresholds{{levels=64,rule={self.rule}}},"
            f"quantise-operands{{levels={max(2 ** (self.signed - 1) - 1, 1)}}},"
            f"spike-differential{{n={self.n},signed={self.signed}}},"
            f"calibrate-neurons{{samples=1024,search={search},refit=true}}"
        )


@dataclass(frozen=True)
class LosslessRecipe(Recipe):
    """A whole-number network with L levels, and neurons that settle on exactly its values."""

    levels: int = 15
    burst: int = 7
    bits: int = 8
    between: int = 15
    """levels of each sign of currents between weights, where there is no activation"""
    operands: int = 127
    """levels of each sign of what functions give to weights and products: those that take part in
    the ``burst`` by their number"""
    tune: int = 0
    """as for ``phased``: minutes, for little where there are 15 levels"""

    name: ClassVar[str] = "lossless"
    about: ClassVar[str] = "equals its quantised network bit for bit once settled"
    needs: ClassVar[str] = "signed spikes of up to `burst` quanta, soft reset, a counter"
    functions: ClassVar[bool] = True

    def tail(self, steps: int) -> str:
        check_option(f"{self.name}.burst", self.burst, 1, 2**24)
        return (
            f"thresholds{{levels={self.levels}}},"
            f"quantise-operands{{levels={self.operands},whole=true}},"
            f"quantise-between-weights{{levels={self.between},bits={self.bits}}},"
            f"{FITTED}{tuned(self.tune)},"
            f"whole-numbers{{bits={self.bits}}},fold-constants,"
            f"spike-sum{{levels={self.burst},within={-(-self.levels // self.burst)}}}"
        )

    def rounded(self, rounding: Rounding) -> str:
        """Weights are whole already, of ``bits`` bits."""
        return whole_already(self.name, self.bits, rounding)

    def settled_by(self, graph: Graph, steps: int) -> int:
        """Each layer has come to rest one way or another through all of its levels."""
        spans = [n.op.high - n.op.low for n in graph if isinstance(n.op, BipolarIF)]
        return max(steps, max(spans, default=0) * (len(spans) + 1))


@dataclass(frozen=True)
class SigmaDeltaRecipe(Recipe):
    """Sequences of frames through a whole-number network: work goes with what changes in them."""

    levels: int = 127
    """of an activation, and of each sign of all other values that weights read"""
    bits: int = 8
    """of a weight, and of an input unless ``--input-bits`` says so"""
    deadband: int = 1
    """smallest change that is sent, in quanta; above 1 outputs are near the quantised network's"""

    name: ClassVar[str] = "sigma-delta"
    about: ClassVar[str] = "frame after frame, changes alone are sent: equals its quantised network"
    needs: ClassVar[str] = "graded signed events, neurons that sum up changes"
    functions: ClassVar[bool] = True

    def pipeline(self, steps: int, rounding: Rounding | None = None) -> str:
        rounding = rounding or Rounding()
        bits = rounding.input_bits or self.bits
        return super().pipeline(steps, replace(rounding, input_bits=bits))

    def tail(self, steps: int) -> str:
        others = f"levels={self.levels}"
        return (
            f"thresholds{{levels={self.levels}}},quantise-operands{{{others},whole=true}},"
            f"quantise-between-weights{{{others},bits={self.bits}}},{FITTED},"
            f"whole-numbers{{bits={self.bits}}},fold-constants,"
            f"spike-delta{{deadband={self.deadband}}}"
        )

    def rounded(self, rounding: Rounding) -> str:
        """Weights are whole already, of ``bits`` bits."""
        return whole_already(self.name, self.bits, rounding)


def whole_already(name: str, own: int, rounding: Rounding) -> str:
    """Refuse weights of other bits than those that a recipe has given them, and give no pass."""
    bits = rounding.weight_bits
    if bits not in (None, own):
        raise UsageError(
            f"weights of {bits} bits, with recipe {name}",
            expected=f"those of the recipe, {own}",
            remedy=f"recipe={name}{{bits={bits}}}",
        )
    if rounding.weight_options:
        raise UsageError(
            f"weights with {rounding.weight_options}, with recipe {name}",
            expected=f"the options of the recipe: {name}{{bits=...}}",
            remedy="leave them out, or use another recipe",
        )
    return ""


def _depth(graph: Graph) -> int:
    """Give the most layers of windowed neurons on a path."""
    depth: dict[str, int] = {}
    for node in graph:
        before = max((depth[value.producer.name] for value in node.inputs), default=0)
        depth[node.name] = before + isinstance(node.op, PhasedFire | FewSpikes)
    return max(depth.values(), default=0)


def check_steps(steps: object) -> int:
    """Give the number of steps, or say what is wrong with it."""
    try:
        count = 0 if isinstance(steps, bool) else operator.index(steps)  # type: ignore[arg-type]
    except TypeError:  # NumPy's integers have an index, its longer arrays pretend to
        count = 0
    if not 1 <= count <= 100_000:
        raise UsageError(f"steps = {steps!r}", expected="a whole number from 1 to 100000")
    return count


RECIPES: Mapping[str, type[Recipe]] = {
    recipe.name: recipe
    for recipe in (
        PercentileRecipe,
        BalancedRecipe,
        RateRecipe,
        SignedRecipe,
        PhasedRecipe,
        FewSpikesRecipe,
        LosslessRecipe,
        GradedRecipe,
        DifferentialRecipe,
        SigmaDeltaRecipe,
    )
}
