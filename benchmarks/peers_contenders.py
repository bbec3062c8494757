"""The ResNet-20 that the peers can read, and the peers themselves, behind one interface."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmarks.conversion_accuracy import CALIBRATION, PREPROCESS
from spikec.data import Data, read_data

BATCH = 128
ROWS = 2048
"""images x steps that sinabs gets at once, so that 64 steps fit into memory"""
RATE, LTB = "RateCodingRecipe", "LocalThresholdBalancingRecipe"
LTB_BATCH, LTB_BATCHES = 32, 400
ACCURACY = 91.64
"""of the network on all test images, in per cent"""


class Block(nn.Module):
    """y = ReLU(x' + conv(ReLU(conv(x)))), one ReLU module per call site.

    The shortcut x' takes every other pixel and appends empty channels; it is written as the 1x1
    convolution that does exactly this, because SpikingJelly refuses slices and functional padding.
    """

    def __init__(self, channels: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu2 = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            shortcut = nn.Conv2d(channels, planes, 1, stride, bias=False)
            chosen = torch.zeros(planes, channels, 1, 1)
            chosen[(planes - channels) // 2 :][:channels, :, 0, 0] = torch.eye(channels)
            shortcut.weight = nn.Parameter(chosen)
            self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        sums: Tensor = self.bn2(self.conv2(y)) + self.shortcut(x)
        return self.relu2(sums)  # type: ignore[no-any-return]


class ResNet20(nn.Module):
    """He et al.'s ResNet for CIFAR-10 with 20 layers; the parameters' names are the weights'."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(*(Block(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(self.flatten(self.pool(x)))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Task:
    """What every contender gets."""

    weights: Mapping[str, Tensor]
    calibration: Data
    test: Data

    def network(self) -> nn.Module:
        """Build the network anew: a converter may change what it is given."""
        network = ResNet20()
        unknown = network.load_state_dict(dict(self.weights), strict=False)
        others = [key for key in unknown.missing_keys if "shortcut" not in key]
        others = [key for key in others if not key.endswith("num_batches_tracked")]
        if others or unknown.unexpected_keys:
            raise SystemExit(f"the weights do not fit: {others or unknown.unexpected_keys}")
        return network.eval()

    def folded(self) -> nn.Module:
        """Build it with BatchNorm folded, as it would be deployed: the plain pass."""
        network = self.network()
        for module in [m for m in network.modules() if isinstance(m, Block | ResNet20)]:
            for conv, norm in (("conv1", "bn1"), ("conv2", "bn2")):
                if hasattr(module, conv):
                    fused = fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm))
                    setattr(module, conv, fused)
                    setattr(module, norm, nn.Identity())
        return network

    @property
    def labels(self) -> Tensor:
        """The class of each test image."""
        return torch.from_numpy(np.asarray(self.test.labels, np.int64))


def data_folder() -> Path:
    """Where data and networks are looked for."""
    return Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[2] / "shared"))


def load_task(images: int | None = None) -> Task:
    """Read weights and data from the folder of data; ``images`` bounds both sets of images."""
    root = data_folder()
    source = root / "data" / "cifar10_exact.npz"
    with np.load(root / "models" / "resnet20_cifar10_weights.npz") as file:
        weights = {name: torch.from_numpy(file[name]) for name in file.files}
    calibration = read_data(f"{source}:train").first(CALIBRATION)
    test = read_data(f"{source}:test")
    if images is not None:
        calibration, test = calibration.first(images), test.first(images)
    return Task(weights, calibration, test)


def tensor(data: Data) -> Tensor:
    """Give the images as the network gets them."""
    return torch.from_numpy(PREPROCESS(data.inputs["x"]))


def plain_pass(network: nn.Module, images: Tensor, size: int = BATCH) -> Tensor:
    """Give the logits of all images."""
    with torch.inference_mode():
        return torch.cat([network(batch) for batch in torch.split(images, size)])


def percent(logits: Tensor, labels: Tensor) -> float:
    """Share of the images whose label is the largest output."""
    return 100 * float((logits.argmax(dim=-1) == labels).double().mean())


def wanted(name: str, words: Sequence[str]) -> bool:
    """Does the name hold one of the words?  Every name does, where there are none."""
    return not words or any(word.casefold() in name.casefold() for word in words)


@dataclass(frozen=True)
class Converted:
    """A spiking network of a peer."""

    simulate: Callable[[Tensor, int], Tensor]
    """images and steps -> what the last layer gives at each step, [steps, images, classes]"""
    rows: int = 0
    """images x steps that one call should get at most; 0: any number of steps"""
    delayed: Callable[[int], int] | None = None
    """steps -> the first step that a delayed read-out counts, where the peer has one"""

    def logits(self, images: Tensor, steps: int, size: int = BATCH) -> Tensor:
        """Simulate all images; give [steps, images, classes]."""
        if self.rows:
            size = max(1, min(size, self.rows // steps))
        with torch.inference_mode():
            return torch.cat([self.simulate(x, steps) for x in torch.split(images, size)], dim=1)


@dataclass(frozen=True)
class Peer:
    """A way to convert with somebody else's package."""

    name: str
    package: str
    events: str
    convert: Callable[[nn.Module, Tensor], Converted]

    @property
    def present(self) -> bool:
        """Can its package be imported?"""
        return importlib.util.find_spec(self.package) is not None


def spikingjelly(
    network: nn.Module, images: Tensor, *, recipe: str, multi_step: bool = False, **options: Any
) -> Converted:
    """Convert with a recipe of SpikingJelly's ann2snn."""
    ann2snn: Any = importlib.import_module("spikingjelly.activation_based.ann2snn")
    functional: Any = importlib.import_module("spikingjelly.activation_based.functional")
    loader = list(torch.split(images, BATCH))
    if recipe == LTB:
        loader = list(islice(cycle(torch.split(images, LTB_BATCH)), LTB_BATCHES))
    made = getattr(ann2snn, recipe)(dataloader=loader, **options)
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bars have no switch
        snn: Any = ann2snn.Converter(recipe=made).convert(network)
    snn.eval()

    def delayed(steps: int) -> int:
        with warnings.catch_warnings():  # it warns where it shortens the delay
            warnings.simplefilter("ignore", RuntimeWarning)
            return int(ann2snn.estimate_delay_start(snn, loader, "cpu", steps))

    def single_step(x: Tensor, steps: int) -> Tensor:
        functional.reset_net(snn)
        return torch.stack([snn(x) for _ in range(steps)])

    def all_steps(x: Tensor, steps: int) -> Tensor:
        functional.reset_net(snn)
        return snn(x.expand(steps, *x.shape))  # type: ignore[no-any-return]

    if multi_step:
        functional.set_step_mode(snn, "m")
        return Converted(all_steps)
    return Converted(single_step, delayed=delayed)


def sinabs(network: nn.Module, images: Tensor, *, spike_fn: str = "MultiSpike") -> Converted:
    """Convert with sinabs, which looks at no image: every threshold is 1."""
    package: Any = importlib.import_module("sinabs")
    activation: Any = importlib.import_module("sinabs.activation")
    spike = getattr(activation, spike_fn)
    snn: Any = package.from_model(network, spike_fn=spike, batch_size=BATCH).eval()

    def all_steps(x: Tensor, steps: int) -> Tensor:
        package.set_batch_size(snn, len(x))
        package.reset_states(snn)
        rows = snn(x.repeat_interleave(steps, dim=0))  # [images x steps, ...]
        return rows.unflatten(0, (len(x), steps)).transpose(0, 1)  # type: ignore[no-any-return]

    return Converted(all_steps, rows=ROWS)


PER_CHANNEL: dict[str, Any] = {
    "recipe": RATE,
    "mode": "99.9%",
    "channel_wise": True,
    "half_threshold": True,
}
PEERS = (
    Peer(
        "SpikingJelly, 99.9 %",
        "spikingjelly",
        "binary",
        partial(spikingjelly, recipe=RATE, mode="99.9%"),
    ),
    Peer(
        "SpikingJelly, 99.9 % per channel, half threshold",
        "spikingjelly",
        "binary",
        partial(spikingjelly, **PER_CHANNEL),
    ),
    Peer("SpikingJelly, LTB", "spikingjelly", "binary", partial(spikingjelly, recipe=LTB)),
    Peer("sinabs from_model", "sinabs", "integers", sinabs),
    Peer(
        "sinabs from_model, SingleSpike",
        "sinabs",
        "binary",
        partial(sinabs, spike_fn="SingleSpike"),
    ),
)
