"""tune-quantised lessens the error of a quantised network, always the same way, or does nothing."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.errors import UsageError
from spikec.ir import Graph, ops
from spikec.pipeline import Context
from spikec.runtime import run
from spikec.testing import random_inputs
from tests.passes.gated_nets import gated_net
from tests.passes.helpers import (
    CANONICAL,
    Net,
    applied,
    calibration,
    kinds,
    mlp,
    quantised,
    random_net,
)

LEVELS = 4
HEAD = f"{CANONICAL},keep-reference,thresholds{{levels={LEVELS}}}"


def tuned(
    graph: Graph, options: str, seed: int = 0, samples: int = 128, rule: str = "mse"
) -> tuple[Graph, Graph, Context]:
    """Give the quantised network, the tuned one, and what was recorded."""
    data = calibration(graph, samples)
    head = HEAD.replace("}", f",rule={rule}}}")
    plain = applied(head, graph, Context(calibration=data))
    context = Context(calibration=data, seed=seed)
    return plain, applied(f"{head},tune-quantised{{{options}}}", graph, context), context


def error(graph: Graph, context: Context, data: dict[str, np.ndarray]) -> float:
    assert context.reference is not None
    found, wanted = (run(g, data, "layerwise") for g in (graph, context.reference))
    return float(np.square(np.subtract(found, wanted)).mean() / np.square(wanted).mean())


@pytest.mark.parametrize("seed", [0, 1])
def test_the_error_on_new_data_falls(seed: int) -> None:
    """Steps for the largest value of all leave much to gain."""
    net = mlp(8, 24, 24, 5, seed=seed)
    plain, better, context = tuned(net, "epochs=80", samples=320, rule="max")
    data = random_inputs(net, batch=256, seed=99)
    assert error(better, context, data) < 0.8 * error(plain, context, data)
    assert kinds(better) == kinds(plain)
    record = context.record["tune-quantised"]
    assert record["loss_after"] < record["loss_before"]


def test_same_seed_same_bytes() -> None:
    first, second, other = (tuned(random_net(1), "epochs=3", seed)[1] for seed in (5, 5, 6))
    assert str(first) == str(second)
    assert str(first) != str(other)


def test_what_gets_no_better_stays_as_it_was() -> None:
    """Nothing is lost by 2^20 levels, so that the first steps can only make it worse."""
    net = random_net(2)
    data = calibration(net, 32)
    head = HEAD.replace(f"levels={LEVELS}", "levels=1048576")
    plain = applied(head, net, Context(calibration=data))
    context = Context(calibration=data)
    after = applied(f"{head},tune-quantised{{epochs=1}}", net, context)
    assert str(after) == str(plain)
    record = context.record["tune-quantised"]
    assert record["loss_after"] >= record["loss_before"]


def test_a_budget_bounds_the_work() -> None:
    plain, after, context = tuned(random_net(0), "epochs=50,budget=0.000001")
    assert context.record["tune-quantised"]["epochs"] < 50
    plain, after, context = tuned(random_net(0), "budget=0")
    assert context.record["tune-quantised"] == {"epochs": 0, "samples": 128}
    assert str(after) == str(plain)


def test_nodes_without_derivative_are_recorded_and_nothing_is_tuned() -> None:
    net = Net(2, 4, 4)
    larger = ops.Resize((8, 8), (2.0, 2.0), ops.Interpolation.LINEAR)
    y = net.edit.add(larger, net.relu(net.conv(net.x, 3)), name="larger")
    plain, after, context = tuned(net.done(net.conv(y, 1)), "epochs=2")
    assert context.record["tune-quantised"]["without_gradient"] == ["larger"]
    assert str(after) == str(plain)


def test_gates_are_tuned_too() -> None:
    plain, after, context = tuned(gated_net(0), "epochs=10")
    record = context.record["tune-quantised"]
    assert record["epochs"] == 10
    assert (str(after) != str(plain)) == (record["loss_after"] < record["loss_before"])


def test_it_needs_data_and_the_network() -> None:
    with pytest.raises(UsageError, match="calibration data"):
        applied("tune-quantised", quantised(random_net(0), 4, 4))


@pytest.mark.parametrize("option", ["epochs=-1", "samples=0", "budget=-1"])
def test_options_out_of_range_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=option.split("=")[0]):
        applied(f"tune-quantised{{{option}}}", random_net(0))


def test_each_batch_is_told() -> None:
    net, shares = random_net(0), list[float]()
    context = Context(calibration=calibration(net, 128), on_part=shares.append)
    applied(f"{HEAD},tune-quantised{{epochs=3}}", net, context)
    assert shares == [n / 6 for n in range(1, 7)]
