"""Pairs of images, small and large: what ships with scikit-learn and scikit-image, or folders."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from numpy.typing import NDArray
from torch import Tensor

from examples.spikesr.textures import textures
from spikec.errors import DataError, SpikecError, UsageError
from spikec.nn.checks import check_whole
from spikec.nn.patches import Patches

Pixels = NDArray[np.float32]
SKIMAGE, TEXTURES = "skimage", "textures"
SHIPPED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "sklearn": ("datasets/images", ("china.jpg", "flower.jpg")),
    "skimage": (
        "data",
        (
            "astronaut.png",
            "coffee.png",
            "chelsea.png",
            "rocket.jpg",
            "brick.png",
            "grass.png",
            "gravel.png",
            "camera.png",
            "moon.png",
            "coins.png",
        ),
    ),
}
"""by package: the folder in it, and the files"""
LEARNED_SHARE = 0.75
"""of an image's width; the test crop lies in the rest"""
ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
MOST_WHOLE = 180_000_000
"""pixels of a file that is taken whole, at 12 bytes each"""
MOST_CENTRED = 500_000_000
"""pixels of a file of which the middle is taken; DOTA has images of 20000 x 20000"""
SMALLER = {
    "learn from": "--crop and --side",
    "test on": "--side",
    "take the middle of": "--centre",
}
"""what an image is too small for, and which options ask for less"""
TIFF_BITS, TIFF_WHITE = 258, 262
"""numbers of tags: bits of a pixel, and what its values mean (0: white is 0)"""


@dataclass(frozen=True)
class Pairs:
    """Small and large images in [0, 1]: [N, 3, h, w] and [N, 3, s h, s w]."""

    small: Pixels
    large: Pixels


@dataclass(frozen=True)
class Sizes:
    """Sizes in pixels of the small images: what is learned from, and what is tested."""

    scale: int = 2
    learned: int = 48
    tested: int = 48
    held: float = 0.2
    """share of a folder's images that are tested"""
    centre: int | None = None
    """side of the middle part that is taken of each large image of a folder; None: all of it"""

    def __post_init__(self) -> None:
        check_whole(self.scale, "a scale of {}")
        check_whole(self.learned, "{} pixels a side to learn from")
        check_whole(self.tested, "{} pixels a side to test on")
        least = self.scale * max(self.learned, self.tested)
        if self.centre is not None and self.centre < least:
            raise UsageError(
                f"a middle part of {self.centre} pixels a side",
                expected=f"{least} or more, {self.scale} times what is learned from and tested",
                remedy="choose a larger --centre, or smaller --crop and --side",
            )


@dataclass(frozen=True)
class Images:
    """What is learned from, and what is tested."""

    train: Pairs
    test: Pairs


def load_images(source: str, sizes: Sizes, seed: int = 0) -> Images:
    """Read ``skimage`` (with scikit-learn's two photographs), ``textures``, or a folder."""
    if source in _KNOWN:
        return _KNOWN[source](sizes, seed)
    return from_folder(Path(source), sizes, seed)


def smaller(large: Tensor, scale: int) -> Tensor:
    """Make images smaller as is usual: cubic, with the kernel stretched over what it averages."""
    size = tuple(n // scale for n in large.shape[-2:])
    small = F.interpolate(large, size, mode="bicubic", antialias=True, align_corners=False)
    return small.clamp(0, 1)


def read_image(path: Path, centre: int | None = None) -> Pixels:
    """Read a file, or the middle of it, as [3, h, w] in [0, 1].

    Grey, of 8 or 16 bits, becomes three equal channels; alpha is dropped.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise UsageError("images need Pillow", remedy="pip install pillow") from error
    most = MOST_WHOLE if centre is None else MOST_CENTRED
    try:
        with _limited(most), Image.open(path) as file:
            return _pixels(file, path, centre)
    except SpikecError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(
            "an image of too many pixels",
            where=str(path),
            expected=f"{most:,} at most",
            remedy="cut it into parts" if centre else "cut it into parts, or take --centre of each",
        ) from error
    except Exception as error:  # decoders raise anything on a damaged file
        raise DataError(f"no image: {error}", where=str(path)) from error


@contextmanager
def _limited(most: int) -> Iterator[None]:
    """Let Pillow open files of so many pixels, and no more."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = most // 2  # it warns from there on, and refuses twice as many
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _pixels(file: Any, path: Path, centre: int | None) -> Pixels:
    """Give the pixels of an open file of Pillow's."""
    deep = file.mode.startswith("I;16") or (file.mode == "I" and file.format == "PNG")
    if file.mode in ("I", "F") and not deep:  # whose white is unknown
        raise DataError(
            f"pixels of {'32 or signed 16 bits' if file.mode == 'I' else 'floats'}",
            where=str(path),
            expected="8 or 16 bits for each colour, from black at 0 to white",
            remedy="scale the pixels from their own range to 0..65535, and save 16 bits",
        )
    image = file
    if centre is not None:
        _check_room((file.height, file.width), centre, path, "take the middle of")
        left, top = ((n - centre) // 2 for n in file.size)
        image = file.crop((left, top, left + centre, top + centre))
    if deep:
        return np.stack([_deep_grey(image, getattr(file, "tag_v2", {}))] * 3)
    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    shares: Pixels = np.divide(np.moveaxis(pixels, -1, 0), np.float32(255), dtype=np.float32)
    return shares


def _deep_grey(image: Any, tags: Mapping[int, Any]) -> Pixels:
    """Give [h, w] in [0, 1] of a grey image of 16 bits, or 12 as the tags of a TIFF may tell."""
    bits = tags.get(TIFF_BITS, (16,))[0]
    shares: Pixels = np.asarray(image, np.float32) / np.float32(2**bits - 1)
    return 1 - shares if tags.get(TIFF_WHITE) == 0 else shares


def _check_room(size: Sequence[int], side: int, path: Path, use: str) -> None:
    """Refuse an image that is smaller than what is asked of it."""
    if min(size) < side:
        raise DataError(
            f"{size[0]} x {size[1]} pixels are too few to {use}",
            where=str(path),
            expected=f"{side} or more a side",
            remedy=f"choose a smaller {SMALLER[use]}, or leave such images out",
        )


def natural(sizes: Sizes, seed: int = 0) -> Images:
    """Learn from the left three quarters of each image; test on a crop of the rest."""
    return _joined([_divided(_image(path), sizes, path) for path in shipped()])


def shipped() -> list[Path]:
    """Give the files of photographs that are installed."""
    found = []
    for package, (folder, names) in SHIPPED.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise UsageError(
                f"the photographs of {package} are not installed",
                remedy="pip install scikit-learn scikit-image",
            )
        found += [Path(spec.origin).parent / folder / name for name in names]
    return [path for path in found if path.exists()]


def _image(path: Path, centre: int | None = None) -> Tensor:
    return torch.from_numpy(read_image(path, centre))[None]


def _divided(image: Tensor, sizes: Sizes, path: Path) -> tuple[Pairs, Pairs]:
    """Give tiles of the left part, and the middle of the right part."""
    width = int(image.shape[-1] * LEARNED_SHARE) // sizes.scale * sizes.scale
    return _tiles(image[..., :width], sizes, path), _middle(image[..., width:], sizes, path)


def _tiles(image: Tensor, sizes: Sizes, path: Path) -> Pairs:
    """Cut a large image and its small one into tiles of the same places."""
    scale = sizes.scale
    _check_room(image.shape[-2:], sizes.learned * scale, path, "learn from")
    height, width = (n // scale * scale for n in image.shape[-2:])
    whole = _pair(image[..., :height, :width], scale)
    return Pairs(
        _cut(whole.small, sizes.learned),
        _cut(whole.large, sizes.learned * scale),
    )


def _cut(image: Pixels, side: int) -> Pixels:
    height, width = image.shape[-2:]
    tiles: Pixels = Patches((height, width), side).split(torch.from_numpy(image))[0].numpy()
    return tiles


def _middle(image: Tensor, sizes: Sizes, path: Path) -> Pairs:
    """Cut the middle out, to test on."""
    side = sizes.tested * sizes.scale
    _check_room(image.shape[-2:], side, path, "test on")
    top, left = ((n - side) // 2 for n in image.shape[-2:])
    return _pair(image[..., top : top + side, left : left + side], sizes.scale)


def _pair(large: Tensor, scale: int) -> Pairs:
    large = large.contiguous()
    return Pairs(smaller(large, scale).numpy(), large.numpy())


def tiled_textures(sizes: Sizes, seed: int = 0) -> Images:
    """Patterns that repeat with small affine warps: other patterns are tested than learned."""
    sides = (sizes.learned * sizes.scale, sizes.tested * sizes.scale)
    learned, tested = (
        _pair(textures(count, side, seed=2 * seed + part), sizes.scale)
        for part, (count, side) in enumerate(zip((96, 24), sides, strict=True))
    )
    return Images(learned, tested)


_KNOWN: Mapping[str, Callable[[Sizes, int], Images]] = {
    SKIMAGE: natural,
    TEXTURES: tiled_textures,
}


# ---- folders -------------------------------------------------------------------------------------


def from_folder(folder: Path, sizes: Sizes, seed: int = 0) -> Images:
    """Read a folder of images, flat (DOTA, DIOR) or with one folder per class (AID).

    A share of each class is tested, the same for a seed; ``centre`` takes the middle of each image
    (512 of AID's 600).
    """
    learned, tested = divided_files(image_files(folder), sizes.held, seed)
    parts = (_of_files(learned, sizes, _tiles), _of_files(tested, sizes, _middle))
    return Images(*parts)


def image_files(folder: Path) -> dict[str, list[Path]]:
    """Give the images by class: by the name of the folder that each lies in."""
    if not folder.is_dir():
        raise DataError(
            f"no folder {folder}", expected=f"{SKIMAGE}, {TEXTURES}, or a folder of images"
        )
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in ENDINGS:
            found.setdefault(path.parent.relative_to(folder).as_posix(), []).append(path)
    if not found:
        raise DataError(f"no images in {folder}", expected=f"files of {', '.join(ENDINGS)}")
    return found


def divided_files(
    classes: Mapping[str, Sequence[Path]], held: float, seed: int
) -> tuple[list[Path], list[Path]]:
    """Divide each class into what is learned from and what is tested."""
    if not 0 < held < 1:
        raise UsageError(f"held={held}", expected="a share between 0 and 1")
    check_whole(seed, "seed={}", 0)
    learned: list[Path] = []
    tested: list[Path] = []
    for number, paths in enumerate(classes.values()):
        order = np.random.default_rng((seed, number)).permutation(len(paths))
        count = round(held * len(paths))
        tested += [paths[k] for k in order[:count]]
        learned += [paths[k] for k in order[count:]]
    if not learned or not tested:
        raise DataError(
            f"{len(learned)} images to learn from and {len(tested)} to test",
            remedy="give more images, or another share to hold back",
        )
    return learned, tested


def _of_files(
    paths: Iterable[Path], sizes: Sizes, taken: Callable[[Tensor, Sizes, Path], Pairs]
) -> Pairs:
    return _stacked([taken(_image(path, sizes.centre), sizes, path) for path in paths])


def _joined(parts: Sequence[tuple[Pairs, Pairs]]) -> Images:
    learned, tested = zip(*parts, strict=True)
    return Images(_stacked(learned), _stacked(tested))


def _stacked(parts: Sequence[Pairs]) -> Pairs:
    arrays: Any = (np.concatenate([getattr(p, n) for p in parts]) for n in ("small", "large"))
    return Pairs(*arrays)
