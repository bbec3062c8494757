"""Bars on standard error, one per part of the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

Bars = Callable[[str], Callable[[int, int], None]]
"""label -> what is told how much of the work is done, and how much there is"""


@contextmanager
def bars() -> Iterator[Bars]:
    """Show them while in here."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def bar(label: str) -> Callable[[int, int], None]:
            task = progress.add_task(label, total=None)
            return lambda done, total: progress.update(task, completed=done, total=total)

        yield bar


def silent(label: str) -> Callable[[int, int], None]:
    """Show nothing."""
    return lambda done, total: None
