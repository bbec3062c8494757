"""Whole networks by name, built of ``spikec.nn``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from spikec.errors import UsageError
from spikec.pipeline import suggestion
from spikec.zoo.dct_vgg import CODES, DctAnalog, DctNet, dct_net
from spikec.zoo.plans import PLANS, copy_weights
from spikec.zoo.spikesr import NETWORKS as SPIKESR
from spikec.zoo.spikinghash import SPIKINGHASH

__all__ = ["CODES", "NETWORKS", "DctAnalog", "DctNet", "build", "copy_weights"]

NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    **{name: partial(dct_net, name) for name in PLANS},
    **SPIKINGHASH,
    **SPIKESR,
}


def build(name: str, **options: Any) -> nn.Module:
    """Build a network; its options are those of the function or class of its kind.

    >>> build("dct_mlp", size=(28, 28), steps=16).layers[1][0]
    Linear(in_features=784, out_features=100, bias=False)
    """
    if name not in NETWORKS:
        raise UsageError(
            f"no network is called {name!r}",
            expected=", ".join(NETWORKS),
            remedy=suggestion(name, NETWORKS),
        )
    try:
        return NETWORKS[name](**options)
    except TypeError as error:
        raise UsageError(f"options of {name}: {error}") from error
