"""``--input 1x3x224x224`` or ``--input ids=2x16:int64``: example inputs from shapes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from spikec.errors import Problem, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

HELP = (
    "Shape of an example input, batch first: 1x3x224x224, 1x16:int64, or ids=1x16:int64 for an "
    "argument by name. Once per input."
)
LARGEST = 2**28
"""elements; a larger example (1 GiB in float32) is a typing error, or will not fit anyway"""
DTYPES = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
_SHAPE = re.compile(
    r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<dims>\d{1,12}(?:[x,]\d{1,12})*)(?::(?P<dtype>\w+))?", re.ASCII
)


def example_of(shapes: Sequence[str]) -> Any:
    """Make example inputs: one array, a tuple of them, a dict by names, or None without shapes."""
    if not shapes:
        return None
    matches = [_SHAPE.fullmatch(shape.strip()) for shape in shapes]
    problems = [p for s, m in zip(shapes, matches, strict=True) if (p := _problem(s, m))]
    if problems:
        raise UsageError("--input cannot be read", problems=problems)
    read = [match.groupdict() for match in matches if match]
    names = [entry["name"] for entry in read]
    if any(names) and (None in names or len(set(names)) < len(names)):
        raise UsageError(
            f"--input {' '.join(shapes)}: inputs by position and by name, or one name twice",
            expected="a different name for every input, or none",
        )
    arrays = [_array(_dims(entry["dims"]), entry["dtype"] or "float32") for entry in read]
    if any(names):
        return dict(zip(names, arrays, strict=True))
    return arrays[0] if len(arrays) == 1 else tuple(arrays)


def _problem(text: str, match: re.Match[str] | None) -> Problem | None:
    if match is None:
        return Problem(f"{text!r} is no shape", expected="sizes such as 1x3x224x224, or 1x16:int64")
    dtype = match["dtype"] or "float32"
    if dtype not in DTYPES:
        close = get_close_matches(dtype, DTYPES, n=1)
        remedy = f"did you mean {close[0]}?" if close else ""
        expected = f"one of {', '.join(DTYPES)}"
        return Problem(f"{text!r}: no element type {dtype!r}", expected=expected, remedy=remedy)
    elements = 1
    for size in _dims(match["dims"]):
        elements *= size
    if not 0 < elements <= LARGEST:
        return Problem(f"{text!r} has {elements} elements", expected=f"1 to {LARGEST}")
    return None


def _dims(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.split("[x,]", text)))


def _array(dims: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Random numbers where the type has fractions, zeros (always a valid index) elsewhere."""
    import numpy as np

    if dtype.startswith("float"):
        return np.random.default_rng(0).standard_normal(dims).astype(dtype)
    return np.zeros(dims, dtype)
