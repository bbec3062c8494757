"""Which fields a class of NIR must have; checked for all nodes, wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from spikec.frontends.common import Refused
from spikec.frontends.nir_graph.raw import RawNode

_LEAKY = ("tau", "r", "v_leak")
_CUBA = ("tau_syn", "tau_mem", "r", "v_leak")
_CONV = ("weight", "stride", "padding", "dilation")
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "Affine": ("weight",),
    "AvgPool2d": ("kernel_size",),
    "Conv1d": _CONV,
    "Conv2d": _CONV,
    "CubaLI": _CUBA,
    "CubaLIF": (*_CUBA, "v_threshold"),
    "Delay": ("delay",),
    "Flatten": (),
    "I": ("r",),
    "IF": ("r", "v_threshold"),
    "Input": ("shape",),
    "LI": _LEAKY,
    "LIF": (*_LEAKY, "v_threshold"),
    "Linear": ("weight",),
    "Output": (),
    "Scale": ("scale",),
    "SumPool2d": ("kernel_size",),
    "Threshold": ("threshold",),
}
"""without them there is no meaning; others have one when they are absent"""
TEXTS = ("padding",)
"""fields that may be texts"""


def wrong_fields(node: RawNode) -> Iterator[Refused]:
    """Give what is wrong with a node whatever leads to it."""
    if node.kind not in REQUIRED:
        known = ", ".join(sorted(REQUIRED))
        yield Refused("spikec does not know this class", expected=f"NIRGraph, {known}")
        return
    for name in REQUIRED[node.kind]:
        if name not in node.fields:
            yield Refused(f"its field {name!r} is missing")
    for name, value in node.fields.items():
        if isinstance(value, str):
            if name not in TEXTS:
                yield Refused(f"its field {name!r} is a text", expected="numbers")
        elif not bool(np.isfinite(value).all()):
            yield Refused(f"{name!r} holds NaN or Inf", expected="finite numbers")
