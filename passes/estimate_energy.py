"""Writes onto every node what it does for a sample, and what that takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikec.energy.annotation import annotate
from spikec.energy.catalog import DEFAULT, load_profile
from spikec.energy.count import count_static
from spikec.energy.estimate import estimate
from spikec.energy.measure import Measured, count_samples, counter_of
from spikec.energy.twin import analog_twin
from spikec.errors import UsageError
from spikec.ir import Editor
from spikec.pipeline import Context, Pass, check_option, first_of


@dataclass(frozen=True)
class EstimateEnergy(Pass):
    """Runs calibration samples, counts what each node does, and prices it.

    The note (``spikec.energy.annotation``) holds means over the samples: counts, and pJ by the
    profile.  Nothing else changes; a pass behind this one that changes the graph voids the note.
    """

    profile: str = DEFAULT
    samples: int = 256
    """calibration samples that are run"""

    name: ClassVar[str] = "estimate-energy"

    def __post_init__(self) -> None:
        check_option(f"{self.name}.samples", self.samples, 1, 10**9)

    def apply(self, edit: Editor, context: Context) -> None:
        prices = load_profile(self.profile)
        if context.calibration is None or context.reference is None:
            raise UsageError(
                f"{self.name} needs calibration data and the analog network",
                remedy="give calibration=data, and put keep-reference in front of the thresholds",
            )
        graph = edit.graph
        inputs = first_of(graph, context.calibration, self.samples)
        counter = counter_of(graph, context.steps)
        count_samples(counter, inputs)
        reference = count_static(analog_twin(context.reference), counter.steps)
        found = Measured(graph, "", context.steps, counter.samples, counter.result(), reference)
        annotate(graph, estimate(found, prices))
