"""neuron-model gives integrate-and-fire neurons a leak, another reset, and DCT-SNN's delay."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.errors import UsageError
from spikec.ir import Graph, ops
from spikec.pipeline import Context
from spikec.runtime import trace
from tests.passes.conftest import Golden
from tests.passes.helpers import Net, applied, calibration, quantised

STEPS = 12


def layer() -> Graph:
    net = Net(2, dyadic=True)
    analog = quantised(net.done(net.linear(net.relu(net.linear(net.x, 3)), 2)), STEPS, STEPS)
    return applied("spike-rate{v0=0}", analog, Context(steps=STEPS))


def test_golden(golden: Golden) -> None:
    net = Net(2, dyadic=True)
    quant = ops.QuantReLU(net.array(2, low=0.25, high=1.0), 4)
    analog = net.done(net.linear(net.edit.add(quant, net.linear(net.x, 2)), 1))
    before = applied("spike-rate", analog, Context(steps=4))
    golden("neuron_model", before, applied("neuron-model{leak=0.5,reset=hard}", before))


def by_hand(z: np.ndarray, theta: np.ndarray, options: dict[str, str]) -> np.ndarray:
    """Events of a current [T, ...], by the definition, in double precision."""
    leak, delay = float(options.get("leak", 1)), options.get("delay") == "true"
    v, events = np.zeros_like(z[0]), []
    for x in z:
        h = v if delay else leak * v + x
        fired = h > theta if delay else h >= theta
        left = leak * v + x if delay else h
        soft = left - theta * fired
        hard = (leak * np.where(fired, 0, v) + x) if delay else np.where(fired, 0, left)
        v = hard if options.get("reset") == "hard" else soft
        events.append(fired)
    return np.stack(events)


@pytest.mark.parametrize("leak", ["1", "0.9", "0.25"])
@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("delay", ["false", "true"])
def test_neurons_follow_their_equation(leak: str, reset: str, delay: str) -> None:
    options = {"leak": leak, "reset": reset, "delay": delay}
    text = ",".join(f"{key}={value}" for key, value in options.items())
    graph = applied(f"neuron-model{{{text}}}", layer())
    (node,) = [n for n in graph if isinstance(n.op, ops.IntegrateFire)]
    assert isinstance(node.op, ops.IntegrateFire)
    names = [node.name, node.inputs[0].name]
    seen = trace(graph, calibration(graph), record=names, steps=STEPS, dtype="float64").values
    theta = node.op.threshold.data.astype(np.float64)
    wanted = by_hand(seen[names[1]], theta, options)
    assert 0 < wanted.mean() < 1
    # the leak is a float32; a potential within rounding of θ may fall on either side
    assert ((seen[names[0]] != 0) != wanted).mean() < 1e-3


def test_the_neurons_of_spike_rate_are_those_without_options() -> None:
    assert applied("neuron-model", layer()) == layer()


@pytest.mark.parametrize("option", ["leak=-0.1", "leak=1.5", "leak=nan", "reset=firm"])
def test_options_out_of_range_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=option.split("=")[0]):
        applied(f"neuron-model{{{option}}}", layer())
