"""refit-reset makes the reset to zero cost less than it would with the thresholds as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikec.errors import UnsupportedModel, UsageError
from spikec.ir import Graph, ops
from spikec.ir.edit import copied
from spikec.ir.ops import Reset
from spikec.passes.refit_reset import RefitReset
from spikec.pipeline import Context
from spikec.runtime import run
from spikec.runtime.feed import recorded
from tests.passes.conftest import Golden
from tests.passes.helpers import applied, calibration, mlp
from tests.passes.whole_nets import Whole

STEPS = 16
RATE = (
    f"fold-constants,fold-batchnorm,split-activations,keep-reference,thresholds{{levels={STEPS}}},"
    "spike-rate"
)


def program() -> tuple[Graph, Context]:
    graph = mlp(12, 16, 10, 4)
    context = Context(calibration=calibration(graph, 24), steps=STEPS)
    return applied(RATE, graph, context), context


def hard(graph: Graph) -> Graph:
    """Give the same graph with other resets, and thresholds as they were."""
    after = copied(graph)
    for node in after:
        if isinstance(node.op, ops.IntegrateFire):
            amplitude = node.op.amplitude or node.op.threshold
            node.op = replace(node.op, reset=Reset.HARD, amplitude=amplitude)
    return copied(after)


def distance(graph: Graph, other: Graph, context: Context) -> float:
    outputs = [
        np.asarray(run(g, dict(context.calibration or {}), "layerwise", steps=STEPS))[-1]
        for g in (graph, other)
    ]
    return float(np.square(outputs[0] - outputs[1]).mean())


def test_fitted_thresholds_come_closer_than_old_ones() -> None:
    graph, context = program()
    after = applied("refit-reset", graph, context)
    neurons = [node.op for node in after if isinstance(node.op, ops.IntegrateFire)]
    assert neurons
    assert all(op.reset is Reset.HARD for op in neurons)
    assert distance(graph, after, context) < 0.6 * distance(graph, hard(graph), context)
    factors = context.record["refit-reset"]
    assert set(factors) == {n.name for n in after if isinstance(n.op, ops.IntegrateFire)}
    assert all(0.3 <= factor <= 1 for factor in factors.values())
    events = [op.amplitude for op in neurons]
    assert events == [n.op.threshold for n in graph if isinstance(n.op, ops.IntegrateFire)]


def test_whole_thresholds_stay_whole() -> None:
    net = Whole(6)
    graph = net.done(net.neuron(net.linear(net.x, 5), 7, name="a"))
    inputs = {"x": np.random.default_rng(0).integers(0, 2, (9, 3, 6)).astype(np.float32)}
    context = Context(calibration=recorded(graph, inputs), steps=9)
    with pytest.raises(UsageError):
        RefitReset()(copied(graph), Context())
    after = copied(graph)
    RefitReset(samples=9)(after, context)
    op = after["a"].op
    assert isinstance(op, ops.IntegrateFire)
    assert op.threshold.data == np.round(op.threshold.data) <= 7


def test_neurons_of_several_levels_or_signs_are_listed() -> None:
    net = Whole(4)
    a = net.neuron(net.linear(net.x, 4), name="a", levels=3)
    graph = net.done(net.neuron(net.linear(a, 4), name="b", negative=ops.Negative.FREE))
    with pytest.raises(UnsupportedModel) as caught:
        RefitReset()(graph, Context())
    assert [problem.what for problem in caught.value.problems] == [
        "events of 3 levels",
        "negative events",
    ]


def test_golden(golden: Golden) -> None:
    graph, context = program()
    golden("refit_reset", graph, applied("refit-reset{tries=3}", graph, context))
