"""What a recipe is: a named pipeline with options; and what all of them share."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from spikec.errors import UsageError
from spikec.ir import Graph

FOLDED = "fold-constants,fold-batchnorm,nearest-to-gather,split-activations"
FITTED = "calibrate-neurons{samples=1024,search=true,refit=true}"
"""weights and quantisers, or neurons of few steps, fitted to what reaches them"""


def tuned(epochs: int) -> str:
    """Give the pass that tunes a quantised network as a whole, with a comma in front."""
    return f",tune-quantised{{epochs={epochs}}}" if epochs else ""


def other(at: str) -> str:
    """Give the option of ``thresholds`` for levels of single activations, a comma in front."""
    return f",at={at}" if at else ""


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


def check_steps(steps: object) -> int:
    """Give the number of steps, or say what is wrong with it."""
    try:
        count = 0 if isinstance(steps, bool) else operator.index(steps)  # type: ignore[arg-type]
    except TypeError:  # NumPy's integers have an index, its longer arrays pretend to
        count = 0
    if not 1 <= count <= 100_000:
        raise UsageError(f"steps = {steps!r}", expected="a whole number from 1 to 100000")
    return count
