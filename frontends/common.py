"""What frontends share: names of nodes, and the list of everything that cannot be imported."""

from __future__ import annotations

import re
from collections.abc import Sequence

from spikec.errors import Problem, UnsupportedModel

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


def refuse_all(model: str, problems: Sequence[Problem]) -> None:
    """Raise one error over all problems, if there are any."""
    if problems:
        count = f"{len(problems)} nodes" if len(problems) > 1 else "a node"
        raise UnsupportedModel(
            f"{model} has {count} that cannot be imported",
            problems=problems,
        )
