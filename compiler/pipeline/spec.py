"""Pipelines as text: ``fold-batchnorm,thresholds{rule=mse,levels=8}``, both ways."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields
from enum import Enum
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from spikec.errors import UsageError
from spikec.pipeline.base import Pass

Made = TypeVar("Made")
_ITEM = re.compile(r"\s*([A-Za-z][\w-]*)\s*(?:\{([^{}]*)\})?\s*(,|$)")


def parse_pipeline(text: str, lookup: Callable[[str], type[Pass]]) -> tuple[Pass, ...]:
    """Read a pipeline; unknown passes and options are named with the nearest known ones."""
    return parse_items(text, lookup)


def parse_items(text: str, lookup: Callable[[str], type[Made]]) -> tuple[Made, ...]:
    """Read ``name`` or ``name{option=value,...}``, several separated by commas."""
    made: list[Made] = []
    position = 0
    while position < len(text):
        match = _ITEM.match(text, position)
        if match is None:
            raise UsageError(
                f"cannot read {text[position : position + 20]!r}",
                where=f"column {position + 1} of {text!r}",
                expected="name or name{option=value,...}, separated by commas",
            )
        name, options, _ = match.groups()
        made.append(make(lookup(name), name, dict(_options(options or "", name))))
        position = match.end()
    return tuple(made)


def print_pipeline(passes: Iterable[Pass]) -> str:
    """Write a pipeline; options equal to their defaults are left out."""
    return ",".join(map(print_pass, passes))


def print_pass(step: Pass) -> str:
    """Write one pass with its options."""
    options = [
        f"{_dashed(f.name)}={_show(getattr(step, f.name))}"
        for f in fields(step)
        if getattr(step, f.name) != f.default
    ]
    return step.name + (f"{{{','.join(options)}}}" if options else "")


def make(kind: type[Made], name: str, options: Mapping[str, str]) -> Made:
    """Build a dataclass from option texts."""
    own = fields(kind)  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    values = _typed(options, name, {f.name: hints[f.name] for f in own})
    missing = [_dashed(f.name) for f in own if _required(f) and f.name not in values]
    if missing:
        raise UsageError(f"{name} needs {', '.join(missing)}")
    return kind(**values)


def read_options(text: str, name: str, hints: Mapping[str, Any]) -> dict[str, Any]:
    """Read ``option=value,...`` of something that has options of these types.

    >>> read_options("dt=0.5,unit-thresholds=true", "nir", {"dt": float, "unit_thresholds": bool})
    {'dt': 0.5, 'unit_thresholds': True}
    """
    return _typed(dict(_options(text, name)), name, hints)


def _typed(options: Mapping[str, str], name: str, hints: Mapping[str, Any]) -> dict[str, Any]:
    """Read the text of each option as its type, and refuse options that there are not."""
    known = {_dashed(option): option for option in hints}
    values: dict[str, Any] = {}
    for key, text in options.items():
        if key not in known:
            raise UsageError(
                f"{name} has no option {key!r}",
                expected=", ".join(known) or "no options",
                remedy=suggestion(key, known),
            )
        values[known[key]] = _read(text, hints[known[key]], f"{name}.{key}")
    return values


def suggestion(word: str, known: Iterable[str]) -> str:
    """Name the nearest known word.

    >>> suggestion("ratte", ["rate", "phased"])
    'did you mean rate?'
    """
    near = difflib.get_close_matches(word.lower(), list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def _options(text: str, name: str) -> Iterable[tuple[str, str]]:
    given: set[str] = set()
    for part in filter(None, map(str.strip, text.split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"option {part!r} of {name}", expected="option=value")
        if key.strip() in given:
            raise UsageError(f"{name}.{key.strip()} is given twice", expected="one value")
        given.add(key.strip())
        yield key.strip(), value.strip()


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _read(text: str, hint: Any, where: str) -> Any:
    """Read a value of the annotated type."""
    if get_origin(hint) in (Union, UnionType):
        inner = [h for h in get_args(hint) if h is not type(None)]
        return None if text == "none" else _read(text, inner[0], where)
    try:
        if isinstance(hint, type) and issubclass(hint, Enum):
            return hint(text)
        return _READERS[hint](text)
    except (ValueError, KeyError):
        words = _words(hint)
        if words:
            raise UsageError(
                f"{where} = {text!r}", expected=" or ".join(words), remedy=suggestion(text, words)
            ) from None
        raise UsageError(f"{where} = {text!r}", expected=_NAMES.get(hint, str(hint))) from None


def _words(hint: Any) -> list[str]:
    """Give all that an option can be, where that is a choice between words."""
    if isinstance(hint, type) and issubclass(hint, Enum):
        return [str(member.value) for member in hint]
    return ["true", "false"] if hint is bool else []


def _bool(text: str) -> bool:
    return {"true": True, "false": False}[text]


_READERS: dict[Any, Callable[[str], Any]] = {int: int, float: float, str: str, bool: _bool}
_NAMES: dict[Any, str] = {int: "a whole number", float: "a number"}


def _show(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.value if isinstance(value, Enum) else value)


def _dashed(name: str) -> str:
    return name.replace("_", "-")
