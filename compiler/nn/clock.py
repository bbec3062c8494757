"""How many steps encoders make, and of what number they have to be a multiple.

A module that halves the number of steps, or takes them in windows, has an attribute
``steps_multiple``: the importer then lets the steps vary among its multiples alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from spikec.errors import DataError
from spikec.nn.checks import check_whole


class GivesTime(nn.Module):
    """A module that turns still values into values over time, of ``steps`` steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = check_steps(steps)


@contextmanager
def steps(model: nn.Module, count: int) -> Iterator[None]:
    """Let every encoder in a model make ``count`` steps in here, whatever it was built with.

    >>> import torch, spikec.nn
    >>> encoder = spikec.nn.Direct(8)
    >>> with spikec.nn.steps(encoder, 3):
    ...     encoder(torch.zeros(2, 5)).shape
    torch.Size([3, 2, 5])
    """
    encoders = [module for module in model.modules() if isinstance(module, GivesTime)]
    before = [encoder.steps for encoder in encoders]
    try:
        for encoder in encoders:
            encoder.steps = count
        yield
    finally:
        for encoder, own in zip(encoders, before, strict=True):
            encoder.steps = own


def steps_multiple(model: nn.Module) -> int:
    """Give the number of which a model's steps have to be a multiple.

    >>> import spikec.nn
    >>> steps_multiple(nn.Sequential(spikec.nn.TimeMix(4), nn.Identity()))
    4
    """
    return math.lcm(*(getattr(module, "steps_multiple", 1) for module in model.modules()))


def check_multiple(steps: int, multiple: int) -> None:
    """Refuse inputs of steps that do not fill windows of ``multiple``; for layers that run."""
    if torch.compiler.is_compiling():  # the importer asks steps_multiple
        return
    if steps < 1 or steps % multiple:
        raise DataError(
            f"{steps} steps", expected=f"a multiple of {multiple}, {multiple} steps at least"
        )


def check_steps(count: object) -> int:
    """Refuse what is no number of steps."""
    return check_whole(count, "{} steps")
