"""Arrays as text: small ones with their numbers, larger ones by digest."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from spikec.ir.array import INLINE_ELEMENTS, Array
from spikec.ir.tokens import Lex, Token, Tokens, suggestion
from spikec.ir.types import DType

FULL = 32
"""Digits of a whole digest."""
SHORT = 12
"""Digits that stand in text, where they are enough to tell the graph's arrays apart."""


class ArrayTable:
    """Arrays by digest, or by the first digits of one.

    >>> array = Array([1.0, 2.0])
    >>> ArrayTable([array]).find(array.digest[:8]) == (array,)
    True
    """

    def __init__(self, arrays: Iterable[Array]) -> None:
        by_digest = {array.digest: array for array in arrays}
        self._digests = sorted(by_digest)
        self._arrays = [by_digest[digest] for digest in self._digests]

    def find(self, prefix: str) -> tuple[Array, ...]:
        """Give all arrays whose digest starts so."""
        first = bisect_left(self._digests, prefix)
        last = bisect_left(self._digests, prefix + "g")
        return tuple(self._arrays[first:last])

    def digits(self) -> int:
        """Give how many digits tell these arrays apart."""
        for count in range(SHORT, FULL):
            if len({digest[:count] for digest in self._digests}) == len(self._digests):
                return count
        return FULL


def array_text(array: Array, digits: int = SHORT) -> str:
    """Write ``f32[2](0.5, 1.0)`` or ``f32[16, 3, 3, 3]#1f2e3d4c5b6a``.

    Numbers stand in the text if they are few and read back as the same bytes (a NaN with a payload
    would not).
    """
    head = f"{DType.of(array.dtype).value}{list(array.shape)}"
    if array.size <= INLINE_ELEMENTS:
        # str of a NumPy scalar is the shortest text that reads back as that number
        numbers = [str(number) for number in array.data.reshape(-1)]
        if Array(_array(numbers, array.dtype, array.shape)) == array:
            return f"{head}({', '.join(numbers)})"
    return f"{head}#{array.digest[:digits]}"


def read_array(tokens: Tokens, table: ArrayTable) -> Array:
    """Read what ``array_text`` wrote; a digest is looked up in the table."""
    start = tokens.peek()
    dtype = read_dtype(tokens)
    tokens.expect("[")
    shape = tuple(_size(tokens) for _ in tokens.items("]"))
    if tokens.accept("("):
        return _inline(tokens, start, dtype, shape)
    digest = tokens.take(Lex.DIGEST, "numbers in parentheses, or a digest such as #1f2e3d4c")
    found = table.find(digest.text[1:])
    if len(found) != 1:
        raise tokens.error(
            f"{len(found) or 'no'} arrays are called {digest.text}",
            digest,
            "exactly one among the arrays that were given",
            "give the arrays of the graph whose text this is",
        )
    (array,) = found
    if (array.dtype, array.shape) != (dtype.numpy, shape):
        what = f"array {digest.text} is {DType.of(array.dtype).value}{list(array.shape)}"
        raise tokens.error(what, start, f"{dtype.value}{list(shape)}, as it stands here")
    return array


def read_dtype(tokens: Tokens) -> DType:
    """Read an element type such as ``f32``."""
    names = {member.value: member for member in DType}
    token = tokens.take(Lex.WORD, f"an element type: {', '.join(names)}")
    if token.text not in names:
        remedy = suggestion(token.text, names)
        raise tokens.error(f"unknown element type {token}", token, ", ".join(names), remedy)
    return names[token.text]


def _size(tokens: Tokens) -> int:
    token = tokens.take(Lex.NUMBER, "a size")
    if not token.text.isdigit() or len(token.text) > 18:
        raise tokens.error(f"{token} is no size of an axis", token, "a whole number, 0 or more")
    return int(token.text)


def _inline(tokens: Tokens, start: Token, dtype: DType, shape: tuple[int, ...]) -> Array:
    numbers = []
    for _ in tokens.items(")"):
        token = tokens.next()
        if not _fits(token, dtype):
            raise tokens.error(f"{token} is no element of type {dtype.value}", token)
        numbers.append(token.text)
    if len(numbers) != prod(shape):
        raise tokens.error(f"{len(numbers)} numbers", start, f"{prod(shape)} for {list(shape)}")
    return Array(_array(numbers, dtype.numpy, shape))


def _fits(token: Token, dtype: DType) -> bool:
    """Tell whether a token is a number of this type, exactly so large."""
    if dtype is DType.BOOL:
        return token.text in _TRUTH
    if dtype.is_float:
        if token.text in _SPECIAL:
            return True
        with np.errstate(over="ignore"):
            return token.kind is Lex.NUMBER and bool(np.isfinite(_float(token.text, dtype)))
    info = np.iinfo(dtype.numpy.name)
    whole = token.kind is Lex.NUMBER and token.text.lstrip("-").isdigit() and len(token.text) < 25
    return whole and bool(info.min <= int(token.text) <= info.max)


def _float(text: str, dtype: DType) -> Any:
    return np.float64(text).astype(dtype.numpy)


def _array(numbers: list[str], dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    if dtype.kind == "b":
        return np.array([_TRUTH[number] for number in numbers], bool).reshape(shape)
    kind = float if dtype.kind == "f" else int
    return np.array([kind(number) for number in numbers], dtype).reshape(shape)


_TRUTH = {"True": True, "False": False}
_SPECIAL = ("inf", "-inf", "nan")
