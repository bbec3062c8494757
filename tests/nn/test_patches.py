"""Patches: split, pasted back, and every size that an image may have."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikec.errors import DataError, UsageError
from spikec.nn.patches import Patches

CASES = [
    ((20, 17), 6, 4),
    ((16, 16), 16, 14),
    ((16, 30), 16, 14),
    ((40, 31), 16, 14),  # the last one shifted so far that three lie on a row
    ((9, 11), 4, 1),
    ((8, 12), 4, 4),
    ((7, 5), 3, 3),
    ((160, 160), 16, 14),
]


def image(size: tuple[int, int]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn((2, 3, *size), generator=generator, dtype=torch.float64)


def corners(size: int, patch: int, stride: int) -> list[int]:
    """As the released code goes: from the front, the last one shifted inwards."""
    return [min(i, size - patch) for i in range(0, size + stride - patch, stride)]


@pytest.mark.parametrize(("size", "patch", "stride"), CASES)
def test_patches_are_windows_row_by_row(size: tuple[int, int], patch: int, stride: int) -> None:
    x, layout = image(size), Patches(size, patch, stride)
    places = [
        (t, left)
        for t in corners(size[0], patch, stride)
        for left in corners(size[1], patch, stride)
    ]
    assert layout.count == len(places)
    wanted = torch.stack([x[..., t : t + patch, c : c + patch] for t, c in places], 1)
    assert torch.equal(layout(x), wanted)


@pytest.mark.parametrize(("size", "patch", "stride"), CASES)
def test_pasted_patches_are_the_image(size: tuple[int, int], patch: int, stride: int) -> None:
    x, layout = image(size), Patches(size, patch, stride)
    torch.testing.assert_close(layout.paste(layout.split(x)), x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("size", "patch", "stride"), CASES)
def test_a_pixel_is_the_mean_of_the_patches_on_it(
    size: tuple[int, int], patch: int, stride: int
) -> None:
    layout = Patches(size, patch, stride)
    given = torch.randn((1, layout.count, 2, patch, patch), dtype=torch.float64)
    total, counts = np.zeros((2, *size)), np.zeros(size)
    places = [
        (t, left)
        for t in corners(size[0], patch, stride)
        for left in corners(size[1], patch, stride)
    ]
    for one, (t, c) in zip(given[0].numpy(), places, strict=True):
        total[:, t : t + patch, c : c + patch] += one
        counts[t : t + patch, c : c + patch] += 1
    np.testing.assert_allclose(layout.paste(given)[0].numpy(), total / counts, atol=1e-6)


def test_weights_are_no_part_of_a_checkpoint() -> None:
    assert not Patches((12, 12), 4, 3).state_dict()


def test_images_and_patches_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="8 x 20 is smaller than a patch of 16 x 16"):
        Patches((8, 20), 16, 14)
    with pytest.raises(UsageError, match="every 5 pixels"):
        Patches((8, 8), 4, 5)
    with pytest.raises(DataError, match="9 x 8"):
        Patches((8, 8), 4).split(torch.zeros(1, 1, 9, 8))
