"""Backpropagation through time: time and memory of a step of learning beside SpikingJelly's.

    python -m benchmarks.bptt_cost [--steps 4 8 16] [--batch 32] [--repeats 7]

The same network of three convolutions and a linear layer, with LIF neurons (tau 2, hard reset,
arc-tangent surrogate) behind each, the same weights and images.  Outputs and derivatives are
compared first.  Time: forward and backward in turns, one thread, medians.  Memory: bytes that
autograd keeps between the two, each storage counted once.  SpikingJelly 2.0: multi-step mode,
torch backend; how to install it: see :mod:`benchmarks.peers_accuracy`.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spikec.ir import Array, B, Editor, Graph, Stage, T, TensorType, ops
from spikec.ir.ops import Leak, Reset
from spikec.runtime.bptt import Network
from spikec.runtime.bptt.neurons import Setting
from spikec.runtime.gradient import Parameters
from spikec.runtime.surrogate import ATan

SIZE, CLASSES = 32, 10
CHANNELS = (3, 32, 64, 64)
Learn = Callable[[], tuple[Tensor, list[Tensor]]]
"""a forward and a backward pass: gives outputs [steps, samples, classes] and derivatives"""


@dataclass(frozen=True)
class Weights:
    """What both networks share."""

    convolutions: list[Tensor]
    linear: Tensor

    @staticmethod
    def drawn() -> Weights:
        """Draw them."""
        torch.manual_seed(0)
        pairs = itertools.pairwise(CHANNELS)
        convolutions = [0.15 * torch.randn(out, inside, 3, 3) for inside, out in pairs]
        return Weights(convolutions, 0.02 * torch.randn(CLASSES, CHANNELS[-1] * (SIZE // 4) ** 2))


def ours(weights: Weights, x: Tensor, steps: int) -> Learn:
    """Build the network as a graph."""
    edit = Editor(Graph("net", Stage.SPIKING), by="benchmark")
    value = edit.add(ops.Repeat(), edit.input("x", TensorType((B, *x.shape[1:]))))
    arrays = [Array(w.numpy()) for w in (*weights.convolutions, weights.linear)]
    lif = ops.IntegrateFire(
        Array(1.0, "float32"),
        reset=Reset.HARD,
        leak=Leak.DECAY_INPUT,
        leak_constant=Array(2.0, "float32"),
    )
    for place, weight in enumerate(arrays[:-1]):
        stride = (1 if place == 0 else 2,) * 2
        conv = ops.Conv(weight, None, stride, ((1, 1),) * 2, (1, 1), 1)
        value = edit.add(lif, edit.add(conv, value))
    flat = edit.add(ops.Reshape((T, B, weights.linear.shape[1])), value)
    edit.output("y", edit.add(ops.Linear(arrays[-1], None), flat))
    parameters = Parameters(arrays)
    network = Network(edit.graph, Setting(parameters, ATan()))

    def learn() -> tuple[Tensor, list[Tensor]]:
        for _, tensor in parameters.learned:
            tensor.grad = None
        y = network.outputs({"x": x}, steps)
        y.mean(0).square().sum().backward()  # type: ignore[no-untyped-call]
        return y.detach(), [
            tensor.grad for _, tensor in parameters.learned if tensor.grad is not None
        ]

    return learn


def theirs(weights: Weights, x: Tensor, steps: int) -> Learn:
    """Build the network of SpikingJelly's modules."""
    layer: Any = importlib.import_module("spikingjelly.activation_based.layer")
    neuron: Any = importlib.import_module("spikingjelly.activation_based.neuron")
    functional: Any = importlib.import_module("spikingjelly.activation_based.functional")
    modules: list[nn.Module] = []
    for place, weight in enumerate(weights.convolutions):
        out, inside = weight.shape[:2]
        stride = 1 if place == 0 else 2
        conv = layer.Conv2d(inside, out, 3, stride, 1, bias=False)
        conv.weight.data.copy_(weight)
        modules += [conv, neuron.LIFNode(tau=2.0)]
    linear = layer.Linear(weights.linear.shape[1], CLASSES, bias=False)
    linear.weight.data.copy_(weights.linear)
    net = nn.Sequential(*modules, layer.Flatten(), linear)
    functional.set_step_mode(net, "m")

    def learn() -> tuple[Tensor, list[Tensor]]:
        net.zero_grad(set_to_none=True)
        functional.reset_net(net)
        y = net(x.expand(steps, *x.shape))
        y.mean(0).square().sum().backward()
        return y.detach(), [p.grad for p in net.parameters() if p.grad is not None]

    return learn


def kept_bytes(learn: Learn) -> int:
    """Count what autograd keeps for the way back; parameters and inputs are part of it."""
    storages: dict[int, int] = {}

    def note(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        learn()
    return sum(storages.values())


def measure(steps: int, batch: int, repeats: int) -> dict[str, float]:
    """Time both in turns."""
    weights, x = Weights.drawn(), torch.rand(batch, CHANNELS[0], SIZE, SIZE)
    both = {"spikec": ours(weights, x, steps), "spikingjelly": theirs(weights, x, steps)}
    (y, mine), (z, other) = (learn() for learn in both.values())
    torch.testing.assert_close(y, z, rtol=1e-4, atol=1e-4)
    for a, b in zip(mine, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3 * float(b.abs().max()))
    seconds: dict[str, list[float]] = {name: [] for name in both}
    for _ in range(repeats):
        for name, learn in both.items():
            start = time.perf_counter()
            learn()
            seconds[name].append(time.perf_counter() - start)
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    kept = {name: kept_bytes(learn) / 2**20 for name, learn in both.items()}
    return {
        "steps": steps,
        **{f"{name}_s": statistics.median(times) for name, times in seconds.items()},
        "time_ratio": statistics.median(ratios),
        **{f"{name}_MB": size for name, size in kept.items()},
        "memory_ratio": kept["spikec"] / kept["spikingjelly"],
    }


def main() -> None:
    """Print one line per number of steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", nargs="+", type=int, default=[4, 8, 16])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(steps, options.batch, options.repeats) for steps in options.steps]
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print("|", " | ".join(f"{value:.3g}" for value in row.values()), "|")


if __name__ == "__main__":
    main()
