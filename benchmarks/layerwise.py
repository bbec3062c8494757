"""Times the layerwise engine on a spiking ResNet-20 against plain passes of the network in torch.

    python benchmarks/layerwise.py resnet20.onnx images.npz [--images 256] [--steps 8] [--json]

The network's ReLUs become integrate-and-fire neurons by hand; thresholds do not matter for speed.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from numpy.typing import NDArray

from spikec.frontends.onnx_graph import import_model
from spikec.ir import Array, Editor, Graph, Stage, T, Value, ops
from spikec.runtime.feed import bind_inputs
from spikec.runtime.layerwise import simulate

Numbers = NDArray[Any]
BATCH = 128
"""Images per plain pass."""


def spiking(graph: Graph) -> Graph:
    """Put neurons where the ReLUs are, and time behind the first of them."""
    edit = Editor(Graph(graph.name, Stage.SPIKING), by="benchmark")
    new: dict[Value, Value] = {}
    for node in graph:
        operands = [new[value] for value in node.inputs]
        match node.op:
            case ops.Input(type=type_):
                result = edit.input(node.name, type_)
            case ops.Output():
                edit.output(node.name, operands[0])
                continue
            case ops.ReLU():
                if operands[0].type.is_static:
                    operands = [edit.add(ops.Repeat(), operands[0])]
                result = edit.add(ops.IntegrateFire(Array(np.float32(1.0))), *operands)
            case ops.Reshape(dims=dims) if not operands[0].type.is_static:
                result = edit.add(ops.Reshape((T, *dims)), *operands)
            case op:
                result = edit.add(op, *operands)
        new[node.outputs[0]] = result
    return edit.graph


def plain_pass(graph: Graph) -> Callable[[torch.Tensor], torch.Tensor]:
    """Give the network as plain calls of torch, one layer after another."""
    weights = {id(a): torch.tensor(a.data) for n in graph for a in n.op.arrays.values()}

    def tensor(array: Array | None) -> torch.Tensor | None:
        return None if array is None else weights[id(array)]

    def run(x: torch.Tensor) -> torch.Tensor:
        known: dict[Value, torch.Tensor] = {}
        for node in graph:
            operands = [known[value] for value in node.inputs]
            match node.op:
                case ops.Input():
                    y = x
                case ops.Conv() as op:
                    pads = [lo for lo, _ in op.padding]
                    y = F.conv2d(operands[0], tensor(op.weight), tensor(op.bias), op.stride, pads)
                case ops.ReLU():
                    y = F.relu(operands[0])
                case ops.Add():
                    y = operands[0] + operands[1]
                case ops.AvgPool() as op:
                    y = F.avg_pool2d(operands[0], op.kernel, op.stride)
                case ops.Reshape():
                    y = operands[0].flatten(1)
                case ops.Linear() as op:
                    y = F.linear(operands[0], tensor(op.weight), tensor(op.bias))
                case ops.Output():
                    return operands[0]
            known[node.outputs[0]] = y
        raise ValueError("a graph without output")

    return run


def seconds(run: Callable[[], object], repeats: int) -> float:
    """Give the shortest of several times."""
    run()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    graph = import_model(options.model)
    with np.load(options.data) as file:
        images = file["x"][: options.images].astype(np.float32)
    network, snn = plain_pass(graph), spiking(graph)
    batches = [torch.from_numpy(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
    feed = bind_inputs(snn, images, options.steps, "float32")
    wanted = frozenset(node.inputs[0].name for node in snn.outputs)
    with torch.inference_mode():
        one = seconds(lambda: [network(batch) for batch in batches], options.repeats)
    spikes = seconds(lambda: simulate(snn, feed, wanted), options.repeats)
    rows = {
        "one plain pass, ms per image": 1e3 * one / len(images),
        "spiking network, ms per image": 1e3 * spikes / len(images),
        f"ratio to {options.steps} plain passes": spikes / one / options.steps,
        "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if options.json:
        print(json.dumps(rows))
    else:
        for name, number in rows.items():
            print(f"{name:40} {number:10.3f}")


if __name__ == "__main__":
    main()
