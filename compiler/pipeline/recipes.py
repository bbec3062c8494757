"""Recipes: named pipelines, with the options that a user may turn."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from spikec.errors import UsageError
from spikec.ir import Graph
from spikec.ir.ops import PhasedFire

CANONICAL = (
    "fold-constants,fold-batchnorm,split-activations,pool-before-activation,"
    "remove-dead,check-convertible,keep-reference"
)
FITTED = "calibrate-neurons{samples=1024,search=true}"
"""quantisers fitted to the network's own activations: one forward pass per layer and candidate"""


@dataclass(frozen=True)
class Recipe(ABC):
    """A way to make a network spiking; its fields are its options."""

    name: ClassVar[str]
    about: ClassVar[str]
    needs: ClassVar[str]
    """what a target must be able to do"""

    @abstractmethod
    def tail(self, steps: int) -> str:
        """Give the passes behind the canonical form."""

    def pipeline(self, steps: int) -> str:
        """Give the whole pipeline as text."""
        return f"{CANONICAL},{self.tail(steps)},remove-dead"

    def program_steps(self, graph: Graph, steps: int) -> int:
        """Give the steps that the whole program takes."""
        return steps


@dataclass(frozen=True)
class PercentileRecipe(Recipe):
    """The classic: thresholds at a percentile of the activations, one per layer."""

    p: float = 99.9
    per: str = "layer"
    v0: float = 0.0

    name: ClassVar[str] = "percentile"
    about: ClassVar[str] = "the classic baseline: 99.9 percentile of each layer's activations"
    needs: ClassVar[str] = "binary spikes, soft reset"

    def tail(self, steps: int) -> str:
        return (
            f"thresholds{{levels={steps},rule=percentile,p={self.p},per={self.per}}},"
            f"spike-rate{{v0={self.v0}}}"
        )


@dataclass(frozen=True)
class RateRecipe(Recipe):
    """Binary spikes, one per step at most; everything is fitted to the number of steps."""

    samples: int = 192
    rounds: int = 2

    name: ClassVar[str] = "rate"
    about: ClassVar[str] = "strictly binary spikes, thresholds and biases fitted to the steps"
    needs: ClassVar[str] = "binary spikes, soft reset, initial potential"

    def tail(self, steps: int) -> str:
        fit = f"samples={self.samples},rounds={self.rounds},search=true"
        return f"thresholds{{levels={steps}}},spike-rate,calibrate-neurons{{{fit}}}"


@dataclass(frozen=True)
class SignedRecipe(Recipe):
    """As ``rate``, with negative spikes that take wrong ones back."""

    samples: int = 192
    rounds: int = 2

    name: ClassVar[str] = "signed"
    about: ClassVar[str] = "spikes of +1 and -1: wrong events are taken back"
    needs: ClassVar[str] = "a sign bit per spike, soft reset, initial potential, a counter"

    def tail(self, steps: int) -> str:
        fit = f"samples={self.samples},rounds={self.rounds}"
        return f"thresholds{{levels={steps}}},spike-rate{{signed=true}},calibrate-neurons{{{fit}}}"


@dataclass(frozen=True)
class PhasedRecipe(Recipe):
    """Each layer fires in its own window: exactly the quantised network, in binary spikes."""

    name: ClassVar[str] = "phased"
    about: ClassVar[str] = "a window of T steps per layer: equals the T-level quantised network"
    needs: ClassVar[str] = "binary spikes, soft reset, layers that know their window"

    def tail(self, steps: int) -> str:
        return f"thresholds{{levels={steps}}},{FITTED},spike-phased{{window={steps}}}"

    def program_steps(self, graph: Graph, steps: int) -> int:
        return steps * (1 + _depth(graph))


@dataclass(frozen=True)
class GradedRecipe(Recipe):
    """Several power-of-two thresholds per step: near lossless in 2 to 4 steps."""

    n: int = 4

    name: ClassVar[str] = "graded"
    about: ClassVar[str] = "n bits per graded spike, near lossless in 2 to 4 steps"
    needs: ClassVar[str] = "graded spikes of n bits"

    def tail(self, steps: int) -> str:
        levels = (2**self.n - 1) * steps
        return f"thresholds{{levels={levels}}},{FITTED},spike-graded{{n={self.n}}}"


@dataclass(frozen=True)
class LosslessRecipe(Recipe):
    """A whole-number network with L levels, and neurons that settle on exactly its values."""

    levels: int = 15
    burst: int = 7
    bits: int = 8

    name: ClassVar[str] = "lossless"
    about: ClassVar[str] = "equals its quantised network bit for bit once settled"
    needs: ClassVar[str] = "signed spikes of up to `burst` quanta, soft reset, a counter"

    def tail(self, steps: int) -> str:
        return (
            f"thresholds{{levels={self.levels}}},{FITTED},"
            f"whole-numbers{{bits={self.bits}}},fold-constants,"
            f"spike-sum{{levels={self.burst}}}"
        )


def _depth(graph: Graph) -> int:
    """Give the most layers of windowed neurons on a path."""
    depth: dict[str, int] = {}
    for node in graph:
        before = max((depth[value.producer.name] for value in node.inputs), default=0)
        depth[node.name] = before + isinstance(node.op, PhasedFire)
    return max(depth.values(), default=0)


def check_steps(steps: object) -> int:
    """Give the number of steps, or say what is wrong with it."""
    whole = hasattr(steps, "__index__") and not isinstance(steps, bool)  # NumPy's integers too
    count = operator.index(steps) if whole else 0  # type: ignore[arg-type]  # has been asked
    if not 1 <= count <= 100_000:
        raise UsageError(f"steps = {steps!r}", expected="a whole number from 1 to 100000")
    return count


RECIPES: Mapping[str, type[Recipe]] = {
    recipe.name: recipe
    for recipe in (
        PercentileRecipe,
        RateRecipe,
        SignedRecipe,
        PhasedRecipe,
        LosslessRecipe,
        GradedRecipe,
    )
}
