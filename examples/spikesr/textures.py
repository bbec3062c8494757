"""Synthetic images in which one pattern repeats, each time warped a little."""

from __future__ import annotations

from math import pi

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

WAVES = 12
"""plane waves in a pattern"""
TURN, STRETCH, SHIFT = 0.15, 0.08, 0.15
"""largest turn (radians), stretch and shift (of half a cell) of a copy"""
CELL = 24
"""pixels a side of a large image's cell"""


def textures(count: int, side: int, seed: int = 0, cell: int = CELL) -> Tensor:
    """Give images [count, 3, side, side] in [0, 1], each of one pattern's warped copies."""
    random = torch.Generator().manual_seed(seed)
    cells = -(-side // cell)
    pattern = patterns(count, 2 * cell, random)
    copies = count * cells**2
    matrices = warps(copies, random)
    places = F.affine_grid(matrices, [copies, 3, cell, cell], align_corners=False)
    repeated = pattern.repeat_interleave(cells**2, 0)
    drawn = F.grid_sample(repeated, places, padding_mode="reflection", align_corners=False)
    laid = drawn.reshape(count, cells, cells, 3, cell, cell).permute(0, 3, 1, 4, 2, 5)
    return laid.reshape(count, 3, cells * cell, cells * cell)[..., :side, :side].contiguous()


def patterns(count: int, side: int, random: torch.Generator) -> Tensor:
    """Give 1/2 + tanh(2 Σ_k a_k sin(f_k · (x, y) + φ_k)) / 2, a_k per colour, |f_k| < 0.3 π."""
    shape = (count, WAVES, 1, 1)
    angle = 2 * pi * torch.rand(shape, generator=random)
    rate = pi * (0.05 + 0.25 * torch.rand(shape, generator=random))
    phase = 2 * pi * torch.rand(shape, generator=random)
    amount = torch.randn((count, 3, WAVES), generator=random) / WAVES**0.5
    place = torch.arange(float(side))
    along = rate * (angle.cos() * place + angle.sin() * place[:, None])
    total = torch.einsum("nck,nkyx->ncyx", amount, torch.sin(along + phase))
    return 0.5 + 0.5 * torch.tanh(2 * total)


def warps(count: int, random: torch.Generator) -> Tensor:
    """Give matrices [count, 2, 3] near the middle half of a pattern."""
    turn, wide, high, right, down = (2 * torch.rand((5, count), generator=random) - 1).unbind()
    turn, wide, high = TURN * turn, 1 + STRETCH * wide, 1 + STRETCH * high
    rows = (
        torch.stack([wide * turn.cos(), -high * turn.sin(), SHIFT * right], -1),
        torch.stack([wide * turn.sin(), high * turn.cos(), SHIFT * down], -1),
    )
    return torch.stack(rows, 1) / 2
