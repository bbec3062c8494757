"""Runs one op over time, as the tests of scans need it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import B, DType, Editor, Graph, Op, Spikes, T, TensorType
from spikec.runtime import run

Numbers = NDArray[Any]


def over_time(op: Op, x: Numbers, dtype: str = "float64", signal: Spikes | None = None) -> Numbers:
    """Feed x of shape [T, B, ...] to an op and give its result at all steps."""
    edit = Editor(Graph("scan"), by="test")
    kind = DType.F32 if x.dtype.kind == "f" else DType.of(x.dtype)
    declared = TensorType((T, B, *x.shape[2:]), kind)
    if signal is not None:
        declared = TensorType(declared.dims, kind, signal)
    edit.output("y", edit.add(op, edit.input("x", declared)))
    result = run(edit.graph, x, dtype=dtype)
    assert isinstance(result, np.ndarray)
    return result


def currents(
    seed: int, steps: int, shape: tuple[int, ...] = (2, 3), scale: float = 1.0, shift: float = 0.0
) -> Numbers:
    """Give random currents of shape [steps, *shape]."""
    random = np.random.default_rng(seed)
    return random.normal(shift, scale, (steps, *shape)).astype(np.float32).astype(np.float64)
