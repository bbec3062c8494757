"""Attention between patches, beside sums written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from spikec.errors import UsageError
from spikec.nn.matching import (
    DeformableSimilarityAttention,
    Deformation,
    PatchBlock,
    PatchMatch,
)

CHANNELS = 6


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def normed(x: Tensor) -> Tensor:
    """LayerNorm of the last axis, as it begins."""
    spread = x.var(-1, unbiased=False, keepdim=True)
    return (x - x.mean(-1, keepdim=True)) / (spread + 1e-5).sqrt()


def test_each_patch_gets_the_other_one_most_like_it() -> None:
    patches = drawn(2, 7, CHANNELS, 3, 3)
    match = PatchMatch(CHANNELS, 7).double().eval()
    q = normed(patches.mean((-2, -1)))
    similarity = torch.einsum("nic,njc->nij", q, q) / CHANNELS**0.5
    torch.testing.assert_close(
        match.similarity(patches, patches), similarity - 100 * torch.eye(7, dtype=torch.float64)
    )
    similarity.diagonal(dim1=1, dim2=2).fill_(-torch.inf)
    best = similarity.argmax(-1)
    wanted = torch.stack([one[places] for one, places in zip(patches, best, strict=True)])
    assert torch.equal(match(patches), wanted)
    assert not (best == torch.arange(7)).any()


def test_patches_of_other_scales_may_match() -> None:
    patches = drawn(1, 3, CHANNELS, 2, 2)
    others = patches[:, 1:2] + 1e-6  # nearly the second one
    match = PatchMatch(CHANNELS, 3, 1).double().eval()
    found = match(patches, others)
    assert torch.equal(found[0, 1], others[0, 0])


def test_training_draws_one_patch_and_learns_by_the_softmax() -> None:
    match = PatchMatch(CHANNELS, 4).double().train()
    patches = drawn(200, 4, CHANNELS, 1, 1).requires_grad_()
    torch.manual_seed(0)
    chosen = match.choice(match.similarity(patches, patches))
    assert torch.equal(
        chosen.detach().sort(-1).values[..., -1:].round(), torch.ones(200, 4, 1).double()
    )
    torch.testing.assert_close(chosen.sum(-1), torch.ones(200, 4, dtype=torch.float64))
    assert (chosen.argmax(-1) != torch.arange(4)).all()  # never itself
    match(patches).square().sum().backward()
    assert match.norm.weight.grad is not None
    assert match.norm.weight.grad.abs().max() > 0
    similarity = torch.tensor([[0.0, 1.0, 2.0, -100.0]]).repeat(20000, 1)
    shares = match.choice(similarity).mean(0)
    torch.testing.assert_close(shares, torch.softmax(similarity[0], -1), atol=0.02, rtol=0)


@pytest.mark.parametrize("deforms", ["own", "matched"])
def test_a_block_is_attention_and_a_perceptron(deforms: str) -> None:
    block = PatchBlock(CHANNELS, 4, 9, deformable=False, deforms=deforms).double()
    x, y = drawn(3, 16, CHANNELS), drawn(3, 16, CHANNELS, seed=1)
    asking, asked = (normed(x), y) if deforms == "own" else (normed(y), normed(x))
    torch.testing.assert_close(block(x, y), written_out(block, x, asking, asked))
    torch.testing.assert_close(block(x), written_out(block, x, normed(x), normed(x)))


def written_out(block: PatchBlock, x: Tensor, asking: Tensor, asked: Tensor) -> Tensor:
    query, key, value = (getattr(block, n).weight for n in ("query", "key", "value"))
    scores = torch.einsum("nid,ed,njc,ec->nij", asking, query, asked, key) / 4**0.5
    weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
    x = x + torch.einsum("nij,njc,dc->nid", weights, asked, value)
    first, second = block.feed[1], block.feed[3]
    assert isinstance(first, nn.Linear)
    assert isinstance(second, nn.Linear)
    hidden = torch.einsum("nic,dc->nid", normed(x), first.weight) + first.bias
    curved = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
    return x + torch.einsum("nid,cd->nic", curved, second.weight) + second.bias


def test_a_deformation_begins_as_a_plain_convolution() -> None:
    layer, x = Deformation(CHANNELS).double(), drawn(2, CHANNELS, 8, 8)
    plain = nn.functional.conv2d(x, layer.conv.weight, layer.conv.bias, padding=1)
    torch.testing.assert_close(layer(x), plain)
    with torch.no_grad():
        assert layer.offset.bias is not None
        layer.offset.bias[0] = 1.0  # the first tap one row down
    moved = nn.functional.conv2d(x, shifted(layer.conv.weight), layer.conv.bias, padding=2)
    torch.testing.assert_close(layer(x)[..., 2:-2, 2:-2], moved[..., 2:-2, 2:-2])


def shifted(weight: Tensor) -> Tensor:
    """The kernel in 5 x 5, its first tap one row lower."""
    wide = nn.functional.pad(weight, (1, 1, 1, 1)).detach().clone()
    wide[..., 2, 1] += wide[..., 1, 1]
    wide[..., 1, 1] = 0
    return wide


def test_the_attention_of_an_image_is_that_of_its_patches() -> None:
    options = {"patch": 4, "stride": 3, "qk": 4, "mlp": 9}
    layer = DeformableSimilarityAttention(CHANNELS, (10, 7), **options).double().eval()  # type: ignore[arg-type]
    x = drawn(2, CHANNELS, 10, 7)
    patches = layer.patches.split(x)
    matched = layer.match(patches)
    tokens, others = (p.flatten(0, 1).flatten(2).transpose(1, 2) for p in (patches, matched))
    for k, block in enumerate(layer.blocks):
        tokens = block(tokens) if k else block(tokens, others)
    pasted = layer.patches.paste(tokens.transpose(1, 2).reshape(patches.shape))
    torch.testing.assert_close(layer(x), x + layer.mid(pasted))


def test_samples_do_not_meet() -> None:
    options = {"patch": 4, "stride": 4, "qk": 4, "mlp": 9, "scales": (0.5,)}
    layer = DeformableSimilarityAttention(CHANNELS, (8, 8), **options).double().eval()  # type: ignore[arg-type]
    assert layer.match.numbers.shape == (5,)
    x = drawn(3, CHANNELS, 8, 8)
    torch.testing.assert_close(layer(x)[1:2], layer(x[1:2]))


def test_dead_convolutions_only_count() -> None:
    options = {"patch": 4, "stride": 4, "qk": 4, "mlp": 9}
    torch.manual_seed(0)
    dead = DeformableSimilarityAttention(CHANNELS, (8, 8), dead=True, **options).double().eval()  # type: ignore[arg-type]
    live = DeformableSimilarityAttention(CHANNELS, (8, 8), **options).double().eval()  # type: ignore[arg-type]
    missing = live.load_state_dict(dead.state_dict(), strict=False)
    assert not missing.missing_keys
    assert all(".deform." in name for name in missing.unexpected_keys)
    assert torch.equal(live(drawn(1, CHANNELS, 8, 8)), dead(drawn(1, CHANNELS, 8, 8)))


def test_unknown_sources_are_told() -> None:
    with pytest.raises(UsageError, match="own or matched"):
        PatchBlock(4, 2, 4, deforms="other")
