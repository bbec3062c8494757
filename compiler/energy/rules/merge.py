"""Several values into one: joins, and products of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from spikec.energy.counts import WORD, Counts, Number, Stores, Work
from spikec.energy.rules.elementwise import traffic
from spikec.energy.site import Numbers, Site, binary_ones, item, magnitudes
from spikec.ir import Op, Spikes, ops
from spikec.ir.layout import folded


def join(site: Site) -> Work:
    """Join, y = a ± b: an AC per event and element it is added to; of analog values a sum each."""
    size, out = site.of(site.result.size), item(site.result)
    positions = [i for i in range(2) if site.fires(i)]
    if not positions:
        return traffic(site, Counts(adds=size))
    acs: Number = 0
    shifts: Number = 0
    arrived: Number = 0
    for position in positions:
        train = site.train(position)
        fan = size // site.of(site.types(position).size)
        more = train.through(fan)
        acs, shifts = acs + more[0], shifts + more[1]
        arrived = arrived + train.events.sum(axis=-1)
    counts = Counts(
        acs=acs,
        shift_adds=shifts,
        value_read=WORD * arrived,
        state_read=out * acs,
        state_written=out * acs,
    )
    return Work(counts, Stores(states=size // site.runs * out))


def product(site: Site) -> Work:
    """Multiply, y = Σ Π x.  With events: one AC per product whose events are all there; else MACs.

    The op itself says how many there are, run on ones in the place of events and analog numbers.
    """
    dense = site.of(site.op.macs(site.node.input_types, site.node.output_types))
    flops = dense // site.runs
    if not any(map(site.fires, range(len(site.node.inputs)))):
        work = traffic(site, Counts(macs=dense))
        return Work(work.counts, work.stores, flops, flops)
    each = len(site.node.inputs) - 1 or 1
    acs, shifts = _met(site, _present) * each, _met(site, _ones) * each
    own, out = item(site.types()), item(site.result)
    counts = Counts(
        acs=acs,
        shift_adds=shifts,
        value_read=(WORD + own) * acs,
        state_read=out * acs,
        state_written=out * acs,
    )
    return Work(counts, Stores(states=site.of(site.result.size) // site.runs * out), flops, flops)


def _met(site: Site, seen: Callable[[Numbers, Spikes], Numbers]) -> Number:
    """Run the op on what stands for its operands; add up the results of each sample."""
    sizes, arrays = site.seen.sizes, []
    for value in site.node.inputs:
        signal = value.type.signal
        if isinstance(signal, Spikes):
            arrays.append(seen(site.seen.values[value.name], signal).astype(np.float64))
        else:
            arrays.append(np.ones(value.type.shape(sizes)))
    (result,) = site.op.run(tuple(arrays), sizes)
    rows = folded(np.asarray(result), site.result, sizes)
    met: Number = np.rint(rows.reshape(len(rows), -1).sum(axis=1)).astype(np.int64)
    return met


def _present(array: Numbers, signal: Spikes) -> Numbers:
    return np.not_equal(array, 0)


def _ones(array: Numbers, signal: Spikes) -> Numbers:
    return binary_ones(signal.levels)[magnitudes(array, signal)]


MERGES: Mapping[type[Op], Callable[[Site], Work]] = {
    ops.Add: join,
    ops.Sub: join,
    ops.Mul: product,
    ops.Matmul: product,
    ops.Einsum: product,
}
