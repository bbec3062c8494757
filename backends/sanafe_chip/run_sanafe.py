"""Runs a network on a chip that SANA-FE simulates: ``python run_sanafe.py JOB.npz RESULTS.npz``.

Needs sanafe and numpy alone.  The network stands beside this file: ``network.json``,
``network.npz`` and ``chip.yaml``.  A job holds the events and currents of some samples.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

NO_SANAFE = 3
"""exit code where sanafe or NumPy is not installed"""
try:
    import numpy as np
except ImportError as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(NO_SANAFE)

NEVER = 1e12
"""a threshold that no potential reaches"""
PARTS = ("total", "synapse", "dendrite", "soma", "network")
COUNTS = ("fired", "updated", "hops", "spikes")


class Network:
    """Groups of neurons on the chip, and what is known of them so far."""

    def __init__(self, sanafe: Any, folder: Path) -> None:
        self.plan = json.loads((folder / "network.json").read_text("utf-8"))
        with np.load(folder / "network.npz") as arrays:
            self.arrays = dict(arrays)
        self.architecture = sanafe.load_arch(str(folder / "chip.yaml"))
        self.chip = sanafe.SpikingChip(self.architecture)
        self.groups = {group["key"]: group for group in self.plan["groups"]}
        self.set: dict[tuple[str, str], np.ndarray] = {}
        self._build(sanafe)

    def _build(self, sanafe: Any) -> None:
        network, cores = sanafe.Network(), self.architecture.cores()
        made = {}
        for key, group in self.groups.items():
            made[key] = self._group(network, cores, key, group)
        for number, link in enumerate(self.plan["links"]):
            source, target, weight = (
                self.arrays[f"link{number}.{part}"].tolist()
                for part in ("source", "target", "weight")
            )
            pairs = list(zip(source, target, strict=True))
            made[link["source"]].connect_neurons_sparse(made[link["target"]], {"w": weight}, pairs)
        self.chip.load(network)

    def _group(self, network: Any, cores: Any, key: str, group: dict[str, Any]) -> Any:
        places = self.arrays[f"{key}.core"].tolist()
        if group["kind"] == "events":
            made = network.create_neuron_group(key, group["size"])
            units = self.arrays[f"{key}.unit"].tolist()
            for neuron, place, unit in zip(made.neurons, places, units, strict=True):
                neuron.set_attributes(soma_hw_name=f"events[{unit}]", log_spikes=True)
                neuron.map_to_core(cores[place])
            return made
        reads = group["kind"] == "accumulator"
        made = network.create_neuron_group(
            key,
            group["size"],
            model_attributes={**self.plan["neuron"], "reset_mode": group["reset"]},
            default_synapse_hw_name=group["synapse"],
            default_dendrite_hw_name="dendrite",
            soma_hw_name="neuron",
            log_spikes=not reads,
            log_potential=reads,
        )
        for neuron, place in zip(made.neurons, places, strict=True):
            neuron.map_to_core(cores[place])
        return made

    def give(self, key: str, name: str, numbers: np.ndarray) -> None:
        """Set an attribute of the neurons of a group, where it changes."""
        old = self.set.get((key, name))
        changed = range(len(numbers)) if old is None else np.nonzero(old != numbers)[0]
        neurons = self.chip.mapped_neuron_groups[key]
        for index in changed:
            neurons[int(index)].set_attributes(model_attributes={name: float(numbers[index])})
        self.set[key, name] = numbers.copy()

    def send(self, key: str, events: np.ndarray) -> None:
        """Give the events of a sample, [steps, sources]."""
        neurons = self.chip.mapped_neuron_groups[key]
        for train, neuron in zip(events.T.tolist(), neurons, strict=True):
            neuron.set_attributes(model_attributes={"spikes": train})

    def prepare(self, job: dict[str, np.ndarray], sample: int, step: int) -> None:
        """Give every group what it has to know before a step of the chip.

        A group of depth d makes its own step t in the chip's step t + d.  Its initial potential
        comes with its first current; before its first step and behind its last it is quiet.
        """
        for key, group in self.groups.items():
            own = step - group["depth"]
            if group["kind"] == "events":
                if step == 1:
                    self.send(key, job[f"{key}.events"][sample])
            elif 1 <= own <= self.plan["steps"]:
                bias = self.arrays[f"{key}.bias"][own - 1]
                if f"{key}.current" in job:
                    bias = bias + job[f"{key}.current"][sample, own - 1]
                self.give(key, "bias", bias)
                if own == 1:
                    self.give(key, "threshold", self.arrays[f"{key}.threshold"])
            elif step == 1 or own == self.plan["steps"] + 1:
                self.give(key, "bias", np.zeros(group["size"]))
                self.give(key, "threshold", np.full(group["size"], NEVER))


def simulate(network: Network, job: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run all samples, one after another."""
    plan, samples = network.plan, int(job["samples"])
    length = plan["steps"] + plan["depth"]
    results = empty(network, samples, length)
    for sample in range(samples):
        network.chip.reset()
        for step in range(1, length + 1):
            network.prepare(job, sample, step)
            seen = network.chip.sim(
                1,
                timing_model="detailed",
                processing_threads=1,
                spike_trace=True,
                potential_trace=True,
                perf_trace=True,
            )
            record(network, results, (sample, step - 1), seen)
    return results


def empty(network: Network, samples: int, length: int) -> dict[str, np.ndarray]:
    """Give arrays for what will be seen, over all steps of the chip."""
    results: dict[str, np.ndarray] = {}
    for key, group in network.groups.items():
        kind = np.float64 if group["kind"] == "accumulator" else np.bool_
        results[key] = np.zeros((samples, length, group["size"]), kind)
    for name in (*PARTS, *COUNTS, "packets", "latency"):
        results[name] = np.zeros((samples, length))
    results["cores"] = np.zeros((samples, length, len(network.plan["cores"])))
    return results


def record(network: Network, results: dict[str, np.ndarray], at: Any, seen: Any) -> None:
    """Note what a step has shown."""
    for address in seen["spike_trace"][0]:
        results[address.group_name][at][address.neuron_offset] = True
    potentials = np.asarray(seen["potential_trace"][0]) if seen["potential_trace"] else np.zeros(0)
    start = 0
    for key in sorted(k for k, g in network.groups.items() if g["kind"] == "accumulator"):
        size = network.groups[key]["size"]
        results[key][at] = potentials[start : start + size]
        start += size
    measured = seen["perf_trace"]
    for part in PARTS:
        results[part][at] = seen["energy"][part]
    for count in COUNTS:
        results[count][at] = measured[count][0]
    results["packets"][at] = seen["packets_sent"]
    results["latency"][at] = seen["sim_time"]
    results["cores"][at] = [measured[f"{name}.energy"][0] for name in network.plan["cores"]]


def main() -> int:
    """Read a job, run it, write the results."""
    try:
        import sanafe
    except ImportError as error:
        sys.stderr.write(f"{error}\n")
        return NO_SANAFE
    from importlib.metadata import version

    job_file, results_file = sys.argv[1:3]
    with np.load(job_file) as arrays:
        job = dict(arrays)
    network = Network(sanafe, Path(__file__).resolve().parent)
    results = simulate(network, job)
    results["version"] = np.array(version("sanafe"))
    np.savez_compressed(results_file, allow_pickle=False, **results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
