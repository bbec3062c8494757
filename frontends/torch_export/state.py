"""Look at a user's model without leaving a trace in it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any

import torch
from torch import nn

_STORES = ("_parameters", "_buffers", "_modules")


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Put every submodule into evaluation mode; afterwards all attributes are as they were.

    The flag is set directly: a model's own ``train()`` may do more than can be undone. Attributes
    that ``forward`` assigns (symbolic values, when it is traced) disappear again, and buffers get
    their contents back.
    """
    kept = [(module, _snapshot(module)) for module in model.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        for module, _ in kept:
            module.training = False
        yield
    finally:
        for module, (attributes, stores) in kept:
            module.__dict__.clear()
            module.__dict__.update(attributes)
            for name, content in stores.items():
                store = module.__dict__[name]
                store.clear()
                store.update(content)
        with torch.no_grad():
            for buffer, before in buffers:
                if not torch.equal(buffer, before):
                    buffer.copy_(before)


def _snapshot(module: nn.Module) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    attributes = dict(module.__dict__)
    return attributes, {name: dict(attributes[name]) for name in _STORES}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep torch's own chatter (deprecations inside torch, debug print-outs) from the user."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
