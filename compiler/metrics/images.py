"""How near images are to each other: PSNR and SSIM, of [images, channels, height, width]."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from spikec.errors import DataError, UsageError
from spikec.metrics.arrays import read_array

Numbers = NDArray[np.float64]
WINDOW, SIGMA = 11, 1.5
"""pixels; of SSIM's Gaussian"""
K1, K2 = 0.01, 0.03
LUMA = (65.481, 128.553, 24.966)
"""ITU-R BT.601, for R, G, B in 0..1; Y runs from 16 to 235 of 255"""


def luma(images: ArrayLike, peak: float = 1.0) -> Numbers:
    """Y = peak/255 (16 + (65.481 R + 128.553 G + 24.966 B) / peak), [images, 1, h, w]."""
    array, peak = _numbers(images, "images"), _checked_peak(peak)
    if array.shape[1] != 3:
        raise DataError(f"images with {array.shape[1]} channels have no luma", expected="R, G, B")
    weights = np.array(LUMA)[:, None, None]
    y: Numbers = (16 * peak + (array * weights).sum(axis=1, keepdims=True)) / 255
    return y


def psnr(
    images: ArrayLike,
    reference: ArrayLike,
    peak: float = 1.0,
    border: int = 0,
    *,
    on_luma: bool = False,
) -> Numbers:
    """PSNR = 10 log10(peak^2 / mean (x - y)^2) in dB of each image; infinite where x = y.

    ``border`` pixels are left out on each side (the scale, by custom); ``on_luma`` compares Y.
    """
    peak = _checked_peak(peak)
    x, y = _pair(images, reference, peak, border, on_luma)
    error = ((x - y) ** 2).mean(axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        decibels: Numbers = 10 * np.log10(peak**2 / error)
    return decibels


def ssim(
    images: ArrayLike,
    reference: ArrayLike,
    peak: float = 1.0,
    border: int = 0,
    *,
    on_luma: bool = False,
) -> Numbers:
    """Give the mean structural similarity of each image (Wang et al. 2004).

    SSIM = (2 m_x m_y + c1)(2 s_xy + c2) / ((m_x^2 + m_y^2 + c1)(s_xx + s_yy + c2)), with means m
    and covariances s under a Gaussian of 11 x 11 pixels (sigma 1.5), c1 = (0.01 peak)^2,
    c2 = (0.03 peak)^2, over the pixels whose window lies inside, and over the channels.
    """
    peak = _checked_peak(peak)
    x, y = _pair(images, reference, peak, border, on_luma)
    if min(x.shape[-2:]) < WINDOW:
        raise DataError(
            f"images of {x.shape[-2]} x {x.shape[-1]} pixels", expected=f"at least {WINDOW} a side"
        )
    mean_x, mean_y = _smooth(x), _smooth(y)
    spread = _smooth(x * x) + _smooth(y * y) - mean_x**2 - mean_y**2
    together = _smooth(x * y) - mean_x * mean_y
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * together + c2)
    likeness /= (mean_x**2 + mean_y**2 + c1) * (spread + c2)
    means: Numbers = likeness.mean(axis=(1, 2, 3))
    return means


def _smooth(x: Numbers) -> Numbers:
    """Give Gaussian means, where the window lies inside."""
    places = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(places**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    rows: Numbers = sliding_window_view(x, WINDOW, axis=-1) @ weights
    means: Numbers = sliding_window_view(rows, WINDOW, axis=-2) @ weights
    return means


def _pair(
    images: ArrayLike, reference: ArrayLike, peak: float, border: int, on_luma: bool
) -> tuple[Numbers, Numbers]:
    x, y = _numbers(images, "images"), _numbers(reference, "reference")
    if x.shape != y.shape:
        raise DataError(f"images {list(x.shape)} beside {list(y.shape)}", expected="equal shapes")
    most = (min(x.shape[-2:]) - 1) // 2
    whole = isinstance(border, int | np.integer) and not isinstance(border, bool)
    if not whole or not 0 <= border <= most:
        raise UsageError(f"border is {border!r}", expected=f"0 to {most} for these images")
    if on_luma:
        x, y = luma(x, peak), luma(y, peak)
    inner = slice(int(border), -int(border) or None)
    return x[..., inner, inner], y[..., inner, inner]


def _checked_peak(peak: float) -> float:
    number = isinstance(peak, int | float | np.integer | np.floating)
    if not number or isinstance(peak, bool) or not 0 < peak < inf:
        raise UsageError(f"peak is {peak!r}", expected="the largest value of a pixel: 1, or 255")
    return float(peak)


def _numbers(images: ArrayLike, what: str) -> Numbers:
    array: NDArray[Any] = read_array(images, what)
    if array.ndim != 4 or not array.size or array.dtype.kind not in "biuf":
        raise DataError(
            f"{what} {list(array.shape)} of {array.dtype}",
            expected="numbers [images, channels, height, width], none of them 0",
        )
    if not np.isfinite(array).all():
        raise DataError(f"{what} hold NaN or infinity", expected="finite pixels")
    return array.astype(np.float64)
