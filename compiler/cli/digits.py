"""What the demo works on: scikit-learn's digits, and a small network trained on them."""

from __future__ import annotations

import logging
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikec.errors import MissingDependency

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

EPOCHS = 12
BATCH = 64
TESTED = 360
"""of 1797 digits"""


@dataclass(frozen=True)
class Digits:
    """Grey pictures [N, 1, 8, 8] in 0..1 with their labels."""

    train_x: NDArray[Any]
    train_y: NDArray[Any]
    test_x: NDArray[Any]
    test_y: NDArray[Any]


def load_digits(seed: int) -> Digits:
    """Read the digits that ship with scikit-learn, in an order that the seed decides."""
    import numpy as np

    if find_spec("sklearn") is None:
        raise MissingDependency(
            "the demo trains on the digits that ship with scikit-learn, which is not installed",
            remedy='pip install "spikec[demo]"',
        )
    from sklearn import datasets

    bunch = datasets.load_digits()
    order = np.random.default_rng(seed).permutation(len(bunch.target))
    x = (bunch.images[order, None] / 16.0).astype(np.float32)
    y = bunch.target[order].astype(np.int64)
    return Digits(x[TESTED:], y[TESTED:], x[:TESTED], y[:TESTED])


def trained_network(digits: Digits, seed: int, advance: Callable[[float], None]) -> torch.nn.Module:
    """Train a small convolutional network; ``advance`` is called with 1 after every epoch."""
    import torch

    with torch.random.fork_rng(devices=()), one_thread():
        torch.manual_seed(seed)
        network = _network()
        optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
        x, y = torch.from_numpy(digits.train_x), torch.from_numpy(digits.train_y)
        for _ in range(EPOCHS):
            order = torch.randperm(len(x))
            for start in range(0, len(x), BATCH):
                batch = order[start : start + BATCH]
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(network(x[batch]), y[batch])
                loss.backward()  # type: ignore[no-untyped-call]  # torch's own
                optimizer.step()
            advance(1)
    return network.eval()


@contextmanager
def one_thread() -> Iterator[None]:
    """Work this small is quickest on one thread (by far, on a busy machine)."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _network() -> torch.nn.Module:
    from torch import nn

    layers = {
        "conv1": nn.Conv2d(1, 16, 3, padding=1, bias=False),
        "norm1": nn.BatchNorm2d(16),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(16, 32, 3, padding=1, bias=False),
        "norm2": nn.BatchNorm2d(32),
        "relu2": nn.ReLU(),
        "pool2": nn.AvgPool2d(2),
        "conv3": nn.Conv2d(32, 32, 3, padding=1),
        "relu3": nn.ReLU(),
        "pool3": nn.AvgPool2d(2),
        "flatten": nn.Flatten(),
        "classify": nn.Linear(128, 10),
    }
    return nn.Sequential(OrderedDict(layers))


def export_onnx(network: torch.nn.Module, digits: Digits, path: Path) -> None:
    """Write the network as ONNX with a free batch size (needs onnxscript)."""
    import torch

    example = torch.from_numpy(digits.test_x[:2])
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        # torch warns of its own use of its own deprecated names
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, unasked
        torch.onnx.export(
            network,
            (example,),
            path,
            dynamo=True,
            dynamic_shapes=({0: batch},),
            external_data=False,
            verbose=False,
        )


def answers(network: torch.nn.Module, x: NDArray[Any]) -> NDArray[Any]:
    """Run the network in PyTorch."""
    import torch

    with torch.no_grad():
        result: NDArray[Any] = network(torch.from_numpy(x)).numpy()
    return result
