"""Kinds of picture files."""

from enum import Enum


class Format(Enum):
    """Kinds of pictures."""

    SVG = "svg"
    PNG = "png"
