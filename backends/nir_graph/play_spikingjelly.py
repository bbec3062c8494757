"""Runs NIR graphs with SpikingJelly: it fires at the threshold too, and resets as it is told."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.backends.nir_graph.players import Task, installed
from spikec.backends.nir_graph.telling import (
    AT_LEAST,
    SUBTRACT,
    comparison_of,
    firing_nodes,
    lacking,
    reset_of,
    start_of,
)

Numbers = NDArray[Any]
KINDS = {"Affine", "Conv1d", "Conv2d", "Flatten", "IF", "LIF", "SumPool2d"}


class SpikingJelly:
    """A model of its own ``import_from_nir``; resets and potentials are set as the metadata say."""

    name = "SpikingJelly"

    def version(self) -> str | None:
        """Give its version; None where it is not installed."""
        return installed("spikingjelly", "spikingjelly")

    def unfit(self, graph: Any, task: Task) -> str:
        """Refuse what its neurons do not do."""
        for name, node in firing_nodes(graph):
            if comparison_of(node) != AT_LEAST:
                return f"{name} fires above the threshold alone"
            if len(np.unique(node.v_threshold)) > 1 or len(np.unique(node.v_reset)) > 1:
                return f"{name} has neurons of different thresholds or resets"
            leak = getattr(node, "v_leak", np.zeros(1))
            rest = 0 if reset_of(node) == SUBTRACT else node.v_reset
            if not np.allclose(leak, rest):
                return f"{name} leaks towards another potential than it resets to"
            if hasattr(node, "tau") and len(np.unique(node.tau)) > 1:
                return f"{name} has neurons of different time constants"
        return lacking(graph, KINDS)

    def run(self, graph: Any, task: Task) -> dict[str, Numbers]:
        """Run it step by step, all samples at once."""
        import torch
        from spikingjelly.activation_based import neuron
        from spikingjelly.activation_based.nir_exchange import import_from_nir

        model = import_from_nir(graph, dt=task.dt)
        (x,) = (torch.from_numpy(np.ascontiguousarray(a)) for a in task.inputs.values())
        state: dict[str, Any] = dict.fromkeys(graph.nodes)
        rows: dict[str, list[Any]] = {name: [] for name in task.wanted}
        for name, node in firing_nodes(graph):
            (inner,) = (
                m for m in model.get_submodule(name).modules() if isinstance(m, neuron.BaseNode)
            )
            if reset_of(node) == SUBTRACT:
                inner.v_reset = None
            start = torch.from_numpy(start_of(node))
            state[name] = (start.expand(x.shape[1], *start.shape).clone(),)
        for name in task.neurons:
            model.get_submodule(name).register_forward_hook(
                lambda module, given, result, name=name: rows[name].append(result[0])
            )
        (output,) = task.outputs or ("",)
        with torch.no_grad():
            for step in x:
                result, state = model(step, state)
                if output:
                    rows[output].append(result)
        return {name: torch.stack(steps).numpy() for name, steps in rows.items()}
