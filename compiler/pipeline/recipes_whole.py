"""Recipes of whole numbers: programs that equal their quantised networks bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spikec.errors import UsageError
from spikec.ir import Graph
from spikec.ir.ops import BipolarIF
from spikec.pipeline.base import check_option
from spikec.pipeline.recipe import FITTED, Recipe, Rounding, other, tuned


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
    at: str = ""
    """other levels of some activations, as for ``thresholds``"""

    name: ClassVar[str] = "lossless"
    about: ClassVar[str] = "equals its quantised network bit for bit once settled"
    needs: ClassVar[str] = "signed spikes of up to `burst` quanta, soft reset, a counter"
    functions: ClassVar[bool] = True

    def tail(self, steps: int) -> str:
        check_option(f"{self.name}.burst", self.burst, 1, 2**24)
        return (
            f"thresholds{{levels={self.levels}{other(self.at)}}},"
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
