"""Recipes for networks that were trained spiking: they stay what they are, or are balanced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from spikec.pipeline.recipe import Recipe

CANONICAL = "split-time,fold-constants,fold-batchnorm,remove-dead,keep-reference"


@dataclass(frozen=True)
class TrainedRecipe(Recipe):
    """The network as it was trained, in canonical form."""

    name: ClassVar[str] = "trained"
    about: ClassVar[str] = "a network that was trained spiking, as it is"
    needs: ClassVar[str] = "the network's own neurons"

    def tail(self, steps: int) -> str:
        return ""

    def _canonical(self) -> str:
        return CANONICAL


@dataclass(frozen=True)
class BalancedTrainedRecipe(TrainedRecipe):
    """Thresholds by the currents that spikes cause, one layer after another; all else stays.

    So DCT-SNN comes of an analog network: its weights are copied into a spiking one, whose
    thresholds are balanced, and which is fine-tuned then.
    """

    p: float = 99.9
    alpha: float = 1.0
    per: str = "layer"
    over: str = "run"
    samples: int = 512

    name: ClassVar[str] = "balanced"
    about: ClassVar[str] = "a spiking network with thresholds from its own currents"

    def tail(self, steps: int) -> str:
        options = f"p={self.p},alpha={self.alpha},per={self.per},over={self.over}"
        return f"balance-thresholds{{{options},samples={self.samples}}}"


TRAINED: Mapping[str, type[Recipe]] = {
    recipe.name: recipe for recipe in (TrainedRecipe, BalancedTrainedRecipe)
}
