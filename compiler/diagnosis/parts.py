"""The parts of a layer's error: per element, and summed up over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
CAUSES = ("clipping", "quantisation", "unevenness", "inherited")


@dataclass(frozen=True)
class Answers:
    """What a layer should say, and what it says to what; all of one shape, in the same units."""

    activation: Numbers
    """a, of the analog network"""
    clipped: Numbers
    """a, brought between the least and the largest value that the layer can stand for"""
    even: Numbers
    """Q(z): the answer to the analog current z, evenly"""
    even_received: Numbers
    """Q(z̄): the answer to the mean z̄ of what really came, evenly"""
    decoded: Numbers
    """r: what was really sent"""

    def parts(self) -> dict[str, Numbers]:
        """Give r - a by cause; the four causes add up to it, element by element."""
        return {
            "clipping": self.clipped - self.activation,
            "quantisation": self.even - self.clipped,
            "unevenness": self.decoded - self.even_received,
            "inherited": self.even_received - self.even,
            "total": self.decoded - self.activation,
        }


@dataclass(frozen=True)
class Part:
    """One part of a layer's error; in units of the root mean square of its analog activations."""

    rms: float
    """root mean square"""
    mean: float
    """mean, with its sign: the bias"""


@dataclass(frozen=True)
class LayerDiagnosis:
    """Where the error of one layer comes from; the parts add up to the total, element by element.

    Of a layer that is silent in the analog network the parts are in its own units.
    """

    name: str
    activation: float
    """root mean square of the analog activations"""
    clipping: Part
    quantisation: Part
    unevenness: Part
    inherited: Part
    total: Part

    @property
    def largest(self) -> str:
        """The cause with the largest root mean square; none of a layer without error."""
        most = max(CAUSES, key=lambda cause: self.part(cause).rms)
        return most if self.part(most).rms > 0 else ""

    def part(self, name: str) -> Part:
        """Give a part by its name."""
        found: Part = getattr(self, name)
        return found


@dataclass(frozen=True)
class Diagnosis:
    """Where a program loses against its network, layer by layer."""

    samples: int
    steps: int
    layers: tuple[LayerDiagnosis, ...]
    omitted: Mapping[str, str]
    """layers of neurons that nothing could be said about, and why"""

    def to_json(self) -> dict[str, Any]:
        """Give all figures for machines."""
        layers = [{**asdict(layer), "largest": layer.largest} for layer in self.layers]
        return {**asdict(self), "layers": layers, "omitted": dict(self.omitted)}


@dataclass
class Sums:
    """Moments of the parts of one layer, over all blocks of samples."""

    count: int = 0
    activation: float = 0.0
    first: dict[str, float] = field(default_factory=dict)
    second: dict[str, float] = field(default_factory=dict)

    def add(self, answers: Answers) -> None:
        """Take in the elements of one block."""
        self.count += answers.activation.size
        self.activation += float(np.square(answers.activation).sum())
        for name, part in answers.parts().items():
            self.first[name] = self.first.get(name, 0.0) + float(part.sum())
            self.second[name] = self.second.get(name, 0.0) + float(np.square(part).sum())

    def result(self, name: str) -> LayerDiagnosis:
        """Give the layer's figures."""
        activation = float(np.sqrt(self.activation / self.count))
        unit = activation or 1.0
        parts = {}
        for part, square in self.second.items():
            mean = self.first[part] / self.count
            parts[part] = Part(float(np.sqrt(square / self.count)) / unit, mean / unit)
        return LayerDiagnosis(name, activation, **parts)
