"""One error tree: every problem says what, where, what was expected, and what to do.

SpikecError
├── UsageError           the call itself is wrong (arguments, options, names)
│   └── MissingDependency    an optional package is needed and absent
├── ModelError           the user's model or file cannot be taken
│   ├── UnsupportedModel     nodes that spikec does not know, all of them at once
│   ├── UntraceableModel     the framework itself cannot capture the model
│   └── BadFile              unreadable, truncated, tampered, hostile or newer than this version
├── ToolFailed           a program that spikec runs is missing, hangs or breaks off
├── DataError            arrays of the wrong shape, dtype or content
└── GraphError           a graph breaks a rule of the IR
    ├── TypeMismatch         an op cannot take these operands
    ├── VerifyError          rules broken in a finished graph, all of them at once
    ├── ParseError           text that is not a graph, with line and caret
    └── PromiseBroken        a pass changed the outputs by more than it may (a defect of spikec)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, addressed to the person who can mend it."""

    what: str
    where: str = ""
    expected: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        """Show one labelled line per filled field."""
        lines = [self.what]
        for label, text in (
            ("where", self.where),
            ("expected", self.expected),
            ("remedy", self.remedy),
        ):
            if text:
                lines.append(f"  {label + ':':<10}{text}")
        return "\n".join(lines)


class SpikecError(Exception):
    """Root of all errors that are meant for the user."""

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        expected: str = "",
        remedy: str = "",
        problems: Sequence[Problem] = (),
    ) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.remedy = remedy
        self.problems = tuple(problems)
        head = str(Problem(what, where, expected, remedy))
        super().__init__("\n".join([head, *(f"- {p}" for p in self.problems)]))

    def to_json(self) -> dict[str, object]:
        """Give the same content for machines."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "where": self.where,
            "expected": self.expected,
            "remedy": self.remedy,
            "problems": [vars(problem) for problem in self.problems],
        }


class UsageError(SpikecError):
    """The call itself is wrong."""


class MissingDependency(UsageError):
    """An optional package is needed and absent."""


class ModelError(SpikecError):
    """The user's model or file cannot be taken."""


class UnsupportedModel(ModelError):
    """Nodes that spikec does not know, all of them at once."""


class UntraceableModel(ModelError):
    """The framework itself cannot capture the model."""


class BadFile(ModelError):
    """The file is unreadable, truncated, tampered, hostile or newer than this version."""


class ToolFailed(SpikecError):
    """A program that spikec runs is missing, hangs or breaks off; ``output``: its last words."""

    def __init__(self, what: str, *, where: str = "", remedy: str = "", output: str = "") -> None:
        told = [Problem("it had said:\n" + output)] if output else []
        super().__init__(what, where=where, remedy=remedy, problems=told)


class DataError(SpikecError):
    """Arrays of the wrong shape, dtype or content."""


class GraphError(SpikecError):
    """A graph breaks a rule of the IR."""


class TypeMismatch(GraphError):
    """An op cannot take these operands."""


class VerifyError(GraphError):
    """Rules broken in a finished graph, all of them at once."""


class ParseError(GraphError):
    """Text that is not a graph."""


class PromiseBroken(GraphError):
    """A pass changed the outputs by more than it may: a defect of the pass."""
