"""Fused neuron scans in C, compiled by the system's compiler at first use."""
