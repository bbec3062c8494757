"""Recipes: named pipelines, with the options that a user may turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from spikec.ir import Graph
from spikec.ir.ops import FewSpikes, PhasedFire
from spikec.pipeline.base import check_option
from spikec.pipeline.recipe import FITTED, Recipe, other, tuned
from spikec.pipeline.recipes_whole import LosslessRecipe, SigmaDeltaRecipe

FEW_STEPS = 4
"""up to which thresholds are searched; later, smaller ones only cost events"""


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
    fission: float = 1.0
    """as many neurons as before, times this: where they err most, small populations take their
    place"""

    name: ClassVar[str] = "rate"
    about: ClassVar[str] = "strictly binary spikes, thresholds and biases fitted to the steps"
    needs: ClassVar[str] = "binary spikes, soft reset, initial potential"

    def tail(self, steps: int) -> str:
        fit = f"samples={self.samples},rounds={self.rounds},search=true,refit=true"
        late = ",delay-readout" if self.delay_readout else ""
        scales = f"levels={steps},samples={self.samples}"
        check_option(f"{self.name}.fission", self.fission, 1, 64)
        form = split = ""
        if self.fission > 1:
            form = f"form-populations{{budget={self.fission}}},"
            split = ",split-populations"
        return f"thresholds{{{scales}}},spike-rate,{form}calibrate-neurons{{{fit}}}{late}{split}"


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
class QuantisedRecipe(Recipe):
    """The clip-floor network (QCFS), without a spike: y = s clip(floor(x/s + 1/2), 0, L).

    Fine-tuned, and converted by ``phased`` of L steps, it is what that program equals.  How many
    steps are asked for plays no part.
    """

    levels: int = 8
    """L, of every activation"""

    name: ClassVar[str] = "quantised"
    about: ClassVar[str] = (
        "no spikes: the network with L levels, to be fine-tuned before conversion"
    )
    needs: ClassVar[str] = "nothing but arithmetic"

    def tail(self, steps: int) -> str:
        check_option(f"{self.name}.levels", self.levels, 1, 2**16)
        return f"thresholds{{levels={self.levels}}},{FITTED}"


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
    at: str = ""
    """other levels of some activations, as for ``thresholds``: (2^m - 1) T of m bits"""

    name: ClassVar[str] = "graded"
    about: ClassVar[str] = "n bits per graded spike, near lossless in 2 to 4 steps"
    needs: ClassVar[str] = "graded spikes of n bits"

    def tail(self, steps: int) -> str:
        check_option(f"{self.name}.n", self.n, 1, 16)
        levels = (2**self.n - 1) * steps
        return f"thresholds{{levels={levels}{other(self.at)}}},spike-graded{{n={self.n}}},{FITTED}"


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


def _depth(graph: Graph) -> int:
    """Give the most layers of windowed neurons on a path."""
    depth: dict[str, int] = {}
    for node in graph:
        before = max((depth[value.producer.name] for value in node.inputs), default=0)
        depth[node.name] = before + isinstance(node.op, PhasedFire | FewSpikes)
    return max(depth.values(), default=0)


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
        QuantisedRecipe,
    )
}
