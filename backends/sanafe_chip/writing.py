"""Writes what a chip is given, and the script that runs it, into a folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikec.artifact import Deployable
from spikec.backends.sanafe_chip.chips import CHIPS, LOIHI, Chip, architecture
from spikec.backends.sanafe_chip.network import Group, Kind, Network, network_of, port_of
from spikec.errors import Problem, UnsupportedModel, UsageError
from spikec.ir import Graph, Stage, store
from spikec.pipeline.host import before, behind
from spikec.target import Examination, Placement, Rule, examine, load_target, placement_of
from spikec.target.edges import Edges

SCRIPT = "run_sanafe.py"
PLAN, ARRAYS, ARCHITECTURE, HOST = "network.json", "network.npz", "chip.yaml", "host.spk"
BEFORE, BEHIND = "before", "behind"
EDGE = 1500
"""bytes of memory that SANA-FE 2.2.9 takes for a synapse, measured on 2.3 million of them"""
COMPARTMENTS = 1024
"""neurons of one core whose sums SANA-FE 2.2.9 can hold"""
GIB = 2**30

README = """\
# {name} on a simulated {chip} chip

Written by spikec {version}: {steps} steps, {neurons} neurons, {edges} synapses on {cores} cores.
Needs `sanafe` (GPL-3, run as a program of its own) and NumPy:

    python {script} JOB.npz RESULTS.npz

- `chip.yaml`: the chip, with the sources of its energies and latencies.
- `network.json`, `network.npz`: groups of neurons, their cores, the links between them.
- `host.spk`: the program, and what of it the host computes before and behind the chip.

A JOB holds `samples`, `KEY.events` [samples, steps, neurons] for the events that the host sends,
and `KEY.current` for the currents that it gives. RESULTS hold events and potentials by group,
energies in J and latencies in s of each step. The command
`spikec verify PROGRAM.spk --on sanafe_chip --artifact .` makes the one and reads the other.
"""


def write(
    source: Deployable, folder: Path, *, chip: str | None, memory: float | None
) -> Mapping[str, Any]:
    """Write all files; give the manifest's own part."""
    placement = _placement(source.graph)
    simulated = _chip(chip, placement)
    found = _checked(source.graph, simulated, placement)
    synapses = sum(layer.synapses for layer in found.resources.layers)
    check_memory(synapses, memory)
    network = network_of(source.graph, found.partition, placement, source.steps)
    _check_bounds(network, simulated)
    per_core = np.bincount(np.concatenate([g.core for g in _on_cores(network)])).max(initial=1)
    text = architecture(simulated, placement.mesh, int(per_core), network.inputs)
    (folder / ARCHITECTURE).write_text(text, "utf-8")
    _write_network(network, simulated, placement, folder)
    _write_host(source.graph, found, folder)
    shutil.copyfile(Path(__file__).with_name(SCRIPT), folder / SCRIPT)
    (folder / "README.md").write_text(_readme(source, simulated, network, placement), "utf-8")
    return {
        "ways": [simulated.name],
        "placement": placement.to_json(),
        "synapses": network.edges,
        "latency": network.depth,
        "outputs": [node.name for node in source.graph.outputs],
        "sources": {"chip": simulated.about},
    }


def _placement(graph: Graph) -> Placement:
    placement = placement_of(graph)
    if graph.stage is not Stage.PLACED or placement is None:
        raise UsageError(
            f"{graph.name!r} is placed on no chip",
            expected="a placed program",
            remedy="spikec lower PROGRAM.spk --target sanafe-loihi -o PLACED.spk",
        )
    return placement


def _chip(name: str | None, placement: Placement) -> Chip:
    if name is None:
        return next((c for c in CHIPS.values() if c.target == placement.target), LOIHI)
    if name not in CHIPS:
        raise UsageError(f"no chip is called {name!r}", expected=", ".join(CHIPS))
    return CHIPS[name]


def _checked(graph: Graph, chip: Chip, placement: Placement) -> Examination:
    """Refuse what the simulated chip cannot do; how much there is of it is the placement's."""
    target = load_target(chip.target)
    found = examine(graph, target)
    sizes = (Rule.CAPACITY, Rule.FAN_IN, Rule.FAN_OUT)
    problems = [v.problem for v in found.violations if v.rule not in sizes]
    layers = [layer.name for layer in found.resources.layers]
    shapes = {layer.name: layer.shape for layer in found.resources.layers}
    for name in layers:
        if placement.cores_of(name, shapes[name]).min(initial=0) < 0:
            what = "neurons without a core in the placement"
            remedy = f"place the program for this chip: --target {chip.target}"
            problems.append(Problem(what, f"%{name}", remedy=remedy))
    if problems:
        other = placement.target != chip.target
        raise UnsupportedModel(
            f"SANA-FE's {chip.name} cannot run {graph.name!r}",
            remedy=f"it is placed on {placement.target}; lower it anew: --target {chip.target}"
            if other
            else "",
            problems=problems,
        )
    return found


def check_memory(synapses: int, memory: float | None) -> None:
    """Refuse, before anything starts, a network that the simulator would have no memory for."""
    needed = synapses * EDGE / GIB
    most = _free() if memory is None else memory
    if needed > most:
        raise UsageError(
            f"{synapses:,} synapses take about {needed:.1f} GiB in SANA-FE",
            expected=f"at most {most:.1f} GiB",
            remedy="a smaller network, or part of it; more memory: memory=GIB",
        )


def _free() -> float:
    """Give the GiB of memory that this machine has left."""
    try:
        pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not every system tells
        return 8.0
    return pages / GIB


def _check_bounds(network: Network, chip: Chip) -> None:
    """Refuse numbers that the simulator's potentials do not hold exactly."""
    problems = []
    for group in network.groups:
        if group.kind is Kind.EVENTS:
            continue
        most = network.most(group.key)
        if most >= chip.most:
            what = f"potentials of up to {most:.3g} over {network.steps} steps"
            remedy = "fewer weight bits, or fewer steps"
            problems.append(Problem(what, f"%{group.name}", f"below {chip.most:.3g}", remedy))
    cores = np.concatenate([group.core for group in _on_cores(network)])
    most_neurons = int(np.bincount(cores).max(initial=0))
    if most_neurons > COMPARTMENTS:
        what = f"{most_neurons} neurons on one core"
        problems.append(Problem(what, "the placement", f"at most {COMPARTMENTS}"))
    if problems:
        raise UnsupportedModel(f"SANA-FE's {chip.name} would not be exact", problems=problems)


def _on_cores(network: Network) -> list[Group]:
    return [group for group in network.groups if group.kind is not Kind.EVENTS]


def _write_network(network: Network, chip: Chip, placement: Placement, folder: Path) -> None:
    mesh = placement.mesh
    cores = mesh.width * mesh.chips * mesh.height * mesh.per_tile
    arrays: dict[str, Any] = {}
    for group in network.groups:
        if group.kind is Kind.EVENTS:
            place, unit = port_of(group.core, cores)
            arrays |= {f"{group.key}.core": place, f"{group.key}.unit": unit}
            continue
        named = {"core": group.core, "threshold": group.threshold, "bias": group.bias}
        arrays |= {f"{group.key}.{name}": array for name, array in named.items()}
        for number, edges in enumerate(group.currents.values()):
            start = f"{group.key}.current{number}"
            arrays |= {f"{start}.{name}": array for name, array in _parts(edges).items()}
    for number, link in enumerate(network.links):
        arrays |= {f"link{number}.{name}": a for name, a in _parts(link.edges).items()}
    np.savez_compressed(folder / ARRAYS, allow_pickle=False, **arrays)
    plan = _plan(network, chip, placement)
    (folder / PLAN).write_text(json.dumps(plan, indent=1) + "\n", "utf-8")


def _parts(edges: Edges) -> dict[str, Any]:
    return {
        "source": edges.source,
        "target": edges.target,
        "weight": edges.weight,
        "sources": np.array(edges.sources),
    }


def _plan(network: Network, chip: Chip, placement: Placement) -> dict[str, Any]:
    per = placement.mesh.per_tile
    used = sorted({int(core) for group in _on_cores(network) for core in group.core})
    return {
        "steps": network.steps,
        "depth": network.depth,
        "synapses": network.edges,
        "neuron": dict(chip.neuron),
        "most": chip.most,
        "cores": [f"tile[{core // per}].core[{core % per}]" for core in used],
        "groups": [
            {
                "key": group.key,
                "name": group.name,
                "kind": group.kind.value,
                "size": group.size,
                "depth": group.depth,
                "reset": group.reset,
                "synapse": group.synapse,
                "currents": list(group.currents),
            }
            for group in network.groups
        ],
        "links": [{"source": link.source, "target": link.target} for link in network.links],
    }


def _write_host(graph: Graph, found: Examination, folder: Path) -> None:
    """Save the program, and the host's share of it."""
    first, last = before(graph, found.partition), behind(graph, found.partition)
    graphs = {store.MAIN: graph, BEHIND: last} | ({} if first is None else {BEFORE: first})
    store.save_all(graphs, folder / HOST)


def _readme(source: Deployable, chip: Chip, network: Network, placement: Placement) -> str:
    from spikec import __version__

    return README.format(
        name=source.graph.name,
        chip=chip.name,
        version=__version__,
        steps=source.steps,
        neurons=f"{sum(group.size for group in _on_cores(network)):,}",
        edges=f"{network.edges:,}",
        cores=placement.cores,
        script=SCRIPT,
    )
