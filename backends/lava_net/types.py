"""Types as the folder's JSON files hold them."""

from __future__ import annotations

from typing import Any

from spikec.ir import TensorType
from spikec.ir.array_text import ArrayTable
from spikec.ir.codec import kind_of


def described(x: TensorType) -> Any:
    """Give a type as JSON holds it."""
    return kind_of(TensorType).dump(x.analog())


def stored_type(data: Any) -> TensorType:
    """Read a type from JSON."""
    found = kind_of(TensorType).load(data, ArrayTable(()))
    assert isinstance(found, TensorType)
    return found
