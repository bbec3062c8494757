"""SpikeSR: the published size and cost, and the true ones (arXiv 2503.04223).

    python -m benchmarks.spikesr_counts

Published: 1,042 K parameters and 33.05 G, SpikeSR-S 472 K and 15.21 G, at an input of 160 x 160.
These are what the counter `thop` sees.  It matches layers by their exact class and counts a layer
when it runs: of a network that is built of step-wise convolutions it misses these, their
normalisation, the kernel of the deformable convolution, products between activations, and what
never runs.  It gives a LayerNorm 4 operations per element and a pooled mean one per element read
and one per element written.  The published cost has the hybrid attention at 4 steps, and one pass
of the patch attention.  The true counts take everything; the choice of a patch is no arithmetic
(the compiled program makes a matrix product of it, its own line below).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spikec.nn.blocks import SpikingConv
from spikec.nn.deform import DeformConv2d
from spikec.nn.layers import Stepwise, TdBatchNorm
from spikec.nn.matching import PatchBlock, PatchMatch
from spikec.nn.sequence import TimeMix
from spikec.zoo.spikesr import NETWORKS, SpikeSR

SIZE = (160, 160)
PUBLISHED = {"spikesr": ("1,042 K", "33.05 G"), "spikesr_s": ("472 K", "15.21 G")}
Macs = Callable[[Any, Tensor, Tensor], int]
"""of a module, its first operand and its result"""


def convolution(layer: nn.Conv2d | DeformConv2d, x: Tensor, y: Tensor) -> int:
    """Multiply-adds: one per weight and pixel of the result."""
    return y.numel() * layer.weight[0].numel()


def linear(layer: nn.Linear, x: Tensor, y: Tensor) -> int:
    """Multiply-adds: one per input and element of the result."""
    return y.numel() * layer.in_features


def over_time(layer: TimeMix, x: Tensor, y: Tensor) -> int:
    """Multiply-adds: one per step read and element of the result."""
    return y.numel() * layer.weight.shape[1]


def products(block: PatchBlock, x: Tensor, y: Tensor) -> int:
    """Q Kᵀ and the weighted sum of V: tokens² (qk + channels) per patch."""
    patches, tokens, channels = x.shape
    return patches * tokens**2 * (block.query.out_features + channels)


def similarity(match: PatchMatch, x: Tensor, y: Tensor) -> int:
    """One product of the means of each pair of patches."""
    images, count, channels = x.shape[:3]
    return images * count**2 * channels


def choice(match: PatchMatch, x: Tensor, y: Tensor) -> int:
    """The choice as a matrix product."""
    return y.numel() * x.shape[1]


MACS: Mapping[type[nn.Module], Mapping[str, Macs]] = {
    nn.Conv2d: {"": convolution},
    DeformConv2d: {"": convolution},
    nn.Linear: {"": linear},
    TimeMix: {"": over_time},
    PatchBlock: {".products": products},
    PatchMatch: {".similarity": similarity, ".choice": choice},
}
"""what is appended to the path, and what is counted"""
SEEN: Mapping[type[nn.Module], Macs] = {
    nn.Conv2d: convolution,
    nn.Linear: linear,
    TimeMix: over_time,
    nn.LayerNorm: lambda layer, x, y: 4 * x.numel(),
    nn.AdaptiveAvgPool2d: lambda layer, x, y: x.numel() + y.numel(),
}
"""by the rule of thop; TimeMix is a plain Conv1d in the released code"""
UNSEEN = (SpikingConv, TdBatchNorm)
"""step-wise modules of the released code: classes that thop does not know"""
PATCHES = "attentions.1."
"""in the paths of what belongs to the attention between patches"""
PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("choice as a product", ("match.choice",)),
    ("similarity of patches", ("match",)),
    ("deformable: offsets, masks", ("deform.offset", "deform.mask")),
    ("deformable: kernel", ("deform.conv",)),
    ("patches: products", ("products",)),
    ("patches: linear", ("attentions.1.0.blocks",)),
    ("patches: last convolution", ("mid",)),
    ("hybrid attention", ("over_time", "over_channels")),
    ("spiking 3 x 3", ("branches.0",)),
    ("analog 3 x 3", ("branches.1",)),
    ("spiking 1 x 1", ("last",)),
    ("head", ("head",)),
    ("fusion", ("fusion",)),
    ("tail", ("tail",)),
)
"""name of a part, and what the paths of its modules hold; the first that fits"""


@dataclass
class Counts:
    """What one pass costs, by path of the module."""

    macs: Counter[str]
    seen: Counter[str]

    def by_part(self) -> Counter[str]:
        """Sum multiply-adds by part."""
        found: Counter[str] = Counter()
        for path, number in self.macs.items():
            found[part_of(path)] += number
        return found


def part_of(path: str) -> str:
    """Give the part that a module belongs to."""
    return next(name for name, keys in PARTS if any(key in path for key in keys))


def counted(model: SpikeSR, size: tuple[int, int]) -> Counts:
    """Run a network without numbers, and count."""
    counts = Counts(Counter(), Counter())
    stepwise = hidden(model)

    def hook(path: str) -> Callable[..., None]:
        def note(layer: nn.Module, given: tuple[Tensor, ...], y: Tensor) -> None:
            for ending, rule in MACS.get(type(layer), {}).items():
                counts.macs[path + ending] += rule(layer, given[0], y)
            if type(layer) in SEEN and path not in stepwise:
                counts.seen[path] += SEEN[type(layer)](layer, given[0], y)

        return note

    model = model.to("meta").eval()
    handles = [m.register_forward_hook(hook(path)) for path, m in model.named_modules()]
    with torch.no_grad():
        model(torch.empty((1, 3, *size), device="meta"))
    for handle in handles:
        handle.remove()
    return counts


def hidden(model: nn.Module) -> set[str]:
    """Give the paths of layers that the released code builds of step-wise classes."""
    found = set()
    for path, module in model.named_modules():
        if isinstance(module, Stepwise):
            found |= {f"{path}.{name}" for name, one in module.named_children() if plain(one)}
        if isinstance(module, UNSEEN):
            found |= {f"{path}.{name}" for name, _ in module.named_modules() if name}
    return found


def plain(module: nn.Module) -> bool:
    """Tell whether a module is a single layer."""
    return not list(module.children())


def parameters(model: nn.Module, counts: Counts | None = None) -> int:
    """Count trainable numbers: all, or those of layers that thop has seen running."""
    if counts is None:
        return sum(p.numel() for p in model.parameters())
    layers = [m for path, m in model.named_modules() if path in counts.seen]
    return sum(p.numel() for layer in layers for p in layer.parameters(recurse=False))


def by_part(model: nn.Module) -> Counter[str]:
    """Sum parameters by part."""
    found: Counter[str] = Counter()
    for path, parameter in model.named_parameters():
        found[part_of(path)] += parameter.numel()
    return found


def published(model: SpikeSR, counts: Counts) -> tuple[int, int, int]:
    """Give parameters and operations as thop counts them: one pass of the patches, and all."""
    steps = model.shape.steps
    within = {path: n for path, n in counts.seen.items() if PATCHES in path}
    total = sum(counts.seen.values())
    return parameters(model, counts), total - sum(within.values()) * (steps - 1) // steps, total


def totals(counts: Counts) -> int:
    """Sum multiply-adds, without the choice of patches."""
    return sum(n for part, n in counts.by_part().items() if part != PARTS[0][0])


def main() -> None:
    """Print both tables."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    print("| network | published | as thop counts (4 passes) | parameters | MACs, 1 and 4 steps |")
    print("|" + "---|" * 5)
    tables = {}
    for name, (size, cost) in PUBLISHED.items():
        models = [NETWORKS[name](size=SIZE, steps=steps) for steps in (1, 4)]
        one, four = (counted(model, SIZE) for model in models)
        seen, once, all_passes = published(models[-1], four)
        tables[name] = by_part(models[-1]), one.by_part()
        print(
            f"| {name} | {size}, {cost} "
            f"| {seen:,}, {once / 1e9:.4f} G ({all_passes / 1e9:.2f} G) "
            f"| {parameters(models[-1]):,} | {totals(one) / 1e9:.2f}, {totals(four) / 1e9:.1f} G |"
        )
    print("\n| part | " + " | ".join(f"{n} parameters | MACs G, 1 step" for n in tables) + " |")
    print("|" + "---|" * (1 + 2 * len(tables)))
    for part, _ in PARTS:
        cells = [f"{p[part]:,} | {m[part] / 1e9:.3f}" for p, m in tables.values()]
        print(f"| {part} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
