"""Runs a kernel over rows (samples of steps) in blocks of one fixed size, the last one padded.

Matrix libraries choose their order of summation by the number of rows they are given.  Here that
number depends on the shape of one row alone, never on batch, steps or memory, so that a row's
result does not depend on what it is computed together with.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

BLOCK_BYTES = 2 << 20
"""Operand and result of a block stay in the second-level cache, more or less."""
FEWEST = 2
"""One row alone takes other code paths in torch, with other rounding."""
ENOUGH = 64
"""More rows make a call no cheaper by the row, unless they are short."""
SHORT_BYTES = 64 << 10
"""A block of short rows holds more, up to here: a call costs more than the padding."""


def rows_per_block(row_bytes: int) -> int:
    """Give the power of two that fills a block, from the bytes of a row of operand and result.

    >>> rows_per_block(128 << 10), rows_per_block(128)
    (16, 512)
    """
    few, many = (_power(size // max(row_bytes, 1)) for size in (SHORT_BYTES, BLOCK_BYTES))
    return max(few, min(many, ENOUGH), FEWEST)


def _power(count: int) -> int:
    """Give the largest power of two up to a count, 1 at least."""
    return 1 << (max(count, 1).bit_length() - 1)


def by_rows(size: int, kernel: Callable[..., Tensor], *operands: Tensor) -> Tensor:
    """Apply a kernel to blocks of ``size`` rows of all operands; put the results together.

    Where derivatives are recorded all rows are one block: what is learned is rounded anyhow.
    """
    count = operands[0].shape[0]
    if count == size or torch.is_grad_enabled():
        return kernel(*operands)
    result: Tensor | None = None
    for start in range(0, max(count, 1), size):
        rows = min(size, count - start)
        y = kernel(*(_block(x[start : start + rows], size) for x in operands))
        if result is None:
            result = _room(y, count)
        result[start : start + rows] = y[:rows]
    assert result is not None  # the loop runs at least once
    return result


def _block(rows: Tensor, size: int) -> Tensor:
    if rows.shape[0] == size:
        return rows
    wide = _room(rows, size)
    wide[: rows.shape[0]] = rows
    wide[rows.shape[0] :] = 0
    return wide


def _room(x: Tensor, rows: int) -> Tensor:
    """Give room for so many rows in the memory format of x."""
    last = x.dim() == 4 and x.shape[1] > 1 and not x.is_contiguous()
    memory = torch.channels_last if last else torch.contiguous_format
    shape = (rows, *x.shape[1:])
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=memory)
