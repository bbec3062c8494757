"""Kinds of simple field values: how each is written as text and as JSON, and read back."""

from __future__ import annotations

import json
import operator
from abc import ABC, abstractmethod
from enum import Enum
from typing import Any

from spikec.errors import ParseError, SpikecError
from spikec.ir.array import Array
from spikec.ir.array_text import FULL, ArrayTable, array_text, read_array
from spikec.ir.dims import Dim, SymbolicDim, parse_dim
from spikec.ir.tokens import WORD, Lex, Tokens, suggestion

Json = Any
"""None, bool, int, float, str, list or dict of these."""
LONGEST_NUMBER = 4000
"""Digits; Python refuses to read integers not much longer."""


class Kind(ABC):
    """How the values of one annotation are written and read."""

    expected: str
    """what a reader should have written"""

    @abstractmethod
    def text(self, value: Any, digits: int) -> str:
        """Write for people; ``digits`` of each digest."""

    @abstractmethod
    def read(self, tokens: Tokens, table: ArrayTable) -> Any:
        """Read what ``text`` wrote."""

    @abstractmethod
    def dump(self, value: Any) -> Json:
        """Write for machines; arrays by digest."""

    @abstractmethod
    def load(self, data: Json, table: ArrayTable) -> Any:
        """Read what ``dump`` wrote."""

    def malformed(self, data: Json) -> ParseError:
        """Describe JSON that this kind did not write."""
        return ParseError(f"{json.dumps(data)[:80]} is not {self.expected}")


class Integer(Kind):
    """A whole number."""

    expected = "a whole number"

    def text(self, value: Any, digits: int) -> str:
        return str(operator.index(value))

    def read(self, tokens: Tokens, table: ArrayTable) -> int:
        token = tokens.take(Lex.NUMBER, self.expected)
        if not token.text.lstrip("-").isdigit() or len(token.text) > LONGEST_NUMBER:
            raise tokens.error(f"{token.text[:40]} is not {self.expected}", token)
        return int(token.text)

    def dump(self, value: Any) -> Json:
        return operator.index(value)

    def load(self, data: Json, table: ArrayTable) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            raise self.malformed(data)
        return data


class Real(Kind):
    """A double; infinities and NaN are words, also in JSON."""

    expected = "a number"

    def text(self, value: Any, digits: int) -> str:
        return repr(float(value))

    def read(self, tokens: Tokens, table: ArrayTable) -> float:
        token = tokens.next()
        if token.kind is not Lex.NUMBER and token.text not in _NOT_FINITE:
            raise tokens.error(f"{token} does not belong here", token, self.expected)
        return float(token.text)

    def dump(self, value: Any) -> Json:
        text = repr(float(value))
        return text if text in _NOT_FINITE else float(value)

    def load(self, data: Json, table: ArrayTable) -> float:
        number = isinstance(data, int | float) and not isinstance(data, bool)
        if not number and data not in _NOT_FINITE:
            raise self.malformed(data)
        try:
            return float(data)
        except OverflowError:
            raise self.malformed(data) from None


_NOT_FINITE = ("inf", "-inf", "nan")


class Truth(Kind):
    """True or False."""

    expected = "True or False"

    def text(self, value: Any, digits: int) -> str:
        return str(bool(value))

    def read(self, tokens: Tokens, table: ArrayTable) -> bool:
        return tokens.keyword("True", "False") == "True"

    def dump(self, value: Any) -> Json:
        return bool(value)

    def load(self, data: Json, table: ArrayTable) -> bool:
        if not isinstance(data, bool):
            raise self.malformed(data)
        return data


class Text(Kind):
    """Any string, quoted."""

    expected = "a quoted text"

    def text(self, value: Any, digits: int) -> str:
        return quoted(value)

    def read(self, tokens: Tokens, table: ArrayTable) -> str:
        return read_string(tokens)

    def dump(self, value: Any) -> Json:
        return str(value)

    def load(self, data: Json, table: ArrayTable) -> str:
        if not isinstance(data, str):
            raise self.malformed(data)
        return data


class Choice(Kind):
    """A member of an Enum, by its value (a string)."""

    def __init__(self, members: type[Enum]) -> None:
        self.members = {str(member.value): member for member in members}
        self.expected = f"one of {', '.join(self.members)}"

    def text(self, value: Any, digits: int) -> str:
        return value.value if WORD.fullmatch(value.value) else quoted(value.value)

    def read(self, tokens: Tokens, table: ArrayTable) -> Enum:
        token = tokens.peek()
        if token.kind is Lex.STRING:
            name = read_string(tokens)
        else:
            name = tokens.take(Lex.WORD, self.expected).text
        if name not in self.members:
            remedy = suggestion(name, self.members)
            raise tokens.error(f"unknown choice {name!r}", token, self.expected, remedy)
        return self.members[name]

    def dump(self, value: Any) -> Json:
        return value.value

    def load(self, data: Json, table: ArrayTable) -> Enum:
        if not isinstance(data, str) or data not in self.members:
            raise self.malformed(data)
        return self.members[data]


class Size(Kind):
    """The size of an axis: ``3``, ``B``, ``T*B/2``."""

    expected = "a size such as 3, B, 16*B or T/2"

    def text(self, value: Any, digits: int) -> str:
        return str(value)

    def read(self, tokens: Tokens, table: ArrayTable) -> Dim:
        start = tokens.peek()
        parts = []
        while tokens.peek().kind in (Lex.NUMBER, Lex.WORD) or tokens.at("*", "/"):
            parts.append(tokens.next().text)
        try:
            return self._parse("".join(parts))
        except SpikecError as error:
            raise tokens.error(error.what, start, error.expected) from None

    def dump(self, value: Any) -> Json:
        return str(value) if isinstance(value, SymbolicDim) else operator.index(value)

    def load(self, data: Json, table: ArrayTable) -> Dim:
        return self._parse(str(data))

    def _parse(self, text: str) -> Dim:
        if len(text) > LONGEST_NUMBER:
            raise ParseError(f"{text[:40]}… is no size", expected=self.expected)
        return parse_dim(text)


class Numbers(Kind):
    """An Array: with its numbers where they are few, else by digest."""

    expected = "an array such as f32[2](0.5, 1.0) or f32[64, 3]#1f2e3d4c"

    def text(self, value: Any, digits: int) -> str:
        return array_text(value, digits)

    def read(self, tokens: Tokens, table: ArrayTable) -> Array:
        return read_array(tokens, table)

    def dump(self, value: Any) -> Json:
        return value.digest

    def load(self, data: Json, table: ArrayTable) -> Array:
        found = table.find(data) if isinstance(data, str) and len(data) == FULL else ()
        if not found:
            raise ParseError(f"array {json.dumps(data)[:80]} is missing")
        return found[0]


class Maybe(Kind):
    """None, or a value of another kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.expected = f"None or {kind.expected}"

    def text(self, value: Any, digits: int) -> str:
        return "None" if value is None else self.kind.text(value, digits)

    def read(self, tokens: Tokens, table: ArrayTable) -> Any:
        token = tokens.peek()
        if token.kind is Lex.WORD and token.text == "None":
            tokens.next()
            return None
        return self.kind.read(tokens, table)

    def dump(self, value: Any) -> Json:
        return None if value is None else self.kind.dump(value)

    def load(self, data: Json, table: ArrayTable) -> Any:
        return None if data is None else self.kind.load(data, table)


class Many(Kind):
    """A tuple: any number of one kind, or one of each of several."""

    def __init__(self, kinds: tuple[Kind, ...], repeated: bool) -> None:
        self.kinds = kinds
        self.repeated = repeated
        inner = ", ".join(kind.expected for kind in kinds)
        self.expected = f"({inner}, …)" if repeated else f"({inner})"

    def text(self, value: Any, digits: int) -> str:
        rows = zip(self._each(len(value)), value, strict=True)
        parts = [kind.text(item, digits) for kind, item in rows]
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"

    def read(self, tokens: Tokens, table: ArrayTable) -> tuple[Any, ...]:
        start = tokens.peek()
        tokens.expect("(")
        items: list[Any] = []
        for _ in tokens.items(")"):
            if not self.repeated and len(items) == len(self.kinds):
                raise tokens.unexpected(f"{len(self.kinds)} items only")
            kind = self.kinds[0] if self.repeated else self.kinds[len(items)]
            items.append(kind.read(tokens, table))
        if not self.repeated and len(items) != len(self.kinds):
            raise tokens.error(f"{len(items)} items", start, self.expected)
        return tuple(items)

    def dump(self, value: Any) -> Json:
        rows = zip(self._each(len(value)), value, strict=True)
        return [kind.dump(item) for kind, item in rows]

    def load(self, data: Json, table: ArrayTable) -> tuple[Any, ...]:
        if not isinstance(data, list) or not (self.repeated or len(data) == len(self.kinds)):
            raise self.malformed(data)
        rows = zip(self._each(len(data)), data, strict=True)
        return tuple(kind.load(item, table) for kind, item in rows)

    def _each(self, count: int) -> tuple[Kind, ...]:
        return self.kinds * count if self.repeated else self.kinds


def quoted(text: str) -> str:
    r"""Write a string in double quotes, on one line; what does not print is escaped.

    >>> print(quoted('a "b"'), quoted("é"), quoted(chr(10)))
    "a \"b\"" "é" "\n"
    """
    return json.dumps(text, ensure_ascii=not text.isprintable())


def read_string(tokens: Tokens) -> str:
    """Read what ``quoted`` wrote."""
    token = tokens.take(Lex.STRING)
    try:
        return str(json.loads(token.text))
    except ValueError:
        raise tokens.error(
            f"{token.text[:40]} has a stray control character or escape", token
        ) from None
