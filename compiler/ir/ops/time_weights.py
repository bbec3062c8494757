"""Weights that depend on the step: by element, and between steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.array import Array
from spikec.ir.dims import Dim, Sizes, divide, has_batch, multiply
from spikec.ir.op import Family, Op, State, Types, Values, analog, axis_of, expect, expect_float
from spikec.ir.ops.shape import replaced
from spikec.ir.ops.temporal import TimeScan


@dataclass(frozen=True)
class StepScale(TimeScan):
    """y[t] = weights[(t - 1) mod K] ⊙ x[t], weights [K, …]: learnt factors by step and element.

    What stands behind the first axis broadcasts against the last axes of one step.
    """

    weights: Array

    floats_only: ClassVar[bool] = True

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        check_weights(self.weights, 1)
        own = self.weights.shape[1:]
        fits = len(own) < x.rank
        step = x.step().dims[x.rank - len(own) :] if fits else ()
        fits = fits and all(size in (1, dim) for size, dim in zip(own, step, strict=True))
        expect(fits, f"weights {list(self.weights.shape)} for {x}", "[K, …], … as in one step")
        return super().infer(inputs)

    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Remember nothing."""
        return ()

    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        (x,) = inputs
        return state, (x * self.weights.astype(x.dtype)[(time - 1) % len(self.weights.data)],)


@dataclass(frozen=True)
class TimeMix(Op):
    """y[n L + i] = Σ_j weight[i, j] x[n K + j] along ``axis``: steps meet in windows of K.

    weight is [L, K]; of T steps T L / K come out, so that T has to be a multiple of K.  The axis
    may be another one of a fixed size.
    """

    weight: Array
    axis: int

    family: ClassVar[Family] = Family.TEMPORAL

    def infer(self, inputs: Types) -> Types:
        (x,) = inputs
        expect_float(x)
        check_weights(self.weight, 2)
        expect(self.weight.ndim == 2, f"weight {list(self.weight.shape)}", "[L, K]")
        dim = x.dims[axis_of(self.axis, x.rank)]
        expect(not has_batch(dim), f"axis {self.axis} of {x}", "an axis that holds T alone")
        return analog(replaced(x.dims, self.axis, self._mixed(dim)), x)

    def _mixed(self, dim: Dim) -> Dim:
        out, window = self.weight.shape
        windows = divide(dim, window)
        expect(windows is not None, f"{dim} in windows of {window}", f"a multiple of {window}")
        assert windows is not None
        return multiply(windows, out)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        x = np.moveaxis(inputs[0], self.axis, -1)
        window = self.weight.shape[1]
        expect(
            x.shape[-1] % window == 0,
            f"{x.shape[-1]} steps in windows of {window}",
            f"a multiple of {window}",
        )
        windows = x.reshape(*x.shape[:-1], -1, window)
        mixed: NDArray[Any] = windows @ self.weight.astype(x.dtype).T
        return (np.moveaxis(mixed.reshape(*x.shape[:-1], -1), -1, self.axis),)

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return (self.axis,)

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        return multiply(outputs[0].size, self.weight.shape[1])


def check_weights(weights: Array, rank: int) -> None:
    """Refuse what are no finite numbers, or too few axes of them."""
    fits = weights.ndim >= rank and weights.size >= 1 and weights.dtype.kind in "iuf"
    fits = fits and bool(np.isfinite(weights.data).all())
    expect(fits, f"weights {weights}", f"finite numbers, {rank} axes or more")
