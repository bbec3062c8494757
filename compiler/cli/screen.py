"""Where a command writes: results to stdout; progress and errors to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console, RenderableType

WIDE = 100_000
"""columns where nobody looks: tables in a pipe or a file are not folded"""
PIPE_CLOSED = 141
"""exit code of a program whose reader went away (128 + SIGPIPE)"""
Advance = Callable[[float], None]
"""makes a bar longer by so many of its parts"""
Count = Callable[[int, int], None]
"""hears how many parts are done, and of how many"""


class Screen:
    """One command's output; ``json`` and ``quiet`` are the options of that name."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet or as_json

    def show(self, content: RenderableType) -> None:
        """Print a table or a line for people."""
        if not self.quiet:
            console_on(sys.stdout).print(content, highlight=False)

    def say(self, line: str) -> None:
        """Print a line for people, as it is."""
        if not self.quiet:
            write(line + "\n")

    def document(self, content: object) -> None:
        """Print the one JSON document of a command."""
        write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    @contextmanager
    def counting(self, label: str, total: int | None = None) -> Iterator[Count]:
        """As ``busy``, for work that tells how many parts are done, of how many."""
        with self.busy(label, total) as advance:
            before = 0

            def count(done: int, of: int) -> None:
                nonlocal before
                advance(done - before)
                before = done

            yield count

    @contextmanager
    def busy(self, label: str, total: int | None = None) -> Iterator[Advance]:
        """Show a progress bar while the body runs, if somebody looks; the body may advance it."""
        if self.quiet or not sys.stderr.isatty():
            yield _no_advance
            return
        from rich.progress import Progress

        # rich would send what is written to stdout to the bar's stream: not into a pipe's place
        same = sys.stdout.isatty()
        console = Console(stderr=True)
        with Progress(console=console, transient=True, redirect_stdout=same) as progress:
            task = progress.add_task(label, total=total)
            yield lambda parts: progress.advance(task, parts)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """End quietly, as programs in a pipe do (rich would say 1: 'a check failed')."""
        leave_broken_pipe()


def console_on(stream: TextIO, **options: Any) -> Console:
    """Give a rich console; as wide as the terminal, or unfolded where there is none."""
    width = None if stream.isatty() else WIDE
    return _Console(file=stream, width=width, **options)


def write(text: str) -> None:
    """Write to stdout, as it is."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        leave_broken_pipe()


def leave_broken_pipe() -> None:
    """End without a word: whoever read our output has stopped (``| head``)."""
    # Python flushes stdout once more at exit, which must not fail again
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(PIPE_CLOSED)


def _no_advance(parts: float) -> None:
    pass
