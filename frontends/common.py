"""What frontends share: reading files, names of nodes, and the list of what cannot be imported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from spikec.errors import BadFile, Problem, UnsupportedModel

MAX_BYTES = 1 << 36
"""A file of more bytes than this (64 GiB) is refused before it is read."""
_FOREIGN = re.compile(r"[^A-Za-z0-9_.]+")


class Refused(Exception):  # noqa: N818  (a message on its way to an UnsupportedModel)
    """One node cannot be imported: the reason, and what its author can do."""

    def __init__(self, reason: str, remedy: str = "", expected: str = "") -> None:
        self.reason = reason
        self.remedy = remedy
        self.expected = expected
        super().__init__(reason)


def node_name(text: str, default: str = "node") -> str:
    """Turn any text into a name that a node may have.

    >>> node_name("/layer1/0/conv"), node_name("0.weight"), node_name("")
    ('layer1_0_conv', '_0.weight', 'node')
    """
    name = _FOREIGN.sub("_", text).strip("_.") or default
    return name if name[0].isalpha() else f"_{name}"


def read_file(path: Path, expected: str) -> bytes:
    """Read a whole file; anything in the way is a BadFile."""
    where = str(path)
    try:
        if path.is_dir():
            raise BadFile("a folder is no model", where=where, expected=expected)
        if path.stat().st_size > MAX_BYTES:
            raise BadFile("the file is too large", where=where, expected="at most 64 GiB")
        return path.read_bytes()
    except FileNotFoundError:
        raise BadFile("there is no such file", where=where) from None
    except PermissionError:
        remedy = "check its permissions"
        raise BadFile("the file may not be read", where=where, remedy=remedy) from None
    except (OSError, ValueError) as error:
        raise BadFile(f"the file cannot be read: {error}", where=where) from None


def refuse_all(model: str, problems: Sequence[Problem]) -> None:
    """Raise one error over all problems, if there are any."""
    if problems:
        count = f"{len(problems)} nodes" if len(problems) > 1 else "a node"
        raise UnsupportedModel(
            f"{model} has {count} that cannot be imported",
            problems=problems,
        )
