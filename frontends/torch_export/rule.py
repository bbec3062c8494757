"""What a rule is: a small function from a scope and an operator's arguments to its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch._ops import OpOverload

Rule = Callable[..., Any]
"""``rule(scope, *args, **kwargs)`` with the argument names of the operator's ATen schema; operands
are ``Value`` or ``Known``, sizes are ints or multiples of the batch."""

Rules = dict[OpOverload, Rule]


def shared(rule: Rule, *targets: OpOverload) -> Rules:
    """Give one rule to several operators."""
    return dict.fromkeys(targets, rule)


@dataclass(frozen=True)
class Unavailable:
    """One of several results that the IR cannot compute; harmless unless somebody reads it."""

    what: str
