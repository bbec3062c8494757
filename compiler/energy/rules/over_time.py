"""Ops between time steps, and decoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spikec.energy.counts import WORD, Counts, Stores, Work
from spikec.energy.rules.affine import item_of_weight, onto
from spikec.energy.rules.elementwise import function, nothing, traffic
from spikec.energy.site import Site, item
from spikec.ir import Op, ops
from spikec.ir.ops.coding import FromStatic
from spikec.ir.ops.readout import Readout


def running_sum(site: Site) -> Work:
    """Sum over steps: one AC an event, or one sum an analog element and step."""
    if not site.fires():
        return traffic(site, Counts(adds=site.of(site.types().size)))
    train, width = site.train(), item(site.types())
    acs, shifts = train.through(1)
    counts = Counts(
        acs=acs,
        shift_adds=shifts,
        value_read=WORD * acs,
        state_read=width * acs,
        state_written=width * acs,
    )
    return Work(counts, Stores(states=site.of(site.types().step().size) * width))


def mean(site: Site) -> Work:
    """A running sum, and a division a result."""
    return running_sum(site).with_counts(Counts(others=site.of(site.result.size)))


def difference(site: Site) -> Work:
    """One sum an element and step."""
    return traffic(site, Counts(adds=site.of(site.result.size)))


def scaled(site: Site) -> Work:
    """One product an element and step."""
    return traffic(site, Counts(macs=site.of(site.result.size)))


def weighted(site: Site) -> Work:
    """A synapse an element and step: one AC an event, or one MAC an analog element."""
    return onto(site, Work(synapses=site.of(site.types().step().size)), item_of_weight(site))


def mixed(site: Site) -> Work:
    """One MAC a pair of steps in a window, also where events come in."""
    macs = site.of(site.op.macs(site.node.input_types, (site.result,)))
    return traffic(site, Counts(macs=macs, weight_read=item_of_weight(site) * macs))


def wavelet(site: Site) -> Work:
    """One sum and one product a result, also where events come in."""
    size = sum(site.of(value.type.size) for value in site.node.outputs)
    return traffic(site, Counts(adds=size, macs=size))


OVER_TIME: Mapping[type[Op], Callable[[Site], Work]] = {
    **dict.fromkeys((FromStatic, ops.Delay, ops.LastStep), nothing),
    **dict.fromkeys((ops.CumulativeSum, ops.SumOverTime), running_sum),
    **dict.fromkeys((Readout, ops.MeanOverTime), mean),
    **dict.fromkeys((ops.TimeScale, ops.PhaseScale), scaled),
    ops.StepScale: weighted,
    ops.TimeMix: mixed,
    **dict.fromkeys((ops.Haar, ops.HaarInverse), wavelet),
    ops.Difference: difference,
    ops.AndOverTime: function,
}
