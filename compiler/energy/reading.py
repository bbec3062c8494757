"""Reads a profile from a TOML table; everything that is wrong with it comes in one error."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from spikec.energy.profile import (
    Figure,
    Memory,
    Network,
    Neurons,
    Operations,
    Point,
    Profile,
    Static,
)
from spikec.errors import BadFile, Problem
from spikec.target.read import nearest

Table = Mapping[str, Any]
SECTIONS: Mapping[str, type] = {
    "operations": Operations,
    "neurons": Neurons,
    "network": Network,
    "memory": Memory,
    "static": Static,
}
OPTIONAL = ("memory", "static")
"""sections that may be missing as a whole"""
DIVIDES = ("memory.access-bytes", "static.neurons-per-core", "static.cores-per-chip")
FIGURE = '{ value = 0.9, source = "...", leaves-out = "..." }'
_KEY = re.compile(r"\s*(?:\[\s*(?P<section>[\w.-]+)\s*\]|(?P<key>[\w-]+)\s*=)")
POINTS = "{ value = [[bytes, pJ], ...], source = ..., leaves-out = ... }"


@dataclass
class _Reader:
    file: str
    lines: Mapping[str, int]
    """by key (``operations.ac``), the line of the file that it stands in"""
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, what: str, where: str, expected: str = "", remedy: str = "") -> None:
        key = where.partition("[")[0]
        line = self.lines.get(key) or self.lines.get(key.rpartition(".")[0])
        place = where if line is None else f"{where}, {self.file}:{line}"
        self.problems.append(Problem(what, place, expected, remedy))

    def known(self, keys: Iterable[str], names: Iterable[str], where: str) -> None:
        """Report keys that nobody reads."""
        all_names = list(names)
        for key in keys:
            if key not in all_names:
                remedy = nearest(key, all_names)
                place = f"{where}.{key}" if where else key
                self.wrong(f"unknown key {key!r}", place, ", ".join(all_names), remedy)

    def text(self, table: Table, key: str, where: str, expected: str) -> str:
        """Read a text that must be there."""
        value = table.get(key)
        if not isinstance(value, str) or not value.strip():
            self.wrong(f"no {key}", where, expected)
            return ""
        return value


def read_profile(table: Table, name: str, file: str, text: str = "") -> Profile:
    """Give the profile that a table describes; ``text`` is the file that it was read from."""
    reader = _Reader(file, lines_of(text))
    reader.known(table, ("about", "leaves-out", *SECTIONS), "")
    about = reader.text(table, "about", "the file", 'about = "one line of text"')
    leaves_out = reader.text(table, "leaves-out", "the file", 'leaves-out = "what is not priced"')
    parts = {key: _section(reader, key, table) for key in SECTIONS}
    if reader.problems:
        raise BadFile(f"profile {name!r} cannot be read", where=file, problems=reader.problems)
    return Profile(name, about, leaves_out, **parts, origin=file)


def lines_of(text: str) -> dict[str, int]:
    r"""Find the line of each key and each section of a TOML file.

    >>> lines_of('about = "x"\n[operations]\nac = { value = 1 }\n')
    {'about': 1, 'operations': 2, 'operations.ac': 3}
    """
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        match = _KEY.match(line)
        if match is None:
            continue
        if match["section"]:
            section = match["section"]
        found[section if match["section"] else f"{section}.{match['key']}".lstrip(".")] = number
    return found


def _section(reader: _Reader, key: str, table: Table) -> Any:
    kind, rows = SECTIONS[key], table.get(key)
    if rows is None and key in OPTIONAL:
        return None
    if rows is not None and not isinstance(rows, Mapping):
        reader.wrong(f"{rows!r} is no table", key, f"[{key}]")
        return None
    rows = rows or {}
    options = {f.name.replace("_", "-"): f for f in fields(kind)}
    if kind is Memory:
        return _memory(reader, rows, options)
    reader.known(rows, options, key)
    found = {}
    for name, option in options.items():
        needed = option.default is MISSING
        found[option.name] = _figure(reader, rows, name, key, needed=needed)
    return None if reader.problems else kind(**found)


def _figure(
    reader: _Reader, rows: Table, name: str, section: str, *, needed: bool
) -> Figure | None:
    """Read ``{ value = ..., source = "...", leaves-out = "..." }``."""
    where = f"{section}.{name}"
    if name not in rows:
        if needed:
            reader.wrong("a number is missing", where, FIGURE)
        return None
    told = _told(reader, rows[name], where, FIGURE)
    value = _number(reader, told.get("value"), where)
    if value == 0 and where in DIVIDES and told.get("value") == 0:
        reader.wrong("0", where, "a number above 0: others are divided by it")
    return Figure(value, str(told.get("source")), str(told.get("leaves-out")))


def _told(reader: _Reader, row: object, where: str, expected: str) -> Table:
    """Give a row that has a source, and says what it leaves out."""
    if not isinstance(row, Mapping):
        reader.wrong(f"{row!r} without a source", where, expected)
        return {"value": 0}
    reader.known(row, ("value", "source", "leaves-out"), where)
    reader.text(row, "source", where, expected)
    reader.text(row, "leaves-out", where, expected)
    return row


def _number(reader: _Reader, value: object, where: str) -> float:
    """Read a number that is 0 or more."""
    if value is None:
        reader.wrong("a number is missing", where, "value = a number, 0 or more")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        reader.wrong(f"{value!r} is no number", where, "a number, 0 or more")
    elif not math.isfinite(value) or value < 0:
        reader.wrong(f"{value}", where, "a finite number, 0 or more")
    else:
        return float(value)
    return 0.0


def _memory(reader: _Reader, rows: Table, options: Iterable[str]) -> Memory | None:
    names = [name for name in options if name not in ("source", "leaves-out")]
    reader.known(rows, names, "memory")
    if "points" not in rows:
        reader.wrong("numbers are missing", "memory.points", POINTS)
    told = _told(reader, rows.get("points", {"value": []}), "memory.points", POINTS)
    points = _points(reader, told.get("value"))
    access = _figure(reader, rows, "access-bytes", "memory", needed=True)
    queue = _figure(reader, rows, "queue-bytes", "memory", needed=True)
    beyond = _figure(reader, rows, "beyond", "memory", needed=False)
    if reader.problems or access is None or queue is None:
        return None
    source, leaves_out = str(told["source"]), str(told["leaves-out"])
    return Memory(points, access, queue, source, leaves_out, beyond)


def _points(reader: _Reader, rows: object) -> tuple[Point, ...]:
    """Read pairs whose sizes rise."""
    listed = rows if isinstance(rows, list) else []
    pairs = [row for row in listed if isinstance(row, list) and len(row) == 2]
    if len(pairs) != len(listed) or len(pairs) < 2:
        reader.wrong(f"{rows!r}", "memory.points", POINTS)
        return ()
    points = tuple(
        Point(*(_number(reader, part, f"memory.points[{i}]") for part in pair))
        for i, pair in enumerate(pairs)
    )
    if any(a.bytes >= b.bytes for a, b in itertools.pairwise(points)):
        reader.wrong("sizes that do not rise", "memory.points", POINTS)
    return points
