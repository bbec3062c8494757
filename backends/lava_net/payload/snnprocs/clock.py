"""When a layer works: samples run back to back, and each layer lags behind those before it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """A sample takes ``period`` steps, of which ``steps`` are the program's; ``depth`` is the lag.

    >>> clock = Clock(period=5, steps=4, depth=2)
    >>> [clock.local(time) for time in (1, 2, 3, 7, 8)]
    [(-1, -1), (-1, 0), (0, 1), (0, 5), (1, 1)]
    """

    period: int
    steps: int
    depth: int

    def local(self, time_step: int) -> tuple[int, int]:
        """Give the sample and the step within it (from 1) at Lava's step (from 1)."""
        sample, step = divmod(time_step - 1 - self.depth, self.period)
        return sample, step + 1 if sample >= 0 else step - self.period + 1

    def within(self, time: int) -> bool:
        """Tell whether a step belongs to the program, not to the pause behind it."""
        return 1 <= time <= self.steps
