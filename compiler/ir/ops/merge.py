"""Two or more values into one: arithmetic, matrix products, Einstein sums."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir.dims import Dim, Dims, Sizes, multiply, product
from spikec.ir.op import Family, Op, Types, Values, broadcast_dims, expect
from spikec.ir.ops.elementwise import Binary, joint_dtype
from spikec.ir.types import TensorType

Numbers = NDArray[Any]
_TERM = r"[A-Za-z]*(?:\.\.\.)?[A-Za-z]*"
_EQUATION = re.compile(rf"{_TERM}(?:,{_TERM})*->{_TERM}")


class Add(Binary):
    """y = a + b: currents that meet."""

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return a + b


class Sub(Binary):
    """y = a - b."""

    numbers_only: ClassVar[bool] = True

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return a - b


class Mul(Binary):
    """y = a b."""

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return a * b

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        return outputs[0].size


class Div(Binary):
    """y = a / b; for integers the quotient truncated towards 0."""

    numbers_only: ClassVar[bool] = True

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        if a.dtype.kind == "f":
            return a / b
        floor, rest = np.divmod(a, b)
        y: Numbers = floor + ((rest != 0) & ((a < 0) != (b < 0))).astype(a.dtype)
        return y


class Pow(Binary):
    """y = a ^ b; for integers with b < 0 the power truncated towards 0."""

    numbers_only: ClassVar[bool] = True

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        if a.dtype.kind == "f":
            return np.power(a, b)
        # 1 / a^|b| is a whole number for a = 1 and a = -1 only, and is its own reciprocal there
        power = np.power(a, np.where(b < 0, b & 1, b))
        return np.where((b < 0) & (np.abs(a) != 1), 0, power).astype(a.dtype)


class Maximum(Binary):
    """y = max(a, b)."""

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return np.maximum(a, b)


class Minimum(Binary):
    """y = min(a, b)."""

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return np.minimum(a, b)


class FloorMod(Binary):
    """y = a - b ⌊a / b⌋: the remainder with the sign of b."""

    numbers_only: ClassVar[bool] = True

    def f(self, a: Numbers, b: Numbers) -> Numbers:
        return np.mod(a, b)


@dataclass(frozen=True)
class Matmul(Op):
    """y[..., i, j] = Σ_k a[..., i, k] b[..., k, j], leading axes broadcast; vectors as in NumPy."""

    family: ClassVar[Family] = Family.MERGE
    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    def infer(self, inputs: Types) -> Types:
        a, b = inputs
        dtype = joint_dtype(inputs)
        expect(a.rank >= 1 and b.rank >= 1, "a matrix product of scalars", "rank 1 or more")
        inner = b.dims[-2] if b.rank > 1 else b.dims[-1]
        expect(a.dims[-1] == inner, f"{a.dims[-1]} columns meet {inner} rows", "equal numbers")
        lead = broadcast_dims(a.dims[:-2], b.dims[:-2]) if max(a.rank, b.rank) > 2 else ()
        tail = (a.dims[-2:-1] if a.rank > 1 else ()) + (b.dims[-1:] if b.rank > 1 else ())
        return (TensorType((*lead, *tail), dtype),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        a, b = inputs
        return (np.asarray(a @ b),)

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        return (-1,)

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        return multiply(outputs[0].size, inputs[0].dims[-1])


@dataclass(frozen=True)
class Einsum(Op):
    """y = Σ of products after ``equation``, e.g. ``bhid,bhjd->bhij``; ``...`` stands for any axes.

    A letter that the result lacks is summed over, and so is a ``...`` that it lacks.
    """

    equation: str

    family: ClassVar[Family] = Family.MERGE
    arity: ClassVar[tuple[int, int | None]] = (1, None)

    def _terms(self, *ranks: int) -> tuple[list[str], str]:
        """Give one letter per axis, for operands and result, with ``...`` spelled out."""
        written = f"equation {self.equation!r}"
        match = _EQUATION.fullmatch(self.equation.replace(" ", ""))
        expect(match is not None, written, "letters and '...', as in 'ij,...jk->...ik'")
        left, _, right = self.equation.replace(" ", "").partition("->")
        terms = left.split(",")
        expect(len(terms) == len(ranks), f"{len(ranks)} operands for {written}")
        spans = [
            rank - len(term.replace("...", "")) if "..." in term else 0
            for term, rank in zip(terms, ranks, strict=True)
        ]
        free = [letter for letter in string.ascii_letters if letter not in self.equation]
        expect(min(spans) >= 0 and max(spans) <= len(free), f"{written} for ranks {ranks}")
        wide = "".join(free[: max(spans)])
        spelled = [
            term.replace("...", wide[len(wide) - span :])
            for term, span in zip(terms, spans, strict=True)
        ]
        return spelled, right.replace("...", wide)

    def _sizes(self, inputs: Types) -> tuple[dict[str, Dim], str]:
        terms, result = self._terms(*(x.rank for x in inputs))
        sizes: dict[str, Dim] = {}
        for term, x in zip(terms, inputs, strict=True):
            expect(len(term) == x.rank, f"term {term!r} for {x}", f"{x.rank} letters")
            for letter, dim in zip(term, x.dims, strict=True):
                (sizes[letter],) = broadcast_dims((sizes.get(letter, 1),), (dim,))
        expect(
            set(result) <= set(sizes) and len(set(result)) == len(result),
            f"result {result!r} of equation {self.equation!r}",
            "letters of the operands, each once",
        )
        return sizes, result

    def infer(self, inputs: Types) -> Types:
        sizes, result = self._sizes(inputs)
        return (TensorType(tuple(sizes[c] for c in result), joint_dtype(inputs)),)

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        terms, result = self._terms(*(x.ndim for x in inputs))
        return (np.asarray(np.einsum(f"{','.join(terms)}->{result}", *inputs, optimize=True)),)

    def mixes_time(self, inputs: Types) -> bool:
        terms, result = self._terms(*(x.rank for x in inputs))
        summed = {
            term[x.time_axis]
            for term, x in zip(terms, inputs, strict=True)
            if x.time_axis is not None and term[x.time_axis] not in result
        }
        return bool(summed)

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        sizes, _ = self._sizes(inputs)
        dims: Dims = tuple(sizes.values())
        return multiply(product(dims), len(inputs) - 1)
