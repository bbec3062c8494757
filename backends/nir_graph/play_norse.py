"""Runs NIR graphs with norse: it fires above the threshold alone, and has a reset for each need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.backends.nir_graph.neurons import ENDLESS
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
KINDS = {"Affine", "Conv2d", "CubaLIF", "Flatten", "IF", "LIF", "SumPool2d"}


class Norse:
    """A module of its own ``from_nir``, with neurons of one class, whose reset can be chosen."""

    name = "norse"

    def version(self) -> str | None:
        """Give its version; None where it is not installed."""
        return installed("norse", "norse")

    def unfit(self, graph: Any, task: Task) -> str:
        """Refuse what it has no modules for."""
        return lacking(graph, KINDS) or _late(graph, _model(graph, task.dt))

    def run(self, graph: Any, task: Task) -> dict[str, Numbers]:
        """Run one sample after the other: its Flatten takes in the batch."""
        import torch
        from nirtorch.graph_executor import GraphExecutorState

        model = _model(graph, task.dt)
        start = {}
        for name, node in firing_nodes(graph):
            cuba = model.get_submodule(name)
            lif, synapse = cuba.lif, cuba.synapse
            # norse lets the synapse leak to v_leak as well; in NIR it leaks to 0
            synapse.p = synapse.p._replace(v_leak=torch.zeros(()))
            lif.p = _parameters(lif.p, node)
            start[name] = ((None, _state(lif, torch.from_numpy(start_of(node)))),)
        (samples,) = (torch.from_numpy(np.ascontiguousarray(a)) for a in task.inputs.values())
        kept: dict[str, list[Any]] = {name: [] for name in task.wanted}
        with torch.no_grad():
            for sample in samples.unbind(1):
                state = GraphExecutorState(state=dict(start))
                rows = []
                for step in sample:
                    _, state = model(step[None], state)
                    rows.append(state.cache)
                for name, found in kept.items():
                    found.append(torch.stack([row[name].reshape(-1) for row in rows]))
        return {name: torch.stack(found, 1).numpy() for name, found in kept.items()}


def _model(graph: Any, dt: float) -> Any:
    import nir
    import norse.torch

    nodes = {name: _as_cuba(nir, node, dt) for name, node in graph.nodes.items()}
    return norse.torch.from_nir(nir.NIRGraph(nodes, graph.edges), dt=dt)


def _late(graph: Any, model: Any) -> str:
    """Say where it would take a value of the step before: of paths that meet, it takes the shortest
    first, and what is not there yet is to it a recurrence.
    """
    place = {node.name: number for number, node in enumerate(model.execution_order)}
    late = [(a, b) for a, b in graph.edges if a in place and b in place and place[a] > place[b]]
    return f"the edge {late[0][0]} -> {late[0][1]} would be a step late" if late else ""


def _as_cuba(nir: Any, node: Any, dt: float) -> Any:
    """Write a neuron as the class for which norse reads r, and whose reset can be chosen."""
    if type(node).__name__ not in ("IF", "LIF"):
        return node
    full = np.full_like(np.asarray(node.v_threshold, np.float64), dt)
    forgets = hasattr(node, "tau")
    return nir.CubaLIF(
        tau_syn=full,
        tau_mem=np.asarray(node.tau) if forgets else full * ENDLESS,
        r=np.asarray(node.r) if forgets else np.asarray(node.r) * dt * ENDLESS,
        v_leak=node.v_leak if forgets else full * 0,
        v_threshold=node.v_threshold,
        v_reset=node.v_reset,
        w_in=np.ones_like(full),
        metadata=node.metadata,
    )


def _parameters(p: Any, node: Any) -> Any:
    """Set reset and comparison: v >= θ is v > the number below θ."""
    import torch

    threshold = torch.from_numpy(np.asarray(node.v_threshold, np.float32))
    changed: dict[str, Any] = {"v_reset": torch.from_numpy(np.asarray(node.v_reset, np.float32))}
    if reset_of(node) == SUBTRACT:
        changed["reset_method"] = _subtract(threshold)
    if comparison_of(node) == AT_LEAST:
        changed["v_th"] = torch.nextafter(threshold, torch.full_like(threshold, -torch.inf))
    return p._replace(**changed)


def _subtract(threshold: Any) -> Callable[[Any, Any, Any, Any], Any]:
    return lambda z, v, reset, th: v - z * threshold


def _state(lif: Any, start: Any) -> Any:
    """Give the state before the first step."""
    return type(lif.initial_state(start))(v=start)
