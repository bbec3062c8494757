"""Tiles: joined without a seam, and equal to the whole image where a network is local."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikec.errors import DataError, UsageError
from spikec.nn.tiles import Axis, tiled

SIZES = [(40, 33), (16, 16), (17, 48), (41, 90)]


def image(size: tuple[int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn((2, 3, *size), generator=generator, dtype=torch.float64)


def local(scale: int) -> nn.Module:
    """Two convolutions, which see 2 pixels around; enlarged."""
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(3, 5, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(5, 2 * scale**2, 3, padding=1),
        nn.PixelShuffle(scale),
    )
    return nn.Sequential(*layers).double().requires_grad_(False)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("overlap", [4, 5, 12])
def test_cropped_tiles_of_a_local_network_are_the_whole(
    size: tuple[int, int], scale: int, overlap: int
) -> None:
    net, x = local(scale), image(size)
    found = tiled(net, x, 16, overlap, scale, blend=False)
    torch.testing.assert_close(found, net(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("blend", [True, False])
@pytest.mark.parametrize("overlap", [0, 1, 7])
def test_an_image_that_is_only_enlarged_stays_itself(
    size: tuple[int, int], blend: bool, overlap: int
) -> None:
    run: Callable[[Tensor], Tensor] = lambda x: x.repeat_interleave(2, -1).repeat_interleave(2, -2)  # noqa: E731
    x = image(size)
    found = tiled(run, x, (16, 12), overlap, 2, blend=blend, batch=3)
    torch.testing.assert_close(found, run(x), rtol=0, atol=1e-14)


def test_tiles_that_differ_meet_along_a_line() -> None:
    """Each tile gives its own number: no step is larger than theirs by the overlap."""
    numbers = iter(torch.split(torch.arange(9.0), 1))
    run: Callable[[Tensor], Tensor] = lambda x: torch.zeros_like(x) + next(numbers)  # noqa: E731
    y = tiled(run, torch.zeros(1, 1, 40, 40), 16, 4, batch=1)
    assert y[0, 0, 0, [0, 13, 20, 39]].tolist() == [0, 0.375, 1, 2]
    assert y.diff(dim=-1).abs().max() == 0.25
    assert y.diff(dim=-2).abs().max() == 0.75


@pytest.mark.parametrize("blend", [True, False])
@pytest.mark.parametrize(("size", "side", "overlap"), [(40, 16, 5), (33, 16, 15), (16, 16, 3)])
def test_weights_add_up_to_one(size: int, side: int, overlap: int, blend: bool) -> None:
    axis = Axis.of(size, side, overlap, 2, blend)
    assert axis.weights.shape[1] == 2 * size
    torch.testing.assert_close(
        axis.weights.sum(0), torch.ones(2 * size).double(), atol=1e-15, rtol=0
    )
    assert (axis.weights >= 0).all()


def test_arrays_are_given_arrays() -> None:
    x = image((40, 33)).numpy().astype(np.float32)
    seen: list[tuple[int, ...]] = []

    def run(part: NDArray[np.float32]) -> NDArray[np.float32]:
        assert isinstance(part, np.ndarray)
        seen.append(part.shape)
        return 2 * part

    found = tiled(run, x, 16, 4, batch=5)
    np.testing.assert_allclose(found, 2 * x, rtol=1e-6)
    assert found.dtype == np.float32
    assert seen[0] == (5, 3, 16, 16)
    assert sum(shape[0] for shape in seen) == 2 * 3 * 3


def test_what_does_not_fit_is_refused() -> None:
    x = image((20, 20))
    same: Callable[[Tensor], Tensor] = lambda part: part  # noqa: E731
    with pytest.raises(DataError, match="smaller than a tile of 24"):
        tiled(same, x, 24)
    with pytest.raises(DataError, match="by scale"):
        tiled(same, x, 16, 4, 2)
    with pytest.raises(UsageError, match="that share 16"):
        tiled(same, x, 16, 16)
    with pytest.raises(UsageError, match="scale=0"):
        tiled(same, x, 16, 4, 0)
    with pytest.raises(UsageError, match="batch=0"):
        tiled(same, x, 16, batch=0)
    with pytest.raises(DataError, match=r"\[3, 20, 20\]"):
        tiled(same, x[0], 16)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int64])
def test_whole_numbers_stay_what_they_are(kind: torch.dtype) -> None:
    x = torch.randint(0, 256, (1, 1, 33, 40), generator=torch.Generator().manual_seed(0)).to(kind)
    assert torch.equal(tiled(lambda part: part, x, 16, 4), x)


def test_mirrored_arrays_are_taken() -> None:
    x = np.random.default_rng(0).random((1, 1, 20, 20))[..., ::-1]
    np.testing.assert_allclose(tiled(lambda part: part, x, 16, 4), x, atol=1e-12)


@pytest.mark.parametrize(
    ("tile", "options", "told"),
    [
        (None, {}, "tiles of size None"),
        (16.0, {}, "tiles of size 16.0"),
        (16, {"overlap": 2.5}, "an overlap of 2.5"),
        (16, {"scale": 1.5}, "scale=1.5"),
        (16, {"batch": 2.5}, "batch=2.5"),
    ],
)
def test_tiles_are_whole_numbers(tile: Any, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        tiled(lambda part: part, image((40, 33)), tile, **options)
