"""whole-numbers: everything behind the first site is whole, so that equality is equality."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikec.errors import UnsupportedModel
from spikec.ir import Array, Graph, Op, ops
from spikec.pipeline import Context
from spikec.pipeline.means import as_sum
from spikec.runtime import run
from tests.passes.helpers import CANONICAL, Net, applied, calibration, random_net

CANON = f"{CANONICAL},keep-reference"
SETTLED = 64
"""steps by which every one of these small networks is quiet"""


def lossless(graph: Graph, burst: int, levels: int = 7) -> tuple[Graph, Graph]:
    """Give the whole-number network and the spiking one."""
    context = Context(calibration=calibration(graph), steps=SETTLED)
    text = f"{CANON},thresholds{{levels={levels}}},whole-numbers,fold-constants"
    spiking = applied(f"{text},spike-sum{{levels={burst}}},remove-dead", graph, context)
    assert context.quantised is not None
    return context.quantised, spiking


def outputs(graph: Graph, engine: str, steps: int | None, batch: int = 3) -> list[np.ndarray]:
    data = {name: x[:batch] for name, x in calibration(graph, seed=9).items()}
    result = run(graph, data, engine, steps=steps)
    return list(result) if isinstance(result, tuple) else [result]


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), burst=st.sampled_from([1, 3, 7]))
def test_the_settled_program_equals_its_quantised_network_exactly(seed: int, burst: int) -> None:
    quantised, spiking = lossless(random_net(seed), burst)
    for wanted, found in zip(
        outputs(quantised, "reference", None), outputs(spiking, "layerwise", SETTLED), strict=True
    ):
        np.testing.assert_array_equal(found[-1], wanted)


@settings(max_examples=8)
@given(seed=st.integers(0, 10**6))
def test_both_engines_give_the_same_numbers(seed: int) -> None:
    _, spiking = lossless(random_net(seed), burst=3)
    for a, b in zip(
        outputs(spiking, "reference", 12), outputs(spiking, "layerwise", 12), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(6))
def test_weights_fit_their_bits_and_everything_behind_a_site_is_whole(seed: int) -> None:
    quantised, _ = lossless(random_net(seed), burst=3)
    behind = set()
    for node in quantised:
        behind |= {node.name} if any(v.producer.name in behind for v in node.inputs) else set()
        behind |= {node.name} if isinstance(node.op, ops.QuantReLU) else set()
        if node.name not in behind or node.name.endswith("_real"):
            continue
        for array in node.op.arrays.values():
            assert (array.data == np.round(array.data)).all(), node.place
        if isinstance(node.op, ops.Linear | ops.Conv):
            assert np.abs(node.op.weight.data).max() <= 127


def test_what_it_computes_stays_near_the_quantised_network() -> None:
    for seed in range(6):
        graph = random_net(seed)
        context = Context(calibration=calibration(graph), steps=1)
        before = applied(f"{CANON},thresholds{{levels=15}}", graph, context)
        after = applied("whole-numbers{bits=8}", before, context)
        for a, b in zip(
            outputs(before, "reference", None), outputs(after, "reference", None), strict=True
        ):
            assert np.abs(a - b).max() <= 0.15 * max(1.0, np.abs(a).max())


@pytest.mark.parametrize(
    "pool",
    [
        ops.AdaptiveAvgPool((2, 3)),
        ops.AdaptiveAvgPool((7, 7)),
        ops.AvgPool((3, 3), (1, 1), ((1, 1),) * 2, (1, 1), count_padding=False),
        ops.AvgPool((3, 2), (2, 2), ((1, 1),) * 2, (1, 1), ceil_mode=True),
        ops.AvgPool((2, 2), (2, 2), ((0, 0),) * 2, (2, 1)),
    ],
    ids=str,
)
def test_a_mean_over_windows_of_any_sizes_is_a_sum_over_a_number(pool: Op) -> None:
    net = Net(2, 5, 5)
    mean = net.edit.add(pool, net.x)
    chain, count = as_sum(mean.producer)
    whole = net.x
    for op in chain:
        whole = net.edit.add(op, whole)
    net.edit.output("mean", mean)
    net.edit.output("sum", whole)
    x = np.arange(100, dtype=np.float32).reshape(2, 2, 5, 5)
    wanted, found = run(net.edit.graph, x, dtype="float64")
    np.testing.assert_allclose(found, wanted * count, rtol=1e-12)
    assert not (found % 1).any()


def test_pools_with_windows_of_unequal_size_stay_exact() -> None:
    net = Net(2, 5, 5)
    pooled = net.edit.add(ops.AdaptiveAvgPool((2, 2)), net.relu(net.conv(net.x, 2)))
    quantised, spiking = lossless(net.done(net.linear(net.flat(pooled), 2)), burst=3)
    (wanted,), (found,) = (
        outputs(quantised, "reference", None),
        outputs(spiking, "layerwise", SETTLED),
    )
    np.testing.assert_array_equal(found[-1], wanted)


def test_a_bias_on_the_result_itself_comes_at_every_step() -> None:
    net = Net(2, 4, 4)
    pooled = net.edit.add(ops.AdaptiveAvgPool((1, 1)), net.relu(net.conv(net.x, 2)))
    ones = Array(np.ones(2, np.float32))
    shifted = net.edit.add(ops.Scale(ones, net.array(2), -1), net.flat(pooled))
    quantised, spiking = lossless(net.done(shifted), burst=3)
    (wanted,), (found,) = (
        outputs(quantised, "layerwise", None),
        outputs(spiking, "layerwise", SETTLED),
    )
    np.testing.assert_array_equal(found[-1], wanted)


def test_sums_that_float32_cannot_hold_are_refused_with_their_places() -> None:
    graph = random_net(1)
    context = Context(calibration=calibration(graph), steps=1)
    before = applied(f"{CANON},thresholds{{levels=255}}", graph, context)
    with pytest.raises(UnsupportedModel, match="too large to be exact") as caught:
        applied("whole-numbers{bits=16}", before, context)
    assert any("conv" in problem.where for problem in caught.value.problems)
