"""The encoder of DCT-SNN: an image shown one frequency per step, as ternary spikes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import pi
from numbers import Integral

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from spikec.errors import DataError, UsageError
from spikec.ir import ops
from spikec.nn.checks import check_sides, check_whole
from spikec.nn.clock import GivesTime
from spikec.nn.library import Call
from spikec.nn.neurons import IF

HIGH, LOW = 93.5, 6.5
"""percentiles of all frames that become the thresholds"""
INTERMITTENT = (0, 2, 5, 7, 9, 10, 12, 15)
ORDERS = ("cyclic", "interleaved", "intermittent", "reversed")
_LUMA = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
"""YCbCr of RGB"""
_CHROMA_SHIFT = 128 / 255


def dct_matrix(size: int) -> Tensor:
    """Give the orthonormal Q: Q[0, j] = √(1/b), Q[i, j] = √(2/b) cos((2j + 1) i π / 2b)."""
    i = torch.arange(size, dtype=torch.float64)
    q: Tensor = torch.cos((2 * i + 1) * i[:, None] * pi / (2 * size)) * (2 / size) ** 0.5
    q[0] = (1 / size) ** 0.5
    return q


def zigzag(size: int) -> list[tuple[int, int]]:
    """Give row and column of each frequency, the lowest first, as JPEG scans them.

    >>> zigzag(4)[:6]
    [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2)]
    """
    places = [(u, v) for u in range(size) for v in range(size)]
    return sorted(places, key=lambda p: (sum(p), p[0] if sum(p) % 2 else p[1]))


def bases(size: int) -> Tensor:
    """Give the image of each frequency, B_uv = Qᵀ E_uv Q: [b², b, b] in zig-zag order."""
    q = dct_matrix(size)
    return torch.stack([torch.outer(q[u], q[v]) for u, v in zigzag(size)])


def schedule(order: str | Sequence[int], frequencies: int, steps: int, block: int) -> list[int]:
    """Give the frequency that each step of a cycle shows.

    cyclic: 0, 1, … of the lowest ``frequencies``, again and again; reversed: the same from the
    highest; interleaved: each of them steps / frequencies times in a row; intermittent: 0, 2, 5, 7,
    9, 10, 12, 15; or any numbers in zig-zag order.

    >>> schedule("interleaved", 2, 6, 4)
    [0, 0, 0, 1, 1, 1]
    """
    named = isinstance(order, str)
    if not isinstance(order, Iterable) or (named and order not in ORDERS):
        raise UsageError(f"order {order!r}", expected=f"one of {', '.join(ORDERS)}, or numbers")
    lowest = list(range(frequencies))
    shown = {
        "cyclic": lowest,
        "reversed": lowest[::-1],
        "interleaved": [k for k in lowest for _ in range(max(1, steps // frequencies))],
        "intermittent": list(INTERMITTENT),
    }
    places = shown[order] if isinstance(order, str) else list(order)
    if not places or not all(isinstance(k, Integral) and 0 <= k < block**2 for k in places):
        raise UsageError(
            f"frequencies {places} of blocks of {block} x {block}",
            expected=f"whole numbers from 0 to {block**2 - 1}",
        )
    return places


class Blocks(nn.Module):
    """Overlapping blocks side by side: [B, C, H, W] -> [B, C, n b, m b].

    Blocks of ``block`` pixels begin every ``stride`` pixels.  What the last one lacks at the right
    and at the bottom is filled with the pixels of the edge.  A network before its conversion to
    DCT-SNN is trained on images like these.
    """

    places: Tensor

    def __init__(self, size: tuple[int, int], block: int = 4, stride: int | None = None) -> None:
        super().__init__()
        self.size = size = check_sides(size, "images of size {}")
        self.block = check_whole(block, "blocks of {0} x {0}")
        self.stride = block if stride is None else check_whole(stride, "stride {}")
        if self.stride > block:
            raise UsageError(f"stride {stride}", expected=f"1 to {block}, the size of a block")
        if min(size) < block:
            raise UsageError(
                f"blocks of {block} x {block} in images of {size[0]} x {size[1]}",
                expected="blocks no larger than the image",
                remedy="choose a smaller block, or enlarge the images",
            )
        self.counts = tuple(-(-(n - block) // self.stride) + 1 for n in size)
        self.pads = tuple(
            (count - 1) * self.stride + block - n
            for count, n in zip(self.counts, size, strict=True)
        )
        self.register_buffer("places", torch.eye(block**2).reshape(-1, 1, block, block))

    @property
    def out_size(self) -> tuple[int, int]:
        """Height and width of the result."""
        return self.counts[0] * self.block, self.counts[1] * self.block

    def padded(self, x: Tensor) -> Tensor:
        """Check an image and fill it up."""
        if x.dim() != 4 or tuple(x.shape[-2:]) != self.size:
            raise DataError(
                f"images of shape {list(x.shape)}",
                expected=f"[samples, channels, {self.size[0]}, {self.size[1]}]",
            )
        x = x if x.is_floating_point() else x.float() / 255
        bottom, right = self.pads
        return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x

    def spread(self, x: Tensor, kernels: Tensor) -> Tensor:
        """Give each block's products with kernels [K, 1, b, b]: [B, C K, n, m]."""
        channels = x.shape[1]
        weight = kernels.to(x.dtype).repeat(channels, 1, 1, 1)
        return F.conv2d(x, weight, stride=self.stride, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        """Put the blocks side by side."""
        x = self.padded(x)
        if self.stride == self.block:
            return x
        return F.pixel_shuffle(self.spread(x, self.places), self.block)


class DctFrames(GivesTime):
    """One frequency of every block per step: [B, C, H, W] -> [T, B, C, n b, m b].

    Frame k holds, in the place of every block X, F[u, v] B_uv with F = Q X Qᵀ; the sum of all b²
    frames is the image in blocks.  Step t shows frame order[(t - 1) mod K], K the cycle's length.

    ``steps`` above one cycle have to be whole cycles, so that all frequencies count the same.
    """

    analysis: Tensor
    synthesis: Tensor

    def __init__(
        self,
        steps: int,
        size: tuple[int, int],
        *,
        block: int = 4,
        stride: int | None = None,
        frequencies: int | None = None,
        order: str | Sequence[int] = "cyclic",
    ) -> None:
        super().__init__(steps)
        self.blocks = Blocks(size, block, stride)
        kept = block**2 if frequencies is None else frequencies
        if check_whole(kept, "{} frequencies") > block**2:
            raise UsageError(f"{kept} frequencies", expected=f"1 to {block**2}")
        places = schedule(order, kept, steps, block)
        self.shown = sorted(set(places))
        self.order = tuple(self.shown.index(k) for k in places)
        self.call = Call(ops.Cycle(-3, self.order))
        self._check(self.steps)
        images = bases(block)[self.shown].float()
        self.register_buffer("analysis", images[:, None].clone())
        self.register_buffer("synthesis", images.reshape(-1, 1, 1, 1).clone())

    def _check(self, steps: int) -> None:
        cycle = len(self.order)
        if isinstance(steps, int) and steps > cycle and steps % cycle:
            raise UsageError(
                f"{steps} steps of a cycle of {cycle}",
                expected="one cycle at most, or whole cycles",
                remedy=f"take {steps // cycle * cycle} or {-(-steps // cycle) * cycle} steps",
            )

    def frames(self, x: Tensor) -> Tensor:
        """Give the frame of each frequency that is shown: [B, C, K, n b, m b]."""
        x = self.blocks.padded(x)
        channels, kept = x.shape[1], len(self.shown)
        found = self.blocks.spread(x, self.analysis)
        weight = self.synthesis.to(x.dtype).repeat(channels, 1, 1, 1)
        drawn = F.conv2d(found, weight, groups=channels * kept)
        shuffled = F.pixel_shuffle(drawn, self.blocks.block)
        return shuffled.reshape(-1, channels, kept, *shuffled.shape[-2:])

    def forward(self, x: Tensor) -> Tensor:
        """Show them in turn."""
        self._check(self.steps)
        return self.call(self.frames(x), steps=self.steps)


class YCbCr(nn.Module):
    """Luminance and chrominance of RGB, all channels shifted and scaled as they came.

    Y = .299 R + .587 G + .114 B, Cb = -.168736 R - .331264 G + .5 B + 128/255,
    Cr = .5 R - .418688 G - .081312 B + 128/255.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor(_LUMA).reshape(3, 3, 1, 1))
        self.register_buffer("bias", torch.tensor([0.0, _CHROMA_SHIFT, _CHROMA_SHIFT]))

    def forward(self, x: Tensor) -> Tensor:
        """Mix the channels; take bytes as shares of 255."""
        if x.dim() not in (3, 4) or x.shape[-3] != len(_LUMA):
            raise DataError(
                f"images of shape {list(x.shape)}", expected="[samples, 3, height, width]"
            )
        x = x if x.is_floating_point() else x.to(self.weight.dtype) / 255
        return F.conv2d(x, self.weight, self.bias)


class DctEncoder(nn.Module):
    """Frames of frequencies, integrated without a leak, as spikes of -1, 0 and +1.

    m += frame[t]; s[t] = +1 where m > θ⁺, -1 where m < θ⁻, else 0; m -= θ⁺ or θ⁻ where it fired;
    m(0) = 0.  θ⁺ and θ⁻ are the 93.5 and 6.5 percentiles of all frames of the samples that
    ``calibrate`` saw; θ⁺ > 0 > θ⁻ has to hold.  Options as those of :class:`DctFrames`.
    """

    calibrated: Tensor

    def __init__(self, steps: int, size: tuple[int, int], **options: object) -> None:
        super().__init__()
        self.frames = DctFrames(steps, size, **options)  # type: ignore[arg-type]
        self.neuron = IF(ternary=True, negative_threshold=1.0, above=True)
        self.register_buffer("calibrated", torch.tensor(False))

    @torch.no_grad()
    def calibrate(self, x: Tensor, high: float = HIGH, low: float = LOW) -> tuple[float, float]:
        """Set the thresholds by samples; give both."""
        if not 0 <= low < high <= 100:
            raise UsageError(
                f"percentiles {low} and {high}", expected="from 0 to 100, the lower one below"
            )
        if not x.numel():
            raise DataError("no images", expected="one or more")
        strange = x.numel() - int(x.isfinite().sum())
        if strange:
            raise DataError(
                f"{strange} of {x.numel()} values of the images are not finite",
                expected="finite numbers alone",
                remedy="look for NaN and infinity in what prepares the images",
            )
        frames = self.frames.frames(x).double().flatten()
        ordered = frames.sort().values
        up, down = (
            float(ordered[min(len(ordered) - 1, max(0, round(p / 100 * len(ordered)) - 1))])
            for p in (high, low)
        )
        if not down < 0 < up:
            raise DataError(
                f"thresholds {down:.4g} and {up:.4g} by the percentiles {low} and {high}",
                expected="one below 0 and one above",
                remedy="centre the images on 0, or choose percentiles that lie farther apart",
            )
        self.neuron.threshold.fill_(up)
        self.neuron.negative_threshold.fill_(-down)
        self.calibrated.fill_(True)
        return up, down

    def forward(self, x: Tensor) -> Tensor:
        """Encode [B, C, H, W] as [T, B, C, n b, m b]."""
        if not torch.compiler.is_compiling() and not self.calibrated:
            raise UsageError(
                "a DCT encoder without thresholds",
                remedy="call its calibrate(images) on images like those that it will see",
            )
        return self.neuron(self.frames(x))  # type: ignore[no-any-return]
