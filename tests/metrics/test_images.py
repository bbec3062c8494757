"""PSNR and SSIM, against scikit-image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import skimage.color
import skimage.metrics
import torch
from numpy.typing import NDArray

from spikec.errors import DataError, UsageError
from spikec.metrics import luma, psnr, ssim

Images = NDArray[np.float64]


def pair(seed: int, channels: int = 3, size: tuple[int, int] = (24, 31)) -> tuple[Images, Images]:
    rng = np.random.default_rng(seed)
    x = rng.random((4, channels, *size)).cumsum(axis=-1) / size[1]
    return x, np.clip(x + 0.05 * rng.standard_normal(x.shape), 0, 1)


def theirs(x: Images, y: Images, peak: float) -> tuple[float, float]:
    """PSNR and SSIM of one image [channels, height, width]."""
    metrics: Any = skimage.metrics
    similarity = metrics.structural_similarity(
        x,
        y,
        data_range=peak,
        channel_axis=0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(metrics.peak_signal_noise_ratio(y, x, data_range=peak)), float(similarity)


@pytest.mark.parametrize("border", [0, 4])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_both_equal_scikit_image(border: int, channels: int, peak: float) -> None:
    x, y = (peak * images for images in pair(channels, channels))
    inner = np.s_[:, :, border : 24 - border, border : 31 - border]
    expected = np.array([theirs(a, b, peak) for a, b in zip(x[inner], y[inner], strict=True)])
    np.testing.assert_allclose(psnr(x, y, peak, border), expected[:, 0], rtol=1e-12)
    np.testing.assert_allclose(ssim(x, y, peak, border), expected[:, 1], rtol=1e-9)


def test_luma_equals_scikit_image() -> None:
    x, y = pair(5)
    expected = [skimage.color.rgb2ycbcr(images, channel_axis=1)[:, :1] / 255 for images in (x, y)]
    np.testing.assert_allclose(luma(x), expected[0], rtol=1e-12)
    np.testing.assert_allclose(luma(255 * x, peak=255), 255 * expected[0], rtol=1e-12)
    np.testing.assert_allclose(psnr(x, y, on_luma=True), psnr(*expected), rtol=1e-9)
    np.testing.assert_allclose(ssim(x, y, on_luma=True), ssim(*expected), rtol=1e-9)


def test_equal_images() -> None:
    x, _ = pair(0)
    assert np.isposinf(psnr(x, x)).all()
    np.testing.assert_allclose(ssim(x, x), 1)


def test_whole_pixels_count_as_numbers() -> None:
    x = np.array([[[[0, 255]]]], np.uint8)
    y = np.array([[[[255, 255]]]], np.uint8)
    assert psnr(x, y, peak=255) == pytest.approx(10 * np.log10(2))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((3, 12, 12)), np.zeros((3, 12, 12)), "images, channels, height, width"),
        (np.zeros((1, 3, 12, 12)), np.zeros((1, 3, 12, 13)), "equal shapes"),
        (np.zeros((0, 3, 12, 12)), np.zeros((0, 3, 12, 12)), "none of them 0"),
        (np.full((1, 1, 12, 12), np.nan), np.zeros((1, 1, 12, 12)), "finite pixels"),
        (np.zeros((1, 1, 10, 12)), np.zeros((1, 1, 10, 12)), "at least 11 a side"),
    ],
)
def test_bad_images(x: Images, y: Images, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ssim(x, y)


def test_bad_options() -> None:
    x = np.zeros((1, 4, 12, 12))
    with pytest.raises(UsageError, match="0 to 5 for these images"):
        psnr(x, x, border=6)
    with pytest.raises(DataError, match="R, G, B"):
        psnr(x, x, on_luma=True)


@pytest.mark.parametrize("border", [-1, 1.5, True, "a"])
def test_a_border_is_a_number_of_pixels(border: Any) -> None:
    x = np.zeros((1, 1, 12, 12))
    for measure in (psnr, ssim):
        with pytest.raises(UsageError, match="0 to 5 for these images"):
            measure(x, x, border=border)


@pytest.mark.parametrize("peak", [0, -1, np.nan, np.inf, True, "a", [1.0]])
def test_a_peak_is_a_number_above_0(peak: Any) -> None:
    x = np.zeros((1, 3, 12, 12))
    for measure in (psnr, ssim):
        with pytest.raises(UsageError, match="the largest value of a pixel"):
            measure(x, x, peak)
    with pytest.raises(UsageError, match="the largest value of a pixel"):
        luma(x, peak)


def test_options_may_be_numbers_of_numpy() -> None:
    """Small whole ones too, whose squares and negatives do not fit."""
    x, y = (255 * images for images in pair(3))
    small: Any = np.uint8
    for measure in (psnr, ssim):
        expected = measure(x, y, 255, 4)
        np.testing.assert_array_equal(measure(x, y, small(255), small(4)), expected)


@pytest.mark.parametrize(
    "images",
    [[[1.0], [1.0, 2.0]], torch.zeros(1, 3, 12, 12, requires_grad=True)],
    ids=["ragged", "gradient"],
)
def test_what_is_no_array_is_refused(images: Any) -> None:
    x = np.zeros((1, 3, 12, 12))
    with pytest.raises(DataError, match="images cannot be read as an array"):
        luma(images)
    with pytest.raises(DataError, match="reference cannot be read as an array"):
        psnr(x, images)
