"""Linear maps with constant weights, and sums over windows: synapses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spikec.energy.counts import WORD, Counts, Stores, Work
from spikec.energy.rules.pooled import is_folded, pulled, sender
from spikec.energy.site import Site, item
from spikec.ir import Op, ops


def layer(site: Site) -> Work:
    """Weights, y = W x + b.  Events: an AC per synapse behind each.  Analog x: a MAC per synapse.

    Pools between events and weights are part of the weights: see ``pooled``.

    The bias is one sum per result and run.  An event reads its weights, and reads and writes the
    sums of the neurons that it reaches; an analog layer reads operand and weight for each product.
    """
    fan = site.fan_out()
    synapses, flops = int(fan.sum()), site.of(site.op.macs(site.node.input_types, (site.result,)))
    weight = item_of_weight(site)
    work = Work(flops=flops // site.runs, synapses=synapses, stores=stores(site))
    return onto(site, work, weight).with_counts(bias(site, weight))


def window_sum(site: Site) -> Work:
    """Sum over windows or axes: as a layer whose weights need no memory, and no product."""
    fan = site.fan_out()
    if is_folded(site.node):
        return Work()
    return onto(site, Work(synapses=int(fan.sum()), stores=stores(site)), 0)


def onto(site: Site, work: Work, weight: int) -> Work:
    """Count the synapses that work: of events, or of all elements; ``weight`` in bytes."""
    own, out = item(site.types()), item(site.result)
    source = sender(site.node)
    if source is not None:
        train = site.seen.trains[source]
        fan = pulled(site.fan_out(), site.node, source)
        acs, shifts = train.through(fan)
        arrived = train.events.sum(axis=-1)
        counts = Counts(
            acs=acs,
            shift_adds=shifts,
            value_read=WORD * arrived,
            weight_read=weight * acs,
            state_read=out * acs,
            state_written=out * acs,
        )
        inputs = train.events.shape[-1]
        flops = work.flops * inputs // site.of(site.types().step().size)
        return Work(counts, work.stores, flops, int(fan.sum()), inputs, arrived)
    used = work.synapses * site.runs
    counts = Counts(
        macs=used if weight else 0,
        adds=0 if weight else used,
        value_read=own * used,
        weight_read=weight * used,
        value_written=out * site.of(site.result.size),
    )
    return Work(counts, work.stores, work.flops, work.synapses)


def bias(site: Site, weight: int) -> Counts:
    """One sum per result and run, where there is a bias."""
    if getattr(site.op, "bias", None) is None:
        return Counts()
    size = site.of(site.result.size)
    return Counts(adds=size, weight_read=weight * size)


def scale(site: Site) -> Work:
    """Scale, y = a x + c by channel: a synapse for each element, whose weight is a."""
    size = site.of(site.result.size)
    work = onto(site, Work(synapses=size // site.runs, stores=stores(site)), item_of_weight(site))
    if site.op.shift is None:
        return work
    return work.with_counts(Counts(adds=size, weight_read=item_of_weight(site) * size))


def deformed(site: Site) -> Work:
    """Weights on interpolated, hence analog, values: one MAC per tap, whatever comes in."""
    used = site.of(site.op.macs(site.node.input_types, (site.result,)))
    own, weight = item(site.types()), item_of_weight(site)
    counts = Counts(
        macs=used,
        value_read=own * used,
        weight_read=weight * used,
        value_written=item(site.result) * site.of(site.result.size),
    )
    flops = used // site.runs
    work = Work(counts, stores(site), flops, flops)
    return work.with_counts(bias(site, weight))


def item_of_weight(site: Site) -> int:
    """Bytes of one weight, as it is stored in the graph."""
    return int(max(array.dtype.itemsize for array in site.op.arrays.values()))


def stores(site: Site) -> Stores:
    """Memories of a map: weights, operand, and result or sums."""
    weights = sum(array.data.nbytes for array in site.op.arrays.values())
    result = site.of(site.result.step().size) * item(site.result)
    operand = site.of(site.types().step().size) * item(site.types())
    if sender(site.node) is not None:
        return Stores(weights, states=result)
    return Stores(weights, read=operand, written=result)


AFFINE: Mapping[type[Op], Callable[[Site], Work]] = {
    ops.Linear: layer,
    ops.Conv: layer,
    ops.ConvTranspose: layer,
    ops.DeformConv: deformed,
    ops.Scale: scale,
    ops.SumPool: window_sum,
    ops.AvgPool: window_sum,
    ops.AdaptiveAvgPool: window_sum,
}
