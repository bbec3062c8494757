"""Both networks written out, around mixers and attentions that have tests of their own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from spikec.zoo.spikesr import spikesr
from spikec.zoo.spikinghash import spikinghash
from tests.nn.test_attention import lif
from tests.zoo.test_spikesr import SMALL as SMALL_SR
from tests.zoo.test_spikesr import images, stirred
from tests.zoo.test_spikinghash import SMALL as SMALL_HASH

ROOT = 0.5**0.5
TWICE = {**SMALL_SR, "groups": 2, "blocks": 2}


def normed(x: Tensor, norm: Any) -> Tensor:
    """Normalise by running statistics: [T, B, C, H, W]."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    centred: Tensor = x - norm.running_mean[:, None, None]
    y: Tensor = centred * scale[:, None, None] + norm.bias[:, None, None]
    return y


def convolved(x: Tensor, conv: Any) -> Tensor:
    """Convolve each step."""
    padding = conv.weight.shape[-1] // 2
    return torch.stack([F.conv2d(one, conv.weight, conv.bias, padding=padding) for one in x])


# ---- SpikeSR -------------------------------------------------------------------------------------


def fired(x: Tensor) -> Tensor:
    """LIF of SpikeSR: h = v / 2 + x, events at 0.15, reset to 0."""
    v, sent = torch.zeros_like(x[0]), []
    for now in x:
        h = v / 2 + now
        s = (h >= 0.15).to(x.dtype)
        v = h * (1 - s)
        sent.append(s)
    return torch.stack(sent)


def spiking(x: Tensor, layer: Any) -> Tensor:
    """tdBN(W * LIF(x))."""
    return normed(convolved(fired(x), layer[1][0]), layer[2].norm)


def released_block(x: Tensor, block: Any) -> Tensor:
    snn, cnn = block.branches
    y = spiking(spiking(x, snn[0]), snn[1]) + normed(convolved(x, cnn[0][0]), cnn[1].norm)
    hybrid, similarity = block.attentions
    both = hybrid(y) + torch.stack([similarity[0](one) for one in y])
    return F.gelu(both) + x


def paper_block(x: Tensor, block: Any) -> Tensor:
    snn, cnn = block.branches
    y = spiking(spiking(x, snn[0]), snn[1]) + convolved(x, cnn[0])
    hybrid, similarity = block.attentions
    gated = hybrid(y)
    return x + torch.stack([similarity[0](one) for one in gated])


def refined(x: Tensor, fusion: Any) -> Tensor:
    """Y = (1 - t) a + t x of the mean over time."""
    mean = x.mean(0)
    (_, one, _, two, _), (three, four, _, five, _) = fusion[1].by_channel, fusion[1].by_pixel
    over = mean.mean((2, 3), keepdim=True)
    a = torch.sigmoid(F.conv2d(F.relu(F.conv2d(over, one.weight, one.bias)), two.weight, two.bias))
    y = F.conv2d(mean, three.weight, three.bias, padding=1)
    y = F.relu(F.conv2d(y, four.weight, four.bias, padding=1))
    t = torch.sigmoid(F.conv2d(y, five.weight, five.bias, padding=1))
    return (1 - t) * a + t * mean


def weighed(x: Tensor, fusion: Any) -> Tensor:
    """The mean over time of Y₁ + sigmoid(S) (1 - Y₁)."""
    (first, _, second), space = fusion[0].over_time, fusion[0].over_space

    def over_time(p: Tensor) -> Tensor:
        return torch.einsum(
            "ts,sb->tb", second.weight, F.relu(torch.einsum("ts,sb->tb", first.weight, p))
        )

    a = over_time(x.mean((2, 3, 4))) + over_time(x.amax((2, 3, 4)))
    y = torch.sigmoid(a)[:, :, None, None, None] * x
    seen = torch.stack([x.mean((0, 2)), x.amax((0, 2))], 1)
    s = torch.sigmoid(F.conv2d(seen, space.weight, padding=1))
    return (y + s * (1 - y)).mean(0)


def enlarged(model: Any, x: Tensor, block: Any, fusion: Any) -> Tensor:
    steps = model.shape.steps
    first = torch.stack([F.conv2d(x, model.head[0].weight, padding=1)] * steps)
    y = first
    for group in model.groups:
        z = y
        for one in group.blocks:
            z = block(z, one)
        y = y + spiking(z, group.last)
    last = model.tail[0]
    y = F.conv2d(fusion(y + first, model.fusion), last.weight, last.bias, padding=1)
    return F.pixel_shuffle(y, model.shape.scale)


@pytest.mark.parametrize(
    ("variant", "block", "fusion"),
    [("released", released_block, refined), ("paper", paper_block, weighed)],
)
def test_spikesr_is_its_equations(variant: str, block: Any, fusion: Any) -> None:
    sizes = {"size": (16, 14)} if variant == "paper" else {}
    model = stirred(spikesr(**{**TWICE, **sizes}, variant=variant, dead=False)).double()
    x = images(size=model.shape.size).double()
    with torch.no_grad():
        torch.testing.assert_close(model(x), enlarged(model, x, block, fusion))


def test_the_papers_attention_has_smaller_patches_and_deforms_what_matches() -> None:
    model: Any = spikesr(**SMALL_SR, variant="paper")
    (block,) = model.groups[0].blocks
    attention = block.attentions[1][0]
    assert [one.size for one in attention.smaller] == [(8, 6)]
    assert not any(one.own for one in attention.blocks)


def test_normalisation_begins_at_its_share_of_the_threshold() -> None:
    model: Any = spikesr(**SMALL_SR)
    (block,) = model.groups[0].blocks
    snn, cnn = block.branches
    for norm, share in ((snn[0][2], 1), (snn[1][2], 0.2), (cnn[1], 1)):
        torch.testing.assert_close(
            norm.norm.weight, torch.full_like(norm.norm.weight, share * ROOT * 0.15)
        )


# ---- Spikinghash ---------------------------------------------------------------------------------


def stage(x: Tensor, part: Any, pool: bool) -> Tensor:
    """Convolution, normalisation, and a pool behind both."""
    y = normed(convolved(x, part[0]), part[1])
    return torch.stack([F.max_pool2d(one, 3, 2, 1) for one in y]) if pool else y


@pytest.mark.parametrize("bits", [None, 6])
@pytest.mark.parametrize(
    ("name", "pools"), [("s", (False, False, True, True)), ("l", (True, True, True, True))]
)
def test_spikinghash_is_its_equations(name: str, pools: tuple[bool, ...], bits: int | None) -> None:
    size = (12, 10) if name == "s" else (48, 40)
    options: dict[str, Any] = {**SMALL_HASH, "size": size, "bits": bits}
    model: Any = spikinghash(name, **options).double()
    x = 4 * torch.rand((4, 1, *size), generator=torch.Generator().manual_seed(0)).double() - 2
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = 0.7
        for _ in range(4):
            model(x)
        if model.hash is not None:
            model.hash.project[0].bias += torch.linspace(-0.5, 0.5, 6)
        model.eval()
        y = stage(torch.stack([x] * 4), model.stem, False)
        for index, pool in enumerate(pools):
            _, convolution, block = model.stages[3 * index : 3 * index + 3]
            y = stage(lif(y), convolution, pool)
            y = y + block.mixer(y)
            y = y + block.mlp(y)
        features = y.mean((3, 4))
        found = model(x)
        if bits is None:
            wanted = features.mean(0) @ model.head.weight.T + model.head.bias
            torch.testing.assert_close(found, wanted)
            return
        linear = model.hash.project[0]
        codes = lif(features @ linear.weight.T + linear.bias).amin(0)
        torch.testing.assert_close(found["codes"], codes)
        torch.testing.assert_close(found["scores"], codes @ model.head.weight.T + model.head.bias)
        assert 0 < codes.mean() < 1
