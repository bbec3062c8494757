"""One small graph, and at least one example of every op, for tests of text, store and verifier."""

from __future__ import annotations

import numpy as np

from spikec.ir import (
    Array,
    B,
    Code,
    DType,
    Editor,
    Graph,
    Location,
    Op,
    Spikes,
    Stage,
    T,
    TensorType,
    ops,
)
from tests.ir.ops.every_case import CASES

Example = tuple[Op, tuple[TensorType, ...]]
FRAMES = TensorType((T, B, 2))
EVENTS = TensorType((T, B, 2), DType.F32, Spikes(Array([0.5, 1.0], "float32")))
STILL = TensorType((B, 2))


def _numbers(*numbers: float) -> Array:
    return Array(np.array(numbers, np.float32))


_ONE = _numbers(1.0)
_NEURONS: tuple[Op, ...] = (
    ops.IntegrateFire(_ONE),
    ops.IntegrateFire(
        threshold=_numbers(1.0, 2.0),
        reset=ops.Reset.HARD,
        reset_potential=_numbers(-0.0),
        leak=ops.Leak.DECAY_INPUT,
        leak_constant=_numbers(2.0),
        negative=ops.Negative.MEMORY,
        comparison=ops.Comparison.ABOVE,
        decision=ops.Decision.BEFORE_INPUT,
        code=Code.SUM,
    ),
    ops.Accumulator(),
    ops.BipolarIF(_ONE, high=7, low=-3, levels=2),
    ops.MultiThreshold(_ONE, 3, firing=ops.Firing.LARGEST),
    ops.Population(_ONE, levels=2, members=Array(2)),
    ops.Differential(_ONE, 2, margin=1.0, rectify=False),
    ops.PhasedFire(_ONE, 4),
    ops.FewSpikes.binary(_ONE, 12),
    ops.SigmaDelta(_numbers(0.25), 15),
)
_OVER_TIME: tuple[Op, ...] = (
    *(ops.Poisson(2**64 - 1), ops.Latency(4), ops.Phase(3), ops.Burst(_ONE)),
    *(ops.DeltaEncode(_ONE, 3), ops.MeanReadout(2), ops.DifferentialReadout()),
    *(ops.WindowReadout(_numbers(0.5, 0.25)), ops.LastStep(-3), ops.SumOverTime(-3)),
    *(ops.MeanOverTime(-3), ops.CumulativeSum(), ops.Difference(), ops.TimeScale(-1)),
    *(ops.PhaseScale(_numbers(1.0, 2.0)), ops.Delay(2), ops.Haar(-3)),
    *(ops.StepScale(Array([[0.5], [2.0]])), ops.TimeMix(Array([[1.0, -1.0]]), -3)),
)
_CONSTANTS = (Array([1, 2, 3]), Array(np.linspace(0, 1, 30, dtype=np.float16)), Array(True))

EXAMPLES: tuple[Example, ...] = (
    *((case.op, case.operands) for case in CASES),
    *((op, (FRAMES,)) for op in (*_NEURONS, *_OVER_TIME)),
    *((op, (STILL,)) for op in (ops.Repeat(), ops.Impulse(2), ops.Cycle(-1, (1, 0, 0)))),
    (ops.HaarInverse(-1), (FRAMES, FRAMES)),
    (ops.AndOverTime(-3), (EVENTS,)),
    *((ops.Constant(array), ()) for array in _CONSTANTS),
)


def example_graph(example: Example) -> Graph:
    """Give a graph that applies the op to inputs of the operands' types."""
    op, operands = example
    edit = Editor(Graph(type(op).__name__), by="test")
    if any(not x.is_static for x in operands) or type(op) in ops.SPIKING_OPS:
        edit.stage(Stage.SPIKING)
    inputs = [edit.input("x", x) for x in operands or (STILL,)]
    node = edit.add_node(op, inputs[: len(operands)], location=Location.at("layer.0", "net.py", 3))
    for value in node.outputs:
        edit.output("y", value)
    return edit.graph


def small_graph() -> Graph:
    """Give a convolutional network with a skip connection, a mask and two results."""
    edit = Editor(Graph("small"), by="test")
    x = edit.input("x", TensorType((B, 3, 8, 8)), Location.at(file="net.py", line=3))
    weight = Array(np.arange(81, dtype=np.float32).reshape(3, 3, 3, 3) / 81)
    one, pad = (1, 1), ((1, 1), (1, 1))
    place = Location.at("layer1.conv", "net.py", 12)
    h = edit.add(ops.Conv(weight, None, one, pad, one), x, name="conv", location=place)
    h = edit.add(ops.Clip(0.0, 6.0), h, location=place + Location.at("0.act"))
    h = edit.add(ops.Add(), h, x, location=Location.at(onnx="/layer1/Add"))
    h = edit.add(ops.Reshape((B, 192)), h)
    mask = edit.constant(ops.Constant(Array(np.array([0.0, -np.inf], np.float32))), "mask")
    h = edit.add(ops.Linear(Array(np.arange(384.0).reshape(2, 192)), Array([0.5, -0.0])), h)
    best = edit.add_node(ops.TopK(1, -1), (edit.add(ops.Add(), h, mask),))
    edit.output("value", best.outputs[0])
    edit.output("index", best.outputs[1])
    edit.graph.notes["capture"] = "by hand"
    return edit.graph
