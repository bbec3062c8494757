"""Times the layerwise engine on spiking ResNets against plain passes of the network in torch.

    python -m benchmarks.layerwise MODEL.onnx IMAGES.npz [--images 256] [--steps 8] [--json]

The network's ReLUs become neurons by hand; thresholds do not matter for speed.  Three programs:
integrate-and-fire in float32; the same with weights of 8 bits; bipolar neurons of 7 levels with
weights of 8 bits over 5 steps, their input once.  The plain passes run in batches of 128, in the
same process; each figure is the shortest of several, programs and plain passes by turns.  The
second table tells what one image and step costs by kind of layer (all but the first column, us).
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from numpy.typing import NDArray

from spikec.frontends.onnx_graph import import_model
from spikec.ir import Array, Editor, Graph, Op, Stage, T, Value, ops
from spikec.runtime import compiled
from spikec.runtime.feed import bind_inputs
from spikec.runtime.layerwise import engine, integers, simulate

Numbers = NDArray[Any]
BATCH = 128
ONE = Array(np.float32(1))
FLOAT_FIRE = ops.IntegrateFire(ONE)
WHOLE_FIRE = ops.IntegrateFire(Array(np.float32(900)), ONE, v0=Array(np.float32(450)))
BIPOLAR = ops.BipolarIF(Array(np.float32(300)), 15, 0, 7, Array(np.float32(150)), ONE)


def same(op: Op) -> Op:
    """Leave the weights as they are."""
    return op


def eight_bits(op: Op) -> Op:
    """Round weights and biases to whole numbers; sums instead of means."""
    if isinstance(op, ops.AvgPool):
        return ops.SumPool(op.kernel, op.stride, op.padding, op.dilation, op.ceil_mode)
    if not isinstance(op, ops.Conv | ops.Linear):
        return op
    unit = np.abs(op.weight.data).max() / 127
    bias = None if op.bias is None else Array(np.rint(op.bias.data / unit))
    return replace(op, weight=Array(np.rint(op.weight.data / unit)), bias=bias)


def spiking(graph: Graph, neuron: Op, source: Op, change: Callable[[Op], Op] = same) -> Graph:
    """Put neurons where the ReLUs are, and time in front of the first of them."""
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
                    operands = [edit.add(source, operands[0])]
                result = edit.add(neuron, *operands)
            case ops.Reshape(dims=dims) if not operands[0].type.is_static:
                result = edit.add(ops.Reshape((T, *dims)), *operands)
            case op:
                result = edit.add(change(op), *operands)
        new[node.outputs[0]] = result
    return edit.graph


def plain_pass(graph: Graph) -> Callable[[torch.Tensor], torch.Tensor]:
    """Give the network as plain calls of torch, one layer after another."""
    weights = {id(a): torch.tensor(a.data) for n in graph for a in n.op.arrays.values()}

    def tensor(array: Array | None) -> torch.Tensor | None:
        return None if array is None else weights[id(array)]

    def compute(op: Op, x: torch.Tensor, *more: torch.Tensor) -> torch.Tensor:
        match op:
            case ops.Conv():
                pads = [lo for lo, _ in op.padding]
                weight, bias = weights[id(op.weight)], tensor(op.bias)
                return F.conv2d(x, weight, bias, op.stride, pads, op.dilation, op.groups)
            case ops.ReLU():
                return F.relu(x)
            case ops.Add():
                return x + more[0]
            case ops.AvgPool():
                return F.avg_pool2d(x, op.kernel, op.stride)
            case ops.Reshape():
                return x.flatten(1)
            case ops.Pad():
                return F.pad(x, [n for pair in reversed(op.pads) for n in pair])
            case ops.Slice():
                where = [slice(None)] * x.dim()
                where[op.axis] = slice(op.start, op.stop, op.step)
                return x[tuple(where)]
            case ops.Linear():
                return F.linear(x, weights[id(op.weight)], tensor(op.bias))
        raise SystemExit(f"this benchmark has no plain call for {type(op).__name__}")

    def run(x: torch.Tensor) -> torch.Tensor:
        known: dict[Value, torch.Tensor] = {graph.inputs[0].outputs[0]: x}
        for node in graph:
            if node.inputs and node.outputs:
                operands = (known[value] for value in node.inputs)
                known[node.outputs[0]] = compute(node.op, *operands)
        return known[graph.outputs[0].inputs[0]]

    return run


@contextlib.contextmanager
def switched(name: str, value: str) -> Iterator[None]:
    """Set an environment variable for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    yield
    if before is None:
        del os.environ[name]
    else:
        os.environ[name] = before


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def by_kind(run: Callable[[], object]) -> dict[str, float]:
    """Give the seconds of one run by class of op."""
    spent: dict[str, float] = {}
    module: Any = engine
    compute, scan_for = module.Block._compute, module.scan_for

    def timed(kind: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed_work(*given: Any) -> Any:
            start = time.perf_counter()
            result = work(*given)
            spent[kind] = spent.get(kind, 0.0) + time.perf_counter() - start
            return result

        return timed_work

    def timed_compute(block: Any, node: Any, *rest: Any) -> Any:
        return timed(type(node.op).__name__, compute)(block, node, *rest)

    def timed_scan(node: Any, *rest: Any) -> Any:
        scan = scan_for(node, *rest)
        scan.advance = timed(type(node.op).__name__, scan.advance)
        return scan

    module.Block._compute, module.scan_for = timed_compute, timed_scan
    try:
        total = seconds(run)
    finally:
        module.Block._compute, module.scan_for = compute, scan_for
    return {"all": total, **dict(sorted(spent.items(), key=lambda row: -row[1]))}


def measure(graph: Graph, images: Numbers, steps: int, repeats: int) -> dict[str, Any]:
    """Time all programs and the plain passes by turns."""
    network = plain_pass(graph)
    batches = [torch.from_numpy(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
    programs: dict[str, tuple[Graph, int, dict[str, str]]] = {
        "float32": (spiking(graph, FLOAT_FIRE, ops.Repeat()), steps, {}),
        "float32, nothing compiled": (
            spiking(graph, FLOAT_FIRE, ops.Repeat()),
            steps,
            {compiled.SWITCH: "0"},
        ),
        "8 bits": (spiking(graph, WHOLE_FIRE, ops.Repeat(), eight_bits), steps, {}),
        "8 bits, int8 off": (
            spiking(graph, WHOLE_FIRE, ops.Repeat(), eight_bits),
            steps,
            {integers.SWITCH: "0"},
        ),
        "8 bits, bipolar": (spiking(graph, BIPOLAR, ops.Impulse(), eight_bits), 5, {}),
    }

    def program(name: str) -> None:
        snn, count, environment = programs[name]
        with contextlib.ExitStack() as stack:
            for variable, value in environment.items():
                stack.enter_context(switched(variable, value))
            feed = bind_inputs(snn, images, count, "float32")
            simulate(snn, feed, frozenset(node.inputs[0].name for node in snn.outputs))

    def plain() -> None:
        with torch.inference_mode():
            for batch in batches:
                network(batch)

    runs: dict[str, Callable[[], object]] = {"plain pass": plain}
    runs |= {name: functools.partial(program, name) for name in programs}
    least = dict.fromkeys(runs, float("inf"))
    for _ in range(repeats + 1):  # the first to warm up
        least = {name: min(least[name], seconds(run)) for name, run in runs.items()}
    one = least["plain pass"]
    return {
        "images": len(images),
        "threads": torch.get_num_threads(),
        "plain pass, ms per image": 1e3 * one / len(images),
        "programs": {
            name: {
                "steps": count,
                "ms per image": 1e3 * least[name] / len(images),
                "plain passes": least[name] / one,
                "of as many plain passes as steps": least[name] / one / count,
                "by kind": {
                    kind: 1e6 * spent / len(images) / count
                    for kind, spent in by_kind(runs[name]).items()
                },
            }
            for name, (_, count, _) in programs.items()
        },
        "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def show(figures: dict[str, Any]) -> None:
    print(f"{figures['images']} images, {figures['threads']} threads; plain pass: ", end="")
    print(f"{figures['plain pass, ms per image']:.3f} ms per image")
    print(f"{'program':28}{'steps':>6}{'ms/image':>10}{'passes':>8}{'per step':>10}")
    for name, row in figures["programs"].items():
        passes, share = row["plain passes"], row["of as many plain passes as steps"]
        print(f"{name:28}{row['steps']:6}{row['ms per image']:10.2f}{passes:8.2f}{share:10.3f}")
    print()
    for name, row in figures["programs"].items():
        kinds = "  ".join(f"{k} {v:.0f}" for k, v in row["by kind"].items() if v >= 0.5)
        print(f"{name:28}{kinds}")
    print(f"peak memory of the process: {figures['peak memory, MB']:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("data", help="an .npz with x or test_x: images, bytes or numbers")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with np.load(options.data) as file:
        raw = file["x" if "x" in file else "test_x"][: options.images]
    images = raw.astype(np.float32) / (64 if raw.dtype == np.uint8 else 1)
    images -= np.rint(images.mean())
    graph = import_model(options.model)
    figures = measure(graph, images, options.steps, options.repeats)
    if options.json:
        json.dump(figures, sys.stdout, indent=1)
    else:
        show(figures)


if __name__ == "__main__":
    main()
