"""Refusals that many layers share."""

from __future__ import annotations

from spikec.errors import UsageError


def check_whole(value: object, told: str, least: int = 1, most: int | None = None) -> int:
    """Refuse what is no whole number from ``least`` on, to ``most``; ``told`` says what it counts.

    >>> check_whole(4, "{} steps")
    4
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or value < least
        or (most is not None and value > most)
    ):
        bounds = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise UsageError(told.format(repr(value)), expected=f"a whole number {bounds}")
    return value


def check_sides(value: object, told: str, least: int = 1) -> tuple[int, int]:
    """Refuse what is no pair of whole numbers, (height, width).

    >>> check_sides([3, 4], "images of size {}")
    (3, 4)
    """
    pair = tuple(value) if isinstance(value, list | tuple) else ()
    if len(pair) != 2 or not all(isinstance(n, int) and n >= least for n in pair):
        shown = list(pair) or repr(value)
        raise UsageError(told.format(shown), expected=f"(height, width), {least} or more each")
    height, width = pair
    return height, width
