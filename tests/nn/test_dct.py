"""The encoder of DCT-SNN, against sums over pixels and loops over steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spikec.errors import DataError, UsageError
from spikec.nn import Blocks, DctEncoder, DctFrames, YCbCr
from spikec.nn.dct import bases, dct_matrix, schedule, zigzag


def image(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tiled(x: np.ndarray, block: int, stride: int) -> np.ndarray:
    """Blocks side by side, one block at a time; pixels of the edge beyond it."""
    height, width = x.shape[-2:]
    rows = -(-(height - block) // stride) + 1
    columns = -(-(width - block) // stride) + 1
    pads = [(0, 0)] * (x.ndim - 2)
    pads += [(0, (rows - 1) * stride + block - height), (0, (columns - 1) * stride + block - width)]
    x = np.pad(x, pads, mode="edge")
    made = np.empty((*x.shape[:-2], rows * block, columns * block), x.dtype)
    for i in range(rows):
        for j in range(columns):
            part = x[..., i * stride : i * stride + block, j * stride : j * stride + block]
            made[..., i * block : (i + 1) * block, j * block : (j + 1) * block] = part
    return made


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, int], int, int]:
    block = draw(st.integers(1, 6))
    side = st.integers(block, 17)
    return (draw(side), draw(side)), block, draw(st.integers(1, block))


@given(layout=layouts(), channels=st.integers(1, 3))
def test_a_cycle_adds_up_to_the_image_in_blocks(
    layout: tuple[tuple[int, int], int, int], channels: int
) -> None:
    size, block, stride = layout
    x = image(2, channels, *size)
    wanted = tiled(x.numpy(), block, stride)
    frames = DctFrames(block**2, size, block=block, stride=stride)
    np.testing.assert_allclose(frames(x).sum(0).numpy(), wanted, atol=2e-6)
    blocks = Blocks(size, block, stride)
    np.testing.assert_allclose(blocks(x).numpy(), wanted, atol=1e-7)
    assert tuple(wanted.shape[-2:]) == blocks.out_size


def test_a_cycle_adds_up_to_1e6_on_images() -> None:
    x = image(8, 3, 32, 32).sigmoid()
    frames = DctFrames(16, (32, 32), block=4, stride=2)
    error = (frames(x).sum(0) - Blocks((32, 32), 4, 2)(x)).abs().max()
    assert error <= 1e-6


def test_the_transform_is_orthonormal() -> None:
    for size in (1, 2, 4, 8):
        q = dct_matrix(size)
        torch.testing.assert_close(q @ q.T, torch.eye(size, dtype=torch.float64))
        flat = bases(size).flatten(1)
        torch.testing.assert_close(flat @ flat.T, torch.eye(size**2, dtype=torch.float64))


def test_frequencies_are_scanned_in_the_zigzag_of_jpeg() -> None:
    assert zigzag(4) == [
        *((0, 0), (0, 1), (1, 0), (2, 0)),
        *((1, 1), (0, 2), (0, 3), (1, 2)),
        *((2, 1), (3, 0), (3, 1), (2, 2)),
        *((1, 3), (2, 3), (3, 2), (3, 3)),
    ]


def test_frames_are_those_of_the_formula() -> None:
    x = image(2, 1, 8, 8).double()
    frames = DctFrames(16, (8, 8)).double()(x)
    q = dct_matrix(4).float().double()
    for k, (u, v) in enumerate(zigzag(4)):
        for i in range(2):
            for j in range(2):
                part = (..., slice(4 * i, 4 * i + 4), slice(4 * j, 4 * j + 4))
                found = (q @ x[part] @ q.T)[..., u, v][..., None, None]
                wanted = found * torch.outer(q[u], q[v])
                torch.testing.assert_close(frames[k][part], wanted, atol=1e-6, rtol=0)


def test_orders() -> None:
    assert schedule("cyclic", 3, 6, 4) == [0, 1, 2]
    assert schedule("reversed", 3, 6, 4) == [2, 1, 0]
    assert schedule("interleaved", 3, 6, 4) == [0, 0, 1, 1, 2, 2]
    assert schedule("intermittent", 16, 16, 4) == [0, 2, 5, 7, 9, 10, 12, 15]
    assert schedule((5, 0), 16, 16, 4) == [5, 0]
    x = image(1, 1, 8, 8)
    everything = DctFrames(16, (8, 8))(x)
    chosen = DctFrames(4, (8, 8), order=(5, 0))(x)
    torch.testing.assert_close(chosen, everything[[5, 0, 5, 0]])
    array: Any = np.array([5, 0])
    torch.testing.assert_close(DctFrames(4, (8, 8), order=array)(x), chosen)
    few = DctFrames(2, (8, 8), frequencies=8)(x)
    torch.testing.assert_close(few, everything[:2])


def test_thresholds_are_percentiles_by_rank() -> None:
    x = image(20, 1, 12, 12)
    encoder = DctEncoder(16, (12, 12), stride=2)
    up, down = encoder.calibrate(x)
    frames = np.sort(DctFrames(16, (12, 12), stride=2)(x).numpy(), axis=None)
    n = len(frames)
    assert up == pytest.approx(frames[round(0.935 * n) - 1], rel=1e-6)
    assert down == pytest.approx(frames[round(0.065 * n) - 1], rel=1e-6)


@pytest.mark.parametrize("steps", [5, 16, 48])
def test_events_are_those_of_a_plain_loop(steps: int) -> None:
    x = image(6, 2, 8, 8)
    encoder = DctEncoder(steps, (8, 8))
    encoder.calibrate(x)
    frames = encoder.frames(x)
    up, down = encoder.neuron.threshold, -encoder.neuron.negative_threshold
    m, wanted = torch.zeros_like(frames[0]), []
    for frame in frames:
        m = m + frame
        s = (m > up).float() - (m < down).float()
        m = m - up * (s > 0) - down * (s < 0)
        wanted.append(s)
    torch.testing.assert_close(encoder(x), torch.stack(wanted), rtol=0, atol=0)
    assert {-1.0, 0.0, 1.0} == set(encoder(x).unique().tolist())


def test_bytes_are_images_from_0_to_1() -> None:
    x = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    torch.testing.assert_close(DctFrames(16, (8, 8))(x), DctFrames(16, (8, 8))(x.float() / 255))
    colours = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    torch.testing.assert_close(YCbCr()(colours), YCbCr()(colours.float() / 255))
    mix = YCbCr().double()
    torch.testing.assert_close(mix(colours), mix(colours.double() / 255))


def test_sides_may_be_a_list() -> None:
    x = image(2, 1, 8, 8)
    assert torch.equal(Blocks([8, 8], 4, 2)(x), Blocks((8, 8), 4, 2)(x))  # type: ignore[arg-type]


def test_ycbcr() -> None:
    mix = YCbCr()
    grey = mix(torch.full((1, 3, 1, 1), 0.7)).flatten()
    torch.testing.assert_close(grey, torch.tensor([0.7, 128 / 255, 128 / 255]))
    red = mix(torch.tensor([1.0, 0, 0]).reshape(1, 3, 1, 1)).flatten()
    torch.testing.assert_close(red - grey + 0, torch.tensor([0.299 - 0.7, -0.168736, 0.5]))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"steps": 20}, "20 steps of a cycle of 16"),
        ({"steps": 0}, "0 steps"),
        ({"block": 9}, "blocks of 9 x 9 in images of 8 x 8"),
        ({"block": 0}, "blocks of 0 x 0\n.*a whole number of 1 or more"),
        ({"block": 2.5}, "blocks of 2.5 x 2.5"),
        ({"stride": 5}, "stride 5\n.*1 to 4"),
        ({"stride": 0}, "stride 0"),
        ({"size": 8}, "images of size 8"),
        ({"frequencies": 17}, "17 frequencies"),
        ({"frequencies": 0}, "0 frequencies"),
        ({"frequencies": 2.5}, "2.5 frequencies"),
        ({"order": "cylic"}, "order 'cylic'"),
        ({"order": (0, 16)}, "frequencies"),
        ({"order": ()}, "frequencies"),
        ({"order": (0.5,)}, r"frequencies \[0.5\]"),
        ({"order": 5}, "order 5"),
        ({"block": 2, "order": "intermittent"}, "blocks of 2 x 2"),
    ],
)
def test_bad_options_are_named(options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        DctFrames(**{"steps": 16, "size": (8, 8), **options})  # type: ignore[arg-type]


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match=r"expected: \[samples, channels, 8, 8\]"):
        DctFrames(16, (8, 8))(image(2, 1, 9, 8))
    with pytest.raises(DataError, match=r"expected: \[samples, 3, height, width\]"):
        YCbCr()(image(2, 1, 8, 8))


def test_thresholds_come_first() -> None:
    with pytest.raises(UsageError, match="calibrate"):
        DctEncoder(16, (8, 8))(image(2, 1, 8, 8))
    with pytest.raises(DataError, match="centre the images on 0"):
        DctEncoder(16, (8, 8)).calibrate(torch.zeros(2, 1, 8, 8))


def test_thresholds_come_of_finite_images_alone() -> None:
    x = image(20, 1, 8, 8)
    x[3, 0, 1, :2], x[5, 0, 0, 0] = float("nan"), float("inf")
    encoder = DctEncoder(16, (8, 8))
    with pytest.raises(DataError, match="3 of 1280 values of the images are not finite"):
        encoder.calibrate(x)
    with pytest.raises(DataError, match="no images"):
        encoder.calibrate(x[:0])
    with pytest.raises(UsageError, match="and nan"):
        encoder.calibrate(image(20, 1, 8, 8), high=float("nan"))
    assert not encoder.calibrated
