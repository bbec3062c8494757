"""Reads a target from a TOML table; everything that is wrong with it comes in one error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from spikec.errors import BadFile, Problem
from spikec.ir import Code, Op
from spikec.ir.ops import OPS, Neuron, Reset
from spikec.target.model import SECTIONS, AnalogInput, Fact, NeuronKind, Sign, Target

Table = Mapping[str, Any]
NEURONS: Mapping[str, type[Neuron]] = {
    name: op for name, op in OPS.items() if issubclass(op, Neuron)
}
ANY = "any"
"""every op there is, in a list of ops"""


class _WrongError(Exception):
    """A value that cannot be taken: what was expected, and what to do."""

    def __init__(self, expected: str, remedy: str = "") -> None:
        self.expected = expected
        self.remedy = remedy


@dataclass
class _Reader:
    file: str
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, what: str, where: str, expected: str = "", remedy: str = "") -> None:
        self.problems.append(Problem(what, where, expected, remedy))

    def table(self, value: object, where: str) -> Table:
        if isinstance(value, Mapping):
            return value
        self.wrong(f"{value!r} is no table", where, f"[{where}]")
        return {}

    def unknown(self, keys: Iterable[str], known: Iterable[str], where: str) -> None:
        names = list(known)
        for key in keys:
            if key not in names:
                self.wrong(f"unknown key {key!r}", where, ", ".join(names), nearest(key, names))


def read_target(table: Table, name: str, file: str) -> Target:
    """Give the target that a (merged) table describes."""
    reader = _Reader(file)
    reader.unknown(table, ("about", *SECTIONS, "neurons"), "the file")
    about = table.get("about")
    if not isinstance(about, str) or not about:
        reader.wrong("no description", "about", 'about = "one line of text"')
    parts = {key: _section(reader, key, table.get(key, {})) for key in SECTIONS}
    neurons = _neurons(reader, table.get("neurons", {}))
    if reader.problems:
        raise BadFile(f"target {name!r} cannot be read", where=file, problems=reader.problems)
    return Target(name, str(about), **parts, neurons=neurons, origin=file)


def nearest(word: str, known: Iterable[str]) -> str:
    """Name the nearest known word."""
    close = get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}?" if close else ""


def _section(reader: _Reader, key: str, value: object) -> Any:
    kind = SECTIONS[key]
    table = reader.table(value, key)
    known = {_dashed(f.name): f for f in fields(kind)}
    reader.unknown(table, known, key)
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, option in known.items():
        where = f"{key}.{name}"
        if name in table:
            values[option.name] = _fact(reader, where, table[name], _inner(hints[option.name]))
        elif _optional(hints[option.name]):
            values[option.name] = None
        elif option.default is MISSING:
            reader.wrong("missing", where, "{ value = ..., source = ... }")
    return None if reader.problems else kind(**values)


def _fact(reader: _Reader, where: str, table: object, read: Any) -> Fact[Any] | None:
    """Read ``{ value = ..., source = "..." }``; a value without a source is refused."""
    if not isinstance(table, Mapping):
        reader.wrong(f"{table!r} without a source", where, _FACT, _SOURCE)
        return None
    reader.unknown(table, ("value", "source"), where)
    source = table.get("source")
    if not isinstance(source, str) or not source.strip():
        reader.wrong("a value without a source", where, _FACT, _SOURCE)
    if "value" not in table:
        reader.wrong("no value", where, _FACT)
        return None
    try:
        value = _READ[read](table["value"])
    except _WrongError as error:
        reader.wrong(f"{table['value']!r}", where, error.expected, error.remedy)
        return None
    return Fact(value, str(source))


_FACT = '{ value = ..., source = "..." }'
_SOURCE = 'say who says so, or source = "not published; assumption"'


def _neurons(reader: _Reader, value: object) -> dict[type[Neuron], NeuronKind]:
    kinds: dict[type[Neuron], NeuronKind] = {}
    table = reader.table(value, "neurons")
    reader.unknown(table, NEURONS, "neurons")
    for name in table:
        if name in NEURONS:
            where = f"neurons.{name}"
            kinds[NEURONS[name]] = _kind(
                reader, NEURONS[name], reader.table(table[name], where), where
            )
    return kinds


def _kind(reader: _Reader, neuron: type[Neuron], table: Table, where: str) -> NeuronKind:
    hints = get_type_hints(neuron)
    choices = {
        _dashed(f.name): hints[f.name]
        for f in fields(neuron)
        if isinstance(hints[f.name], type) and issubclass(hints[f.name], Enum)
    }
    optional = [_dashed(f.name) for f in fields(neuron) if _optional(hints[f.name])]
    reader.unknown(table, ("source", "absent", "compartments", *choices), where)
    source = table.get("source")
    if not isinstance(source, str) or not source.strip():
        reader.wrong("neurons without a source", where, 'source = "..."', _SOURCE)
    options: dict[str, tuple[Enum, ...]] = {}
    for key, kind in choices.items():
        if key in table:
            members = _words(reader, table[key], f"{where}.{key}", [m.value for m in kind])
            options[key.replace("-", "_")] = tuple(kind(word) for word in members)
    absent = _words(reader, table.get("absent", []), f"{where}.absent", optional)
    names = tuple(word.replace("-", "_") for word in absent)
    return NeuronKind(str(source), options, names, _compartments(reader, table, where))


def _compartments(reader: _Reader, table: Table, where: str) -> dict[Reset, Fact[int]]:
    """Read how many compartments a neuron takes, by its reset."""
    place = f"{where}.compartments"
    rows = reader.table(table.get("compartments", {}), place)
    known = {reset.value: reset for reset in Reset}
    reader.unknown(rows, known, place)
    facts = {
        known[word]: _fact(reader, f"{place}.{word}", rows[word], int)
        for word in rows
        if word in known
    }
    return {reset: fact for reset, fact in facts.items() if fact is not None}


def _words(reader: _Reader, value: object, where: str, known: list[str]) -> list[str]:
    """Give the known words of a list, and report the others."""
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        reader.wrong(f"{value!r}", where, f"a list of: {', '.join(known)}")
        return []
    for word in value:
        if word not in known:
            reader.wrong(f"{word!r}", where, ", ".join(known), nearest(word, known))
    return [word for word in value if word in known]


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _WrongError("a whole number, 0 or more")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongError("true or false")
    return value


def _member(kind: type[Enum]) -> Callable[[object], Enum]:
    words = [member.value for member in kind]

    def read(value: object) -> Enum:
        if value not in words:
            raise _WrongError(", ".join(words), nearest(str(value), words))
        return kind(value)

    return read


def _several(read: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    def all_of(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _WrongError("a list")
        return tuple(map(read, value))

    return all_of


def _op(value: object) -> type[Op]:
    if not isinstance(value, str) or value not in OPS:
        raise _WrongError("names of ops", nearest(str(value), OPS))
    return OPS[value]


def _ops(value: object) -> tuple[type[Op], ...]:
    return tuple(OPS.values()) if value == ANY else _several(_op)(value)


def _inner(hint: Any) -> Any:
    """Give what a ``Fact[...]`` of the hint holds."""
    parts = [part for part in get_args(hint) if part is not type(None)]
    return get_args(parts[0])[0] if _optional(hint) else get_args(hint)[0]


def _optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType) and type(None) in get_args(hint)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


_READ: Mapping[Any, Callable[[object], Any]] = {
    int: _whole,
    bool: _truth,
    Sign: _member(Sign),
    AnalogInput: _member(AnalogInput),
    tuple[Code, ...]: _several(_member(Code)),
    tuple[type[Op], ...]: _ops,
}
"""how each kind of value is read"""
