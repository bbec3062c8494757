"""What sends events: neurons, encoders, and inputs that come as events."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spikec.energy.counts import WORD, Counts, Stores, Work
from spikec.energy.rules.elementwise import ELEMENTWISE, nothing, traffic
from spikec.energy.rules.pooled import is_folded
from spikec.energy.site import Site, item, payload_bits
from spikec.ir import Node, Spikes, Value, ops
from spikec.ir.layout import ONE
from spikec.ir.ops.coding import Encoder


def neuron(site: Site) -> Work:
    """One update a neuron and step; each reads and writes all states of the neuron.

    Events that come straight to a neuron take one AC each: a synapse of weight 1.
    """
    size, width = site.of(site.result.size), item(site.result)
    one_step = (site.types().step(),)
    states = len(site.op.initial(one_step, ONE, site.result.dtype.numpy))
    moved = states * width * size
    own = Counts(updates=size, state_read=moved, state_written=moved)
    work = Work(own, Stores(states=states * width * size // site.runs))
    if site.fires():
        acs, shifts = site.train().through(1)
        work = work.with_counts(Counts(acs=acs, shift_adds=shifts, value_read=WORD * acs))
    return work.with_counts(sent(site))


def encoder(site: Site) -> Work:
    """One decision an element and step."""
    size = site.of(site.result.size)
    return traffic(site, Counts(others=size)).with_counts(sent(site))


def source(site: Site) -> Work:
    """An input of the program: what comes as events is sent."""
    return Work(sent(site))


def sent(site: Site) -> Counts:
    """Count the events of the result."""
    value, signal = site.node.outputs[0], site.result.signal
    if not isinstance(signal, Spikes):
        return Counts()
    train = site.seen.trains[value]
    events = train.events.sum(axis=-1)
    return Counts(
        events=events,
        quanta=train.quanta.sum(axis=-1),
        popcount=train.popcount.sum(axis=-1),
        payload_bits=payload_bits(signal) * events,
        messages=max(1, len(readers(value))) * events,
        value_written=WORD * events,
    )


def readers(value: Value) -> set[Node]:
    """Give the nodes that do something with a value, behind all that only moves or pools it."""
    found: set[Node] = set()
    for user in value.users:
        if ELEMENTWISE.get(type(user.op)) is nothing or is_folded(user):
            found.update(*(readers(result) for result in user.outputs))
        else:
            found.add(user)
    return found


NEURONS: Mapping[type, Callable[[Site], Work]] = {
    ops.Neuron: neuron,
    Encoder: encoder,
    ops.Input: source,
}
