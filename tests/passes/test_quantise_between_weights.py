"""quantise-between-weights: chains of weights stay small in whole numbers, and still exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikec.errors import UnsupportedModel, UsageError
from spikec.ir import Graph, ops
from spikec.pipeline import Context
from spikec.pipeline.bounds import EXACT
from spikec.runtime import run, trace
from tests.passes.chained_nets import BLOCKS, chained_net
from tests.passes.conftest import Golden
from tests.passes.helpers import CANONICAL, Net, applied, calibration

FIRST = f"{CANONICAL},keep-reference,thresholds{{levels=7}}"
SETTLED = 80
"""steps by which every one of these small networks is quiet"""


def lossless(graph: Graph, burst: int, levels: int = 7) -> tuple[Graph, Graph]:
    """Give the whole-number network and the spiking one."""
    context = Context(calibration=calibration(graph), steps=SETTLED)
    between = f"quantise-between-weights{{levels={levels}}}"
    text = f"{FIRST},{between},whole-numbers,fold-constants,spike-sum{{levels={burst}}}"
    spiking = applied(f"{text},remove-dead", graph, context)
    assert context.quantised is not None
    return context.quantised, spiking


def last(graph: Graph, engine: str, steps: int | None, seed: int = 9) -> np.ndarray:
    data = {name: x[:3] for name, x in calibration(graph, seed=seed).items()}
    result = run(graph, data, engine, steps=steps)
    assert not isinstance(result, tuple)
    return result if steps is None else np.asarray(result[-1])


def chain(width: int = 64) -> Graph:
    """Weights behind weights, with no activation between them."""
    net = Net(8, name="chain", dyadic=True)
    x = net.relu(net.linear(net.x, width))
    return net.done(net.linear(net.linear(x, width), 2))


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), burst=st.sampled_from([1, 3, 7]))
@pytest.mark.parametrize("engine", ["layerwise", "reference"])
def test_the_settled_program_equals_its_quantised_network_exactly(
    engine: str, seed: int, burst: int
) -> None:
    quantised, spiking = lossless(chained_net(seed), burst)
    wanted = last(quantised, engine, None)
    np.testing.assert_array_equal(last(spiking, engine, SETTLED), wanted)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_kind_of_block_is_written_in_whole_numbers_and_near(block: object) -> None:
    for seed in range(3):
        net = Net(2, 6, 6, seed=seed)
        x = block(net, net.relu(net.conv(net.x, 4)))  # type: ignore[operator]
        graph = net.done(net.linear(net.flat(x), 3))
        context = Context(calibration=calibration(graph), steps=1)
        text = f"{CANONICAL},keep-reference,thresholds{{levels=255,rule=max}}"
        fine = "quantise-between-weights{levels=255}"
        quantised = applied(f"{text},{fine},whole-numbers{{bits=8}}", graph, context)
        wanted, found = (last(g, "reference", None, seed=7) for g in (graph, quantised))
        assert np.linalg.norm(found - wanted) <= 0.03 * np.linalg.norm(wanted)


@pytest.mark.parametrize("seed", range(8))
def test_no_number_in_it_is_larger_than_float32_counts_and_sites_stay_in_bounds(seed: int) -> None:
    quantised, spiking = lossless(chained_net(seed), burst=3)
    data = {name: x[:3] for name, x in calibration(quantised, seed=9).items()}
    sites = {n.name: n.op for n in quantised if isinstance(n.op, ops.QuantReLU)}
    assert any(site.low < 0 for site in sites.values())
    for name, counts in trace(quantised, data, record=sites).values.items():
        assert sites[name].low <= counts.min()
        assert counts.max() <= sites[name].levels
    neurons = [n.op for n in spiking if isinstance(n.op, ops.BipolarIF)]
    assert [(n.low, n.high) for n in neurons] == [(s.low, s.levels) for s in sites.values()]
    names = [n.name for n in quantised if n.outputs and not n.name.endswith("_real")]
    values = trace(quantised, data, record=names).values
    assert max(float(np.abs(x).max()) for x in values.values()) < EXACT


def test_golden(golden: Golden) -> None:
    graph = chain(2)
    before = applied(FIRST, graph, context := Context(calibration=calibration(graph)))
    wide = applied("quantise-between-weights{levels=3,bits=16}", before, context)
    golden("quantise_between_weights", before, wide)


def test_a_long_chain_is_refused_without_the_pass_and_exact_with_it() -> None:
    graph = chain()
    context = Context(calibration=calibration(graph), steps=1)
    with pytest.raises(UnsupportedModel, match="too large to be exact") as caught:
        applied(f"{FIRST},whole-numbers{{bits=11}}", graph, context)
    assert "quantise-between-weights" in caught.value.problems[0].remedy
    text = f"{FIRST},quantise-between-weights{{bits=11}},whole-numbers{{bits=11}}"
    (site,) = [
        node.op
        for node in applied(text, graph, context)
        if isinstance(node.op, ops.QuantReLU) and node.op.low < 0
    ]
    assert (site.low, site.levels) == (-15, 15)


def test_a_network_without_chains_stays_as_it_is() -> None:
    net = Net(8)
    graph = net.done(net.linear(net.relu(net.linear(net.x, 4)), 2))
    context = Context(calibration=calibration(graph))
    before = applied(FIRST, graph, context)
    assert str(applied("quantise-between-weights", before, context)) == str(before)


def test_outputs_and_activations_read_the_current_itself() -> None:
    net = Net(8)
    hidden = net.linear(net.relu(net.linear(net.x, 64)), 64)
    graph = net.done(hidden, net.linear(hidden, 2), net.relu(hidden))
    context = Context(calibration=calibration(graph))
    after = applied(f"{FIRST},quantise-between-weights", graph, context)
    readers = {type(node.op).__name__ for node in after[hidden.producer.name].outputs[0].users}
    assert readers == {"Output", "QuantReLU"}


def test_a_mean_is_quantised_without_negative_levels() -> None:
    net = Net(2, 16, 16)
    pooled = net.edit.add(ops.AdaptiveAvgPool((1, 1)), net.relu(net.conv(net.x, 512)))
    graph = net.done(net.linear(net.flat(pooled), 2))
    context = Context(calibration=calibration(graph))
    after = applied(f"{FIRST},quantise-between-weights", graph, context)
    (site,) = [n.op for n in after if n.name.endswith("quantised")]
    assert isinstance(site, ops.QuantReLU)
    assert site.low == 0


def test_it_needs_calibration_data_only_where_it_quantises() -> None:
    graph = chain()
    before = applied(FIRST, graph, Context(calibration=calibration(graph)))
    with pytest.raises(UsageError, match="needs calibration data"):
        applied("quantise-between-weights", before, Context())


@pytest.mark.parametrize("code", ["spike-rate", "spike-graded{n=2}", "spike-phased"])
def test_codes_without_negative_values_refuse_signed_quantisers(code: str) -> None:
    graph = chain()
    context = Context(calibration=calibration(graph), steps=1)
    before = applied(f"{FIRST},quantise-between-weights", graph, context)
    with pytest.raises(UnsupportedModel, match="negative"):
        applied(code, before, context)
