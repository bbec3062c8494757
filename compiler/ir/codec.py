"""Values of op fields into text and JSON and back, as the type annotation of the field says.

``kind_of(annotation)`` gives the Kind that knows both forms, ``record_of(cls)`` that of a whole
dataclass such as an op.  Adding an op or a field touches nothing here.
"""

from __future__ import annotations

import operator
import types
import typing
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache, reduce
from typing import Any

from spikec.errors import SpikecError
from spikec.ir.array import Array
from spikec.ir.array_text import ArrayTable, read_dtype
from spikec.ir.dims import SymbolicDim
from spikec.ir.kinds import (
    Choice,
    Integer,
    Json,
    Kind,
    Many,
    Maybe,
    Numbers,
    Real,
    Size,
    Text,
    Truth,
)
from spikec.ir.tokens import Lex, Token, Tokens, suggestion
from spikec.ir.types import Analog, TensorType


class Record(Kind):
    """A dataclass: ``Name(field=value, …)``, fields that equal their default left out."""

    def __init__(self, cls: type[Any]) -> None:
        self.cls = cls
        self.name = cls.__name__
        self.expected = f"{self.name}(…)"
        hints = typing.get_type_hints(cls)
        self.kinds = {f.name: kind_of(hints[f.name]) for f in fields(cls) if f.init}
        self.defaults = {
            f.name: value for f in fields(cls) if (value := _default(f)) is not MISSING
        }

    def text(self, value: Any, digits: int) -> str:
        return f"{self.name}({self.fields_text(value, digits)})"

    def fields_text(self, value: Any, digits: int) -> str:
        """Write ``a=1, b=2``."""
        parts = []
        for name, kind in self.kinds.items():
            text = kind.text(getattr(value, name), digits)
            # compared as text: -0.0 equals 0.0 but is not the same
            if name not in self.defaults or text != kind.text(self.defaults[name], digits):
                parts.append(f"{name}={text}")
        return ", ".join(parts)

    def read(self, tokens: Tokens, table: ArrayTable) -> Any:
        start = tokens.peek()
        tokens.keyword(self.name)
        tokens.expect("(")
        return self.read_fields(tokens, table, start)

    def read_fields(self, tokens: Tokens, table: ArrayTable, start: Token) -> Any:
        """Read what ``fields_text`` wrote, and the closing parenthesis; give the whole."""
        given: dict[str, Any] = {}
        for _ in tokens.items(")"):
            token = tokens.take(Lex.WORD, "a field such as axis=-1")
            if token.text not in self.kinds:
                known = ", ".join(self.kinds) or "no fields"
                remedy = suggestion(token.text, self.kinds)
                raise tokens.error(f"{self.name} has no field {token}", token, known, remedy)
            if token.text in given:
                raise tokens.error(f"field {token} stands twice", token)
            tokens.expect("=")
            given[token.text] = self.kinds[token.text].read(tokens, table)
        missing = [name for name in self.kinds if name not in given and name not in self.defaults]
        if missing:
            raise tokens.error(f"{self.name} lacks {', '.join(missing)}", start)
        try:
            return self.cls(**given)
        except SpikecError as error:
            raise tokens.error(error.what, start, error.expected, error.remedy) from None

    def dump(self, value: Any) -> Json:
        return {name: kind.dump(getattr(value, name)) for name, kind in self.kinds.items()}

    def load(self, data: Json, table: ArrayTable) -> Any:
        if not isinstance(data, dict) or not self.kinds.keys() >= data.keys():
            raise self.malformed(data)
        if self.kinds.keys() - self.defaults.keys() - data.keys():
            raise self.malformed(data)
        return self.cls(**{name: self.kinds[name].load(data[name], table) for name in data})


class Type(Record):
    """A TensorType: ``f32[B, 3, 8, 8]``, with the signal behind it unless that is analog."""

    def __init__(self) -> None:
        super().__init__(TensorType)
        self.expected = "a type such as f32[B, 3, 32, 32]"

    def text(self, value: Any, digits: int) -> str:
        dims = ", ".join(map(str, value.dims))
        text = f"{value.dtype.value}[{dims}]"
        if value.signal == Analog():
            return text
        return f"{text} {self.kinds['signal'].text(value.signal, digits)}"

    def read(self, tokens: Tokens, table: ArrayTable) -> TensorType:
        start = tokens.peek()
        dtype = read_dtype(tokens)
        tokens.expect("[")
        dims = tuple(_SIZE.read(tokens, table) for _ in tokens.items("]"))
        analog = tokens.peek().kind is not Lex.WORD
        signal = Analog() if analog else self.kinds["signal"].read(tokens, table)
        try:
            return TensorType(dims, dtype, signal)
        except SpikecError as error:
            raise tokens.error(error.what, start, error.expected, error.remedy) from None


class OneOf(Kind):
    """One of several dataclasses, told apart by name; as JSON ``{name: fields}``."""

    def __init__(self, records: tuple[Record, ...]) -> None:
        self.records = {record.name: record for record in records}
        self.expected = " or ".join(record.expected for record in records)

    def text(self, value: Any, digits: int) -> str:
        return self.records[type(value).__name__].text(value, digits)

    def read(self, tokens: Tokens, table: ArrayTable) -> Any:
        token = tokens.peek()
        if token.text not in self.records:
            remedy = suggestion(token.text, self.records)
            raise tokens.error(f"{token} does not belong here", token, self.expected, remedy)
        return self.records[token.text].read(tokens, table)

    def dump(self, value: Any) -> Json:
        name = type(value).__name__
        return {name: self.records[name].dump(value)}

    def load(self, data: Json, table: ArrayTable) -> Any:
        if not isinstance(data, dict) or len(data) != 1 or not self.records.keys() >= data.keys():
            raise self.malformed(data)
        ((name, content),) = data.items()
        return self.records[name].load(content, table)


@cache
def record_of(cls: type[Any]) -> Record:
    """Give the Kind of a dataclass."""
    return Record(cls)


@cache
def kind_of(hint: Any) -> Kind:
    """Give the Kind of a field's annotation; one that has none is a mistake in the op."""
    if hint in _SIMPLE:
        return _SIMPLE[hint]()
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(arguments)
    if origin is tuple:
        repeated = arguments[-1:] == (...,)
        return Many(tuple(map(kind_of, arguments[:1] if repeated else arguments)), repeated)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Choice(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return record_of(hint)
    raise TypeError(f"fields of type {hint} have no text form; see spikec.ir.codec")


def _union(arguments: tuple[Any, ...]) -> Kind:
    rest = tuple(argument for argument in arguments if argument is not types.NoneType)
    if len(rest) < len(arguments):
        return Maybe(kind_of(reduce(operator.or_, rest)))
    records = tuple(
        record_of(argument)
        for argument in rest
        if isinstance(argument, type) and is_dataclass(argument)
    )
    if len(records) < len(rest):
        raise TypeError(f"a union of {arguments} has no text form; see spikec.ir.codec")
    return OneOf(records)


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


_SIZE = Size()
_SIMPLE: dict[Any, type[Kind]] = {
    int: Integer,
    float: Real,
    bool: Truth,
    str: Text,
    Array: Numbers,
    int | SymbolicDim: Size,
    TensorType: Type,
}
