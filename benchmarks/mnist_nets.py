"""Three small networks trained on MNIST images: a LeNet, an MLP and one with a residual block.

    python -m benchmarks.mnist_nets

The data are looked for in the folder that SPIKEC_DATA names, by default ``../shared``:
``data/mnist10k.npz``.  Training is seeded and uses one thread, so that the weights are the same
each time on a machine; they are kept in the user's cache folder and are trained only once.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

Numbers = NDArray[Any]
EPOCHS = 12
BATCH = 64
RATE = 3e-3
"""largest learning rate of Adam, in one cycle"""
SEED = 0


class Training(NamedTuple):
    """How long and on what a network is trained."""

    epochs: int = EPOCHS
    shift: int = 0
    """pixels by which each batch is moved at random, at most"""


PLAIN = Training()


class Split(NamedTuple):
    """Images [n, 1, 28, 28], float32 in 0..1, and their labels, in training and in test."""

    train_x: Numbers
    train_y: Numbers
    test_x: Numbers
    test_y: Numbers


class ResidualNet(nn.Module):
    """A convolution, a block of two with a skip path around them, a pool, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.inner = nn.Conv2d(8, 8, 3, padding=1)
        self.outer = nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.AvgPool2d(2)
        self.last = nn.Linear(8 * 7 * 7, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        x = self.first(x).relu()
        x = (self.outer(self.inner(x).relu()) + x).relu()
        logits: torch.Tensor = self.last(self.pool(x).flatten(1))
        return logits


def data() -> Split:
    """Give the 8,000 training and 2,000 test images."""
    with np.load(data_file()) as stored:
        scaled = [stored[f"{half}_x"].astype(np.float32) / 255 for half in ("train", "test")]
        labels = [stored[f"{half}_y"].astype(np.int64) for half in ("train", "test")]
    return Split(scaled[0], labels[0], scaled[1], labels[1])


def data_file() -> Path:
    """Give the path of the images."""
    root = Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[2] / "shared"))
    return root / "data" / "mnist10k.npz"


def lenet() -> nn.Module:
    """LeNet-5 with ReLU and average pools: 61,706 parameters."""
    return trained("lenet", _lenet)


def mlp() -> nn.Module:
    """784-128-64-10: 109,386 parameters."""
    return trained("mlp", _mlp)


def residual() -> nn.Module:
    """A residual block of two 3x3 convolutions over 8 channels: 5,178 parameters."""
    return trained("residual", ResidualNet)


def _lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def _mlp() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def trained(
    name: str, build: Callable[[], nn.Module], training: Training = PLAIN, source: str = __file__
) -> nn.Module:
    """Give a network in eval mode, from the cache if it was trained before.

    ``source`` is the file that defines it: a change there means another network.
    """
    files = (Path(__file__), Path(source), data_file())
    identity = [*(file.read_bytes() for file in files), torch.__version__.encode()]
    key = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in identity)).hexdigest()
    path = _cache() / f"mnist-{name}-{key[:16]}.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        net = build()
        if not path.is_file():
            _train(net, training)
            _store(net, path)
    net.load_state_dict(load_file(path))
    return net.eval()


def _store(net: nn.Module, path: Path) -> None:
    """Write the weights in one step: several programs may train at once."""
    handle, fresh = tempfile.mkstemp(dir=path.parent)
    os.close(handle)
    save_file(net.state_dict(), fresh)
    os.replace(fresh, path)


def _cache() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(named) if named else Path.home() / ".cache") / "spikec" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _train(net: nn.Module, training: Training) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    split = data()
    x, y = torch.from_numpy(split.train_x), torch.from_numpy(split.train_y)
    rounds = len(x) // BATCH
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, training.epochs * rounds)
    for _ in range(training.epochs):
        for rows in torch.randperm(len(x))[: rounds * BATCH].reshape(rounds, BATCH):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(_moved(x[rows], training.shift)), y[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    torch.set_num_threads(threads)


def _moved(x: torch.Tensor, most: int) -> torch.Tensor:
    """Move images by up to so many pixels along both axes."""
    if not most:
        return x
    by = torch.randint(-most, most + 1, (2,)).tolist()
    return torch.roll(x, by, (-2, -1))


def main() -> None:
    """Train what is not trained yet, and print test accuracies."""
    split = data()
    for build in (lenet, mlp, residual):
        net = build()
        with torch.no_grad():
            right = net(torch.from_numpy(split.test_x)).argmax(1).numpy() == split.test_y
        size = sum(parameter.numel() for parameter in net.parameters())
        print(f"{build.__name__}: {size:,} parameters, {right.mean():.2%} of {len(right):,} images")


if __name__ == "__main__":
    main()
