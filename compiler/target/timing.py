"""How long events are under way where each connection takes time, and what evens paths out.

A program has no delays but those of its Delay ops: an event acts in the step in which it is sent.
A target whose connections take steps shifts whole layers in time, each by its longest path from
the inputs, and holds events of shorter paths back, so that the same events meet as in the program.
Such delays belong to the target.  A graph that held them would say something else wherever time is
not shifted: in the runtime, in which a Delay is a delay.  So they are data beside the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def depths(sources: Mapping[str, Iterable[str]], per_connection: int = 1) -> dict[str, int]:
    """Give the lag of each layer: the steps of its longest path; sources stand before targets.

    >>> depths({"a": [], "b": ["a"], "sum": ["a", "b"]})
    {'a': 0, 'b': 1, 'sum': 2}
    """
    found: dict[str, int] = {}
    for layer, before in sources.items():
        found[layer] = max((found[name] + per_connection for name in before), default=0)
    return found


def waits(
    sources: Mapping[str, Iterable[str]], per_connection: int = 1
) -> dict[str, tuple[int, ...]]:
    """Give for how long events of each source are held back, so that all paths become equal.

    >>> waits({"a": [], "b": ["a"], "sum": ["a", "b"]})
    {'a': (), 'b': (0,), 'sum': (1, 0)}
    """
    lag = depths(sources, per_connection)
    return {
        layer: tuple(lag[layer] - lag[name] - per_connection for name in before)
        for layer, before in sources.items()
    }
