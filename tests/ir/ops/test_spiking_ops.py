"""Every spiking op in one graph: it verifies, prints and parses, and runs the same afterwards."""

import numpy as np

from spikec.ir import Array, B, Code, Editor, Graph, Op, Spikes, Stage, T, TensorType, ops
from spikec.ir.graph_json import dump_graph, load_graph
from spikec.ir.parser import parse
from spikec.ir.printer import print_graph
from spikec.ir.verify import verify
from spikec.runtime import run

CHANNELS = Array(np.linspace(0.5, 1, 8, dtype=np.float32))
ONE = Array(1.0)
LEAK = Array(0.875)
ANALOG_OPERAND: list[Op] = [
    ops.IntegrateFire(CHANNELS),
    ops.IntegrateFire(
        ONE,
        amplitude=CHANNELS,
        levels=3,
        v0=LEAK,
        leak=ops.Leak.DECAY,
        leak_constant=LEAK,
        rest_potential=LEAK,
        negative=ops.Negative.MEMORY,
        negative_threshold=LEAK,
        comparison=ops.Comparison.ABOVE,
        decision=ops.Decision.BEFORE_INPUT,
        code=Code.SUM,
    ),
    ops.IntegrateFire(ONE, reset=ops.Reset.HARD, reset_potential=LEAK),
    ops.Accumulator(leak=ops.Leak.DECAY_INPUT, leak_constant=Array(2.0)),
    ops.BipolarIF(CHANNELS, 15, -15, levels=3, v0=LEAK),
    ops.MultiThreshold(CHANNELS, 4, firing=ops.Firing.LARGEST, negative=ops.Negative.FREE),
    ops.Population(CHANNELS, levels=2, members=Array(np.array([1, 2] * 4))),
    ops.Differential(CHANNELS, 4, margin=1.0, negative_margin=0.0, rectify=False),
    ops.PhasedFire(CHANNELS, window=2, levels=3),
    ops.FewSpikes.binary(CHANNELS, bits=2),
    ops.SigmaDelta(CHANNELS, high=15, low=-15, deadband=2),
    ops.Poisson(seed=7, scale=CHANNELS, signed=True),
    ops.Latency(window=3),
    ops.Phase(bits=4),
    ops.Burst(CHANNELS, doublings=2),
    ops.DeltaEncode(CHANNELS, levels=4, deadband=2),
    ops.MeanReadout(start=1),
    ops.DifferentialReadout(),
    ops.WindowReadout(Array([0.5, 0.25])),
    ops.LastStep(-3),
    ops.SumOverTime(-3),
    ops.MeanOverTime(-3),
    ops.CumulativeSum(),
    ops.Difference(),
    ops.TimeScale(power=-1),
    ops.PhaseScale(Array([0.5, 0.25])),
    ops.StepScale(Array(np.linspace(-1, 1, 16).reshape(2, 8))),
    ops.TimeMix(Array(np.array([[0.5, -1.0], [0.25, 2.0]])), -3),
    ops.Delay(steps=2),
]


def everything() -> Graph:
    edit = Editor(Graph("everything", Stage.SPIKING), by="test")
    static = edit.input("image", TensorType((B, 8)))
    events = edit.input("events", TensorType((T, B, 8), signal=Spikes(ONE)))
    edit.output("impulse_out", edit.add(ops.Impulse(steps=2), static))
    edit.output("cycle_out", edit.add(ops.Cycle(-1, (3, 0, 7)), static))
    x = edit.add(ops.Repeat(), static)
    for op in ANALOG_OPERAND:
        edit.output("out", edit.add(op, x))
    edit.output("out", edit.add(ops.AndOverTime(-3), events))
    for axis in (-3, -1):
        bands = edit.add_node(ops.Haar(axis), (x,)).outputs
        edit.output("out", edit.add(ops.HaarInverse(axis), *bands))
    return edit.graph


def test_every_spiking_op_has_its_example() -> None:
    used = {type(node.op) for node in everything()}
    assert set(ops.SPIKING_OPS) <= used


def test_spiking_ops_verify_and_round_trip() -> None:
    graph = everything()
    verify(graph)
    read = parse(print_graph(graph), graph.arrays())
    loaded = load_graph(dump_graph(graph), graph.arrays().values())
    assert read == graph
    assert loaded == graph


def test_spiking_ops_run_the_same_after_a_round_trip() -> None:
    graph = everything()
    random = np.random.default_rng(0)
    data = (random.random((2, 8)), (random.random((4, 2, 8)) < 0.9).astype(np.float32))
    before = run(graph, data)
    after = run(load_graph(dump_graph(graph), graph.arrays().values()), data)
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, two)
