"""Sizes of axes: integers, or rational multiples of the batch size ``B`` and the steps ``T``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from spikec.errors import TypeMismatch


@dataclass(frozen=True)
class SymbolicDim:
    """The monomial ``coefficient * B**batch * T**time``, with ``batch + time >= 1``.

    >>> from spikec.ir.dims import B, T
    >>> print(B * 16, T * B, T / 2)
    16*B T*B T/2
    """

    coefficient: Fraction
    batch: int
    time: int

    def __mul__(self, other: int | SymbolicDim) -> SymbolicDim:
        """Multiply sizes; what stays symbolic stays symbolic."""
        product = multiply(self, other)
        if isinstance(product, int):
            raise TypeMismatch(f"{self} * {other} is not symbolic")
        return product

    __rmul__ = __mul__

    @property
    def subject(self) -> str:
        """What it counts, for messages."""
        return "number of steps" if self.time else "batch size"

    def __truediv__(self, other: int) -> SymbolicDim:
        """Divide by a number: ``T / 2`` is the half rate."""
        return SymbolicDim(self.coefficient / other, self.batch, self.time)

    def __str__(self) -> str:
        """Write ``16*B``, ``T*B``, ``3*T/2``."""
        factors = ["T"] * self.time + ["B"] * self.batch
        if self.coefficient.numerator != 1:
            factors.insert(0, str(self.coefficient.numerator))
        text = "*".join(factors)
        if self.coefficient.denominator != 1:
            text += f"/{self.coefficient.denominator}"
        return text


Dim = int | SymbolicDim
Dims = tuple[Dim, ...]

B = SymbolicDim(Fraction(1), 1, 0)
T = SymbolicDim(Fraction(1), 0, 1)


@dataclass(frozen=True)
class Sizes:
    """What ``B`` and ``T`` stand for in one run."""

    batch: int = 1
    steps: int = 1

    def of(self, dim: Dim) -> int:
        """Give the size in numbers; a fraction of a step is an error.

        >>> Sizes(batch=3, steps=8).of(T / 2 * B)
        12
        """
        if isinstance(dim, int):
            return dim
        value = (
            dim.coefficient * Fraction(self.batch) ** dim.batch * Fraction(self.steps) ** dim.time
        )
        if value.denominator != 1:
            raise TypeMismatch(
                f"{dim} is not a whole number at B={self.batch}, T={self.steps}",
                remedy=f"use a {dim.subject} divisible by {dim.coefficient.denominator}",
            )
        return value.numerator

    def shape(self, dims: Iterable[Dim]) -> tuple[int, ...]:
        """Give a whole shape in numbers."""
        return tuple(self.of(dim) for dim in dims)


def multiply(left: Dim, right: Dim) -> Dim:
    """Multiply two sizes."""
    a, b = _monomial(left), _monomial(right)
    return _dim(a[0] * b[0], a[1] + b[1], a[2] + b[2])


def divide(left: Dim, right: Dim) -> Dim | None:
    """Divide two sizes; None where the quotient is no size."""
    a, b = _monomial(left), _monomial(right)
    if left == 0 and b[0] != 0:
        return 0
    if b[0] == 0 or a[1] < b[1] or a[2] < b[2]:
        return None
    quotient = a[0] / b[0]
    symbolic = a[1] > b[1] or a[2] > b[2]
    if quotient.denominator != 1 and not symbolic:
        return None
    return _dim(quotient, a[1] - b[1], a[2] - b[2])


def product(dims: Iterable[Dim]) -> Dim:
    """Multiply all sizes: the number of elements.

    >>> print(product((T, B, 3, 4)))
    12*T*B
    """
    result: Dim = 1
    for dim in dims:
        result = multiply(result, dim)
    return result


def add(left: Dim, right: Dim) -> Dim | None:
    """Add two sizes; None where the sum is no monomial (``B + 1``)."""
    a, b = _monomial(left), _monomial(right)
    if a[1:] != b[1:]:
        return None
    return _dim(a[0] + b[0], a[1], a[2])


def without_time(dims: Dims) -> Dims:
    """Leave out the axes that hold time.

    >>> print(*without_time((T, B, 3)))
    B 3
    """
    return tuple(dim for dim in dims if not has_time(dim))


def has_time(dim: Dim) -> bool:
    """Tell whether the size grows with the number of steps."""
    return isinstance(dim, SymbolicDim) and dim.time > 0


def has_batch(dim: Dim) -> bool:
    """Tell whether the size grows with the batch."""
    return isinstance(dim, SymbolicDim) and dim.batch > 0


def per_step(dim: Dim) -> Dim:
    """Give the size of one step's share of an axis.

    >>> print(per_step(T / 2 * B), per_step(T), per_step(7))
    B 1 7
    """
    if isinstance(dim, SymbolicDim) and dim.time:
        return _dim(Fraction(dim.coefficient.numerator), dim.batch, 0)
    return dim


def rate_of(dim: Dim) -> Fraction:
    """Give the steps of an axis per step of the program; 0 where it holds no time.

    >>> rate_of(T / 2 * B)
    Fraction(1, 2)
    """
    if isinstance(dim, SymbolicDim) and dim.time:
        return Fraction(1, dim.coefficient.denominator)
    return Fraction(0)


_DIM = re.compile(r"(?:(\d+)\*)?([TB](?:\*[TB])*)(?:/([1-9]\d*))?", re.ASCII)


def parse_dim(text: str) -> Dim:
    """Read what ``str`` wrote.

    >>> parse_dim("3*T*B/2") == T * B * 3 / 2
    True
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]+", text):
        return int(text)
    match = _DIM.fullmatch(text)
    if match is None:
        raise TypeMismatch(f"{text!r} is not a size", expected="an integer, B, 16*B, T*B, T/2 …")
    numerator, symbols, denominator = match.groups()
    coefficient = Fraction(int(numerator or 1), int(denominator or 1))
    return _dim(coefficient, symbols.count("B"), symbols.count("T"))


def bind(dims: Dims, shape: tuple[int, ...], known: Mapping[str, int]) -> dict[str, int] | None:
    """Solve ``dims == shape`` for B and T on top of what is known; None where it has no solution.

    >>> bind((T, B, 3), (8, 2, 3), {})
    {'T': 8, 'B': 2}
    """
    if len(dims) != len(shape):
        return None
    bound = dict(known)
    for dim, size in zip(dims, shape, strict=True):
        if isinstance(dim, SymbolicDim) and dim.batch + dim.time == 1:
            symbol = "B" if dim.batch else "T"
            value = size / dim.coefficient
            if value.denominator != 1 or bound.setdefault(symbol, value.numerator) != value:
                return None
    sizes = Sizes(bound.get("B", 1), bound.get("T", 1))
    return bound if sizes.shape(dims) == shape else None


def _monomial(dim: Dim) -> tuple[Fraction, int, int]:
    if isinstance(dim, SymbolicDim):
        return dim.coefficient, dim.batch, dim.time
    return Fraction(dim), 0, 0


def _dim(coefficient: Fraction, batch: int, time: int) -> Dim:
    if batch or time:
        if coefficient == 0:
            return 0
        return SymbolicDim(coefficient, batch, time)
    return int(coefficient)
