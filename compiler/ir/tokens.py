"""Text into tokens that remember their place, and errors that show it with a caret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from spikec.errors import ParseError
from spikec.ir.graph import NAME

WINDOW = 60
"""Characters of a long line that an error shows on either side of the place."""


class Lex(Enum):
    """Kinds of tokens; each value is what an error calls it."""

    VALUE = "a value such as %conv1"
    DIGEST = "a digest such as #1f2e3d4c"
    STRING = "a quoted text"
    NUMBER = "a number"
    WORD = "a word"
    MARK = "a mark"
    END = "the end of the text"


_PATTERNS = {
    Lex.VALUE: rf"%{NAME.pattern}(?:\#[0-9]+)?",
    Lex.DIGEST: r"\#[0-9a-f]+",
    Lex.STRING: r'"(?:[^"\\\n]|\\.)*"',
    Lex.NUMBER: r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|-inf\b",
    Lex.WORD: r"[A-Za-z_][A-Za-z0-9_]*(?:[.-][A-Za-z0-9_]+)*",
    Lex.MARK: r"[()\[\]{},;:=@+*/]",
}
_LEXER = re.compile(
    r"(?:\s|//[^\n]*)*(?:" + "|".join(f"(?P<{k.name}>{p})" for k, p in _PATTERNS.items()) + ")"
)
_SPACE = re.compile(r"(?:\s|//[^\n]*)*")
WORD = re.compile(_PATTERNS[Lex.WORD])


@dataclass(frozen=True)
class Token:
    """One piece of text and where it starts."""

    kind: Lex
    text: str
    start: int

    def __str__(self) -> str:
        """Say what stands there."""
        return repr(self.text) if self.text else self.kind.value


class Tokens:
    """The tokens of a text, read from left to right; ``//`` starts a comment.

    >>> tokens = Tokens("stride=(1, 2)")
    >>> tokens.take(Lex.WORD).text, tokens.accept("="), tokens.accept("[")
    ('stride', True, False)
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._lex())
        self._next = 0

    def peek(self) -> Token:
        """Give the next token without taking it."""
        return self._tokens[self._next]

    def at(self, *marks: str) -> bool:
        """Tell whether the next token is one of these marks."""
        token = self.peek()
        return token.kind is Lex.MARK and token.text in marks

    def next(self) -> Token:
        """Take the next token, whatever it is; the end is never passed."""
        token = self.peek()
        self._next += token.kind is not Lex.END
        return token

    def take(self, kind: Lex, expected: str = "") -> Token:
        """Take a token of this kind, or refuse."""
        if self.peek().kind is not kind:
            raise self.unexpected(expected or kind.value)
        return self.next()

    def accept(self, mark: str) -> bool:
        """Take this mark if it is there."""
        found = self.at(mark)
        self._next += found
        return found

    def expect(self, mark: str) -> None:
        """Take this mark, or refuse."""
        if not self.accept(mark):
            raise self.unexpected(f"'{mark}'")

    def keyword(self, *words: str) -> str:
        """Take one of these words, or refuse."""
        token = self.peek()
        if token.kind is not Lex.WORD or token.text not in words:
            raise self.unexpected(" or ".join(words))
        return self.next().text

    def items(self, close: str) -> Iterator[None]:
        """Stop at each item of a list with commas, and take the closing mark at its end."""
        while not self.accept(close):
            yield None
            if not self.accept(","):
                self.expect(close)
                return

    def unexpected(self, expected: str) -> ParseError:
        """Describe the next token as not what belongs there."""
        token = self.peek()
        return self.error(f"{token} does not belong here", token, expected)

    def error(self, what: str, token: Token, expected: str = "", remedy: str = "") -> ParseError:
        """Describe a mistake at a token: line, column, the line itself and a caret."""
        return self._error(what, token.start, expected, remedy)

    def _error(self, what: str, start: int, expected: str = "", remedy: str = "") -> ParseError:
        line = self._text.count("\n", 0, start) + 1
        first = self._text.rfind("\n", 0, start) + 1
        last = self._text.find("\n", start)
        shown = self._text[first : last if last >= 0 else len(self._text)]
        column = start - first
        left, right = max(0, column - WINDOW), column + WINDOW
        before, after = "…" * (left > 0), "…" * (right < len(shown))
        window = f"{before}{shown[left:right]}{after}".replace("\t", " ")
        caret = " " * (len(before) + column - left) + "^"
        where = f"line {line}, column {column + 1}\n    {window}\n    {caret}"
        return ParseError(what, where=where, expected=expected, remedy=remedy)

    def _lex(self) -> Iterator[Token]:
        position = 0
        while match := _LEXER.match(self._text, position):
            kind = Lex[match.lastgroup or Lex.END.name]
            yield Token(kind, match.group(kind.name), match.start(kind.name))
            position = match.end()
        blank = _SPACE.match(self._text, position)
        end = blank.end() if blank else position
        if end < len(self._text):
            found = self._text[end]
            raise self._error(
                "a text without its closing quote" if found == '"' else f"stray {found!r}", end
            )
        yield Token(Lex.END, "", end)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Give the nearest known names as a remedy; empty where none is near.

    >>> suggestion("Cnov", ["Conv", "ReLU"])
    'did you mean Conv?'
    """
    by_lower = {word.lower(): word for word in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(by_lower[word] for word in near)}?" if near else ""
