"""Numbers as people write them on a command line: fractions, lists, sizes of memory."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING

from spikec.errors import Problem, UsageError

if TYPE_CHECKING:
    from spikec.data import Preprocess

_SIZE = re.compile(r"(?P<count>\d+(?:\.\d*)?)\s*(?P<unit>[kmgt]?)(?P<binary>i?)b?", re.IGNORECASE)
_POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def preprocess_of(scale: str, mean: str, std: str) -> Preprocess:
    """Read ``--scale``, ``--mean`` and ``--std``; all that cannot be read stands in one error."""
    from spikec.data import Preprocess

    problems: list[Problem] = []
    scales = _numbers("--scale", scale, problems)
    means, stds = _numbers("--mean", mean, problems), _numbers("--std", std, problems)
    if len(scales) > 1 or 0 in scales:
        problems.append(Problem(f"--scale {scale}", expected="one number, not 0"))
    if any(number <= 0 for number in stds):
        problems.append(Problem(f"--std {std}", expected="numbers above 0"))
    if means and stds and len(means) != len(stds):
        what = f"{len(means)} numbers for --mean and {len(stds)} for --std"
        problems.append(Problem(what, expected="as many of one as of the other"))
    if problems:
        raise UsageError("the preprocessing cannot be read", problems=problems)
    return Preprocess(scales[0] if scales else 1.0, means, stds)


def _numbers(option: str, text: str, problems: list[Problem]) -> tuple[float, ...]:
    """Read numbers and fractions, separated by commas."""
    found = []
    for part in text.split(",") if text.strip() else ():
        number = _number(part)
        if number is None:
            expected = "numbers or fractions, separated by commas: 0.485,0.456 or 1/255"
            problems.append(Problem(f"{option}: {part.strip()!r} is no number", expected=expected))
        else:
            found.append(number)
    return tuple(found)


def _number(text: str) -> float | None:
    """Read a finite number or a fraction.

    >>> _number("1/4"), _number(" .5"), _number("1/0"), _number("nan")
    (0.25, 0.5, None, None)
    """
    try:
        value = float(Fraction(text.strip())) if "/" in text else float(text)
    except (ValueError, ArithmeticError):
        return None
    return value if math.isfinite(value) else None


def memory_of(text: str) -> int | None:
    """Read a size of memory in bytes; nothing where none is given.

    >>> memory_of("2GB"), memory_of("1.5 KiB"), memory_of("4096"), memory_of("")
    (2000000000, 1536, 4096, None)
    """
    if not text.strip():
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--memory {text}", expected="bytes: 2000000000, 2GB, 512MiB")
    base = 1024 if match["binary"] else 1000
    size = int(float(match["count"]) * base ** _POWER[match["unit"].lower()])
    if size < 1:
        raise UsageError(f"--memory {text}", expected="at least one byte")
    return size
