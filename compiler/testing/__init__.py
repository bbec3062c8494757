"""Help for tests, here and in plug-ins: random graphs, their inputs, equivalence."""

from spikec.testing.compare import assert_equivalent, random_inputs
from spikec.testing.random_graphs import random_graph
from spikec.testing.strategies import graphs

__all__ = ["assert_equivalent", "graphs", "random_graph", "random_inputs"]
