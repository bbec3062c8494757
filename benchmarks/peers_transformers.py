"""Accuracy of SpikingJelly 2.0's transformer recipes and of spikec on the same ViT.

    python -m benchmarks.peers_transformers [--steps 2 4 8 16 32] [--json]

The network is the ViT of :mod:`benchmarks.mnist_transformers`, written as SpikingJelly can read it
(`nn.MultiheadAttention` whose first result is taken) with the same weights; both writings
are compared before anything is measured.  As its own examples do, the image is shown at the
first step and nothing after it, and the outputs are added up.  How to install it: see
:mod:`benchmarks.peers_accuracy`; the ViT is trained by :mod:`benchmarks.transformers`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

import spikec
from benchmarks.mnist_nets import Split, data
from benchmarks.mnist_transformers import vit
from benchmarks.peers_contenders import BATCH, percent, plain_pass
from benchmarks.transformers import MNIST_CALIBRATION
from spikec.data import read_data

STEPS = (2, 4, 8, 16, 32)


class ReadableBlock(nn.Module):
    """y = x + attention(norm(x)); y + W2 GELU(W1 norm(y)): each step a module that can be found.

    ``layer`` is the `nn.TransformerEncoderLayer` whose weights it takes.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.norm1, self.attention = layer.norm1, layer.self_attn
        self.norm2, self.linear1 = layer.norm2, layer.linear1
        self.gelu, self.linear2 = nn.GELU(), layer.linear2

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        y, _ = self.attention(y, y, y, need_weights=False)
        x = x + y
        return x + self.linear2(self.gelu(self.linear1(self.norm2(x))))  # type: ignore[no-any-return]


class ReadableViT(nn.Module):
    """The ViT without `expand` and slices of tokens, which SpikingJelly refuses.

    The class token is appended by a product with a constant, [17, 16] x [16, width], whose first
    row is empty, and is added together with the places.  ``source`` is the `SmallViT`.
    """

    def __init__(self, source: Any) -> None:
        super().__init__()
        self.patches, self.norm, self.head = source.patches, source.norm, source.head
        self.blocks = nn.Sequential(*(ReadableBlock(block) for block in source.blocks))
        self.places = nn.Parameter(source.places.detach().clone())
        with torch.no_grad():
            self.places[:, 0] += source.token[:, 0]
        self.rows = nn.Linear(16, 17, bias=False)
        self.rows.weight = nn.Parameter(torch.eye(17)[:, 1:].clone())
        self.first = nn.Linear(17, 1, bias=False)
        self.first.weight = nn.Parameter(torch.eye(17)[:1].clone())

    def forward(self, x: Tensor) -> Tensor:
        x = self.rows(self.patches(x).flatten(2)).transpose(1, 2) + self.places
        token = self.first(self.norm(self.blocks(x)).transpose(1, 2)).flatten(1)
        return self.head(token)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Row:
    """Accuracies of one contender, in per cent, by number of steps."""

    name: str
    accuracy: dict[int, float]


def spikingjelly(
    network: nn.Module, steps: int, recipe: str, **options: Any
) -> Callable[[Tensor], Tensor]:
    """Convert with one of SpikingJelly's recipes for transformers; give what simulates images."""
    ann2snn: Any = importlib.import_module("spikingjelly.activation_based.ann2snn")
    functional: Any = importlib.import_module("spikingjelly.activation_based.functional")
    made = getattr(ann2snn, recipe)(time_steps=steps, **options)
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bars have no switch
        snn: Any = ann2snn.Converter(recipe=made).convert(network)
    functional.set_step_mode(snn.eval(), "m")

    def simulate(x: Tensor) -> Tensor:
        functional.reset_net(snn)
        shown = torch.zeros(steps, *x.shape)
        shown[0] = x
        return snn(shown).sum(dim=0)  # type: ignore[no-any-return]

    return simulate


RECIPES = {
    "SpikingJelly TransformerTDEquivalentRecipe": ("TransformerTDEquivalentRecipe", {}),
    "SpikingJelly STATransformerRecipe, equivalent": ("STATransformerRecipe", {}),
    "SpikingJelly STATransformerRecipe, spikes, mse": (
        "STATransformerRecipe",
        {"mode": "spiking_encoder", "threshold_mode": "mse"},
    ),
    "SpikingJelly STATransformerRecipe, spikes, max": (
        "STATransformerRecipe",
        {"mode": "spiking_encoder", "threshold_mode": "max"},
    ),
}


def peer_rows(network: nn.Module, split: Split, steps: Sequence[int]) -> Iterator[Row]:
    """Convert for each number of steps: thresholds depend on it."""
    images = torch.from_numpy(split.train_x[:MNIST_CALIBRATION])
    test, labels = torch.from_numpy(split.test_x), torch.from_numpy(split.test_y)
    for name, (recipe, options) in RECIPES.items():
        more = {"dataloader": torch.split(images, BATCH)} if "STA" in recipe else {}
        found = {}
        for count in steps:
            simulate = spikingjelly(network, count, recipe, **options, **more)
            with torch.inference_mode():
                logits = torch.cat([simulate(x) for x in torch.split(test, BATCH)])
            found[count] = percent(logits, labels)
        yield Row(name, found)


def own_row(recipe: str, split: Split, steps: Sequence[int]) -> Row:
    """Convert the network as it was written."""
    test = read_data((split.test_x, split.test_y))
    calibration = split.train_x[:MNIST_CALIBRATION]
    programs = {count: spikec.convert(vit(), calibration, count, recipe) for count in steps}
    return Row(
        f"spikec {recipe}", {t: 100 * made.evaluate(test).accuracy for t, made in programs.items()}
    )


def show(row: Row) -> None:
    """Print a row of the table."""
    print("|", row.name, "|", *(f"{value:.2f} |" for value in row.accuracy.values()), flush=True)


def main() -> None:
    """Compare the two writings of the network, then print one row per contender."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", nargs="+", type=int, default=list(STEPS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    split, source = data(), vit()
    images = torch.from_numpy(split.test_x)
    with torch.no_grad():
        network = ReadableViT(source).eval()
    logits = plain_pass(network, images)
    if not torch.allclose(logits, plain_pass(source, images), rtol=1e-4, atol=1e-4):
        raise SystemExit("the two writings of the network differ")
    rows: list[Row] = []
    tell: Callable[[Row], None] = rows.append if options.json else show
    tell(Row("network", {1: percent(logits, torch.from_numpy(split.test_y))}))
    if importlib.util.find_spec("spikingjelly") is None:
        print("SpikingJelly is not installed: its rows are left out", file=sys.stderr)
    else:
        for row in peer_rows(network, split, options.steps):
            tell(row)
    tell(own_row("differential", split, options.steps))
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
