"""Pairs of images, small and large: what ships with scikit-learn and scikit-image, or folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from spikec.errors import DataError, UsageError
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


def read_image(path: Path) -> Pixels:
    """Read a file as [3, h, w] in [0, 1]; grey becomes three equal channels, alpha is dropped."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise UsageError("images need Pillow", remedy="pip install pillow") from error
    try:
        with Image.open(path) as file:
            pixels = np.asarray(file.convert("RGB"), np.float32)
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"no image: {error}", where=str(path)) from error
    moved: Pixels = np.moveaxis(pixels, -1, 0) / np.float32(255)
    return moved


def natural(sizes: Sizes, seed: int = 0) -> Images:
    """Learn from the left three quarters of each image; test on a crop of the rest."""
    images = [torch.from_numpy(read_image(path))[None] for path in shipped()]
    return _joined([_divided(image, sizes) for image in images])


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


def _divided(image: Tensor, sizes: Sizes) -> tuple[Pairs, Pairs]:
    """Give tiles of the left part, and the middle of the right part."""
    width = int(image.shape[-1] * LEARNED_SHARE) // sizes.scale * sizes.scale
    learned = _tiles(image[..., :width], sizes)
    tested = centred(image[..., width:], sizes.tested * sizes.scale)
    return learned, _pair(tested, sizes.scale)


def _tiles(image: Tensor, sizes: Sizes) -> Pairs:
    """Cut a large image and its small one into tiles of the same places."""
    scale = sizes.scale
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


def centred(image: Tensor, side: int) -> Tensor:
    """Cut the middle out."""
    height, width = image.shape[-2:]
    if min(height, width) < side:
        raise DataError(
            f"a part of {height} x {width} pixels",
            expected=f"{side} a side",
            remedy="choose smaller images to test on",
        )
    top, left = (height - side) // 2, (width - side) // 2
    return image[..., top : top + side, left : left + side]


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
    paths: Iterable[Path], sizes: Sizes, taken: Callable[[Tensor, Sizes], Pairs]
) -> Pairs:
    images = (torch.from_numpy(read_image(path))[None] for path in paths)
    if sizes.centre is not None:
        images = (centred(image, sizes.centre) for image in images)
    return _stacked([taken(image, sizes) for image in images])


def _middle(image: Tensor, sizes: Sizes) -> Pairs:
    return _pair(centred(image, sizes.tested * sizes.scale), sizes.scale)


def _joined(parts: Sequence[tuple[Pairs, Pairs]]) -> Images:
    learned, tested = zip(*parts, strict=True)
    return Images(_stacked(learned), _stacked(tested))


def _stacked(parts: Sequence[Pairs]) -> Pairs:
    arrays: Any = (np.concatenate([getattr(p, n) for p in parts]) for n in ("small", "large"))
    return Pairs(*arrays)
