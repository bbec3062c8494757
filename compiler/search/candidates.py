"""What is tried, in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """A recipe, with numbers of steps: more of them err less, and cost more."""

    recipe: str
    steps: tuple[int, ...]

    def within(self, most: int | None) -> Family:
        """Leave out what takes more than so many steps."""
        return Family(self.recipe, tuple(t for t in self.steps if most is None or t <= most))


FAMILIES: tuple[Family, ...] = (
    Family("graded{n=4}", (1, 2, 4)),
    Family("graded{n=5}", (1, 2)),
    Family("graded{n=6}", (1, 2)),
    Family("graded{n=8}", (1,)),
    Family("differential", (2, 4, 8, 16)),
    Family("lossless{levels=15,burst=7}", (5,)),
    Family("lossless{levels=31,burst=15}", (5,)),
    Family("rate{fission=1.5}", (4, 8, 16)),
    Family("signed", (8, 16, 32)),
    Family("rate", (8, 16, 32, 64)),
    Family("few-spikes{bits=4}", (4,)),
    Family("few-spikes{bits=6}", (6,)),
    Family("phased", (7, 15)),
)
"""cheap ones first, so that later ones are given up early"""


def families(most: int | None) -> Iterator[Family]:
    """Give all that can be done in so many steps (of a window, for phased codes)."""
    for family in FAMILIES:
        kept = family.within(most)
        if kept.steps:
            yield kept
