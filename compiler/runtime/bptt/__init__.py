"""Backpropagation through time: runs a spiking graph so that torch can differentiate it."""

from spikec.runtime.bptt.network import (
    Network,
    check_differentiable,
    without_derivative,
)

__all__ = ["Network", "check_differentiable", "without_derivative"]
