"""Comparison of results with the truth, up to rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikec.ir import DType, Op, Sizes, TensorType

TOLERANCE = {DType.F16: 1e-3, DType.F32: 1e-5, DType.F64: 1e-12}
"""Of the largest result. The sums in these tests have up to some hundred terms, so that rounding
(5e-4, 6e-8 and 1e-16 of a term) stays well below it."""


def assert_equal(got: NDArray[Any], wanted: NDArray[Any], exact: bool = False) -> None:
    """Compare shape, element type and values; integers and truth values exactly."""
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    if got.dtype.kind != "f" or exact:
        np.testing.assert_array_equal(got, wanted)
        return
    finite = np.abs(wanted[np.isfinite(wanted)])
    tolerance = TOLERANCE[DType.of(got.dtype)] * float(finite.max(initial=0))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance)


def run(op: Op, *values: NDArray[Any]) -> NDArray[Any]:
    """Check that types foretell the one result, and give it."""
    types = op.infer(tuple(TensorType(v.shape, DType.of(v.dtype)) for v in values))
    results = op.run(values, Sizes())
    assert [x.dims for x in types] == [y.shape for y in results]
    assert [x.dtype for x in types] == [DType.of(y.dtype) for y in results]
    return results[0]


def assert_as_torch(
    op: Op, wanted: torch.Tensor, *values: NDArray[Any], exact: bool = False
) -> None:
    """Run the op and compare its one result with torch's."""
    assert_equal(run(op, *values), wanted.numpy(), exact)


def drawn(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    """Draw normal numbers."""
    return np.random.default_rng(seed).normal(0, 1, shape)


def ramp(*shape: int) -> NDArray[np.float64]:
    """Give 0, 1, 2, … in that shape: numbers that tell where they came from."""
    return np.arange(np.prod(shape), dtype=np.float64).reshape(shape)


def tensor(value: NDArray[Any]) -> torch.Tensor:
    """Give a copy as a tensor."""
    return torch.from_numpy(np.array(value))
