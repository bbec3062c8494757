"""Places a program on a target's cores: the graph becomes a placed one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikec.errors import UnsupportedModel
from spikec.ir import Editor, Family, Graph, Stage
from spikec.ir.layout import folded
from spikec.pipeline import Context, Pass, first_of
from spikec.runtime import trace
from spikec.runtime.feed import bind_inputs, shown
from spikec.target import examine, layers_of, load_target, place
from spikec.target.placement import NOTE
from spikec.target.traffic import Events


@dataclass(frozen=True)
class PlaceCores(Pass):
    """Chooses a core for every neuron, and a place on the mesh for every core.

    The placement is a note of the graph.  Everything that the target cannot do is listed in one
    error.  With calibration data messages are those of measured events.
    """

    target: str
    samples: int = 16
    """calibration samples that are run to count events; 0: every neuron counts the same"""

    name: ClassVar[str] = "place-cores"

    def apply(self, edit: Editor, context: Context) -> None:
        target = load_target(self.target)
        found = examine(edit.graph, target)
        if not found.ok:
            raise UnsupportedModel(
                f"{edit.graph.name!r} cannot be placed on {target.name}",
                problems=[violation.problem for violation in found.violations],
            )
        layers = layers_of(edit.graph, set(found.partition.chip))
        events = self._events(edit.graph, context)
        edit.graph.notes[NOTE] = json.dumps(place(layers, target, events).to_json())
        edit.stage(Stage.PLACED)

    def _events(self, graph: Graph, context: Context) -> Events | None:
        """Give the mean number of events per step of each neuron."""
        if context.calibration is None or not self.samples:
            return None
        samples = first_of(graph, context.calibration, self.samples)
        inputs = shown(graph, samples, context.steps)
        neurons = [node for node in graph if node.op.family is Family.NEURON]
        names = [node.name for node in neurons]
        seen = trace(graph, inputs, "layerwise", record=names, steps=context.steps)
        sizes = bind_inputs(graph, inputs, context.steps, "float32").sizes
        return {
            node.name: np.asarray(
                (folded(seen.values[node.name], node.outputs[0].type, sizes) != 0).mean((0, 1))
            )
            for node in neurons
            if node.outputs[0].type.is_spikes
        }
