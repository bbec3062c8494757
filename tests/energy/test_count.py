"""The count of every operation is the one that brute force finds."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from spikec.energy.count import Counter
from spikec.energy.counts import NAMES
from spikec.energy.rules import UNCOUNTED
from spikec.ir import Graph, Stage
from spikec.runtime import trace
from spikec.runtime.layerwise.split import samples_never_meet
from spikec.testing import random_graph, random_inputs
from tests.energy.brute import FIELDS, brute
from tests.energy.programs import program

SAMPLES, STEPS = 2, 4


def timed(graph: Graph) -> int | None:
    from spikec.ir.op import Timing

    scans = any(node.timing is Timing.SCAN for node in graph)
    over_time = any(not v.type.is_static for node in graph for v in node.outputs)
    return STEPS if scans or over_time else None


def counted(graph: Graph, inputs: dict[str, np.ndarray]) -> dict[str, list[dict[str, int]]]:
    """Count a block of samples, from what the reference runtime has recorded."""
    steps = timed(graph)
    counter = Counter(graph, steps or 1)
    seen = trace(graph, dict(inputs), "reference", record=counter.names, steps=steps)
    counter.see(seen.values, SAMPLES)
    return {
        row.node.name: [
            {n: int(np.broadcast_to(getattr(row.work.counts, n), (SAMPLES,))[i]) for n in FIELDS}
            for i in range(SAMPLES)
        ]
        for row in counter.result()
    }


def one(graph: Graph, inputs: dict[str, np.ndarray], sample: int) -> dict[str, np.ndarray]:
    found = {}
    for node in graph.inputs:
        type_, array = node.outputs[0].type, inputs[node.name]
        rows = (
            array.reshape(STEPS, SAMPLES, *array.shape[1:])
            if "T*B" in str(type_.dims[0])
            else array
        )
        axis = 0 if rows is array and type_.is_static else 1
        taken = rows.take([sample], axis=axis)
        found[node.name] = taken.reshape(-1, *array.shape[1:]) if rows is not array else taken
    return found


def test_no_op_is_left_out() -> None:
    assert UNCOUNTED == []
    assert set(FIELDS) <= set(NAMES)


def placed_graph(seed: int) -> Graph:
    return random_graph(seed, size=12, stage=Stage.PLACED)


def spiking_graph(seed: int) -> Graph:
    return random_graph(seed, size=12, stage=Stage.SPIKING)


@pytest.mark.parametrize("draw", [program, spiking_graph, placed_graph])
def test_every_operation_of_random_programs(draw: Callable[[int], Graph]) -> None:
    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @example(512)  # an image of bands at half the rate, resized
    @given(st.integers(0, 2**32 - 1))
    def check(seed: int) -> None:
        graph = draw(seed)
        assume(samples_never_meet(graph))
        inputs = random_inputs(graph, SAMPLES, steps=STEPS)
        found = counted(graph, inputs)
        for sample in range(SAMPLES):
            expected = brute(graph, one(graph, inputs, sample), timed(graph))
            for name, tally in expected.items():
                assert found[name][sample] == tally, graph[name].place

    check()
