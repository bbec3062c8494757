"""Axes: NIR has neither batch nor time; both lead in what can be written."""

from __future__ import annotations

from spikec.backends.nir_graph.forms import Refused, Shape
from spikec.ir import DType, TensorType
from spikec.ir.dims import B, Dim, T, multiply

LEADS: tuple[tuple[Dim, ...], ...] = ((T, B), (B, T), (multiply(T, B),), (T,), (B,), ())
"""the axes that may stand in front of a sample's own"""


def sample_of(x: TensorType) -> Shape:
    """Give the sizes of one sample in one step."""
    if x.dtype is not DType.F32:
        raise Refused(
            f"elements of type {x.dtype.value}", "f32", "convert it to f32: a Cast in front"
        )
    if x.rate != 1:
        raise Refused(
            f"{x}: a value at {x.rate} of the steps",
            "one value per step",
            "leave what mixes steps to the host at one end of the network, or do without it",
        )
    for lead in LEADS:
        rest = x.dims[len(lead) :]
        if x.dims[: len(lead)] == lead and all(isinstance(dim, int) for dim in rest):
            return tuple(dim for dim in rest if isinstance(dim, int))
    raise Refused(
        f"{x}: batch and time do not stand in front, one by one",
        "[T, B, …], [T*B, …] or [B, …]",
        "insert a Permute or a Reshape",
    )


def lead_of(x: TensorType) -> tuple[Dim, ...]:
    """Give the axes in front of a sample's own."""
    return x.dims[: x.rank - len(sample_of(x))]
