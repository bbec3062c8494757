"""Attention between patches of an image that are alike: SpikeSR's deformable similarity attention.

Every axis but the first is fixed: [N, C, H, W] of samples, or of steps and samples together.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from spikec.errors import UsageError
from spikec.nn.deform import DeformConv2d
from spikec.nn.patches import Patches

EXCLUDED = 100.0
"""taken off the similarity of a patch with itself"""
SOURCES = ("own", "matched")


class PatchMatch(nn.Module):
    """Give each patch the one most like it, another one: [N, n, C, p, p] -> [N, n, C, p, p].

    q_i = LayerNorm(mean over the pixels of P_i), S_ij = q_i · q_j / √C - 100 [i = j].  In
    evaluation Y_i = P_j with j = argmax_j S_ij; in training Y = G P with G one-hot, drawn by
    Gumbel-softmax at ``temperature`` and differentiated as the softmax.  ``more`` candidates, of
    other scales, may stand behind the own ones; a patch may match these wherever they come from.
    """

    excluded: Tensor
    numbers: Tensor

    def __init__(self, channels: int, count: int, more: int = 0, temperature: float = 1.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.scale, self.temperature = channels**-0.5, temperature
        self.register_buffer("excluded", EXCLUDED * torch.eye(count, count + more), False)
        self.register_buffer("numbers", torch.arange(count + more), False)

    def similarity(self, patches: Tensor, candidates: Tensor) -> Tensor:
        """Give S, [N, patches, candidates]."""
        asking = self.norm(patches.mean((-2, -1)))
        asked = asking if candidates is patches else self.norm(candidates.mean((-2, -1)))
        products: Tensor = asking @ asked.transpose(-1, -2) * self.scale
        return products - self.excluded

    def choice(self, similarity: Tensor) -> Tensor:
        """Give G: one 1 per row."""
        if self.training:
            return F.gumbel_softmax(similarity, self.temperature, hard=True)
        best = similarity.argmax(-1, keepdim=True)
        return (best == self.numbers).to(similarity.dtype)

    def forward(self, patches: Tensor, others: Tensor | None = None) -> Tensor:
        """Match; ``others`` are the candidates of other scales, [N, more, C, p, p]."""
        candidates = patches if others is None else torch.cat([patches, others], 1)
        chosen = self.choice(self.similarity(patches, candidates)) @ candidates.flatten(2)
        return chosen.reshape(patches.shape)


class Deformation(nn.Module):
    """A modulated deformable 3 x 3 convolution whose offsets and masks come from its own input.

    Offsets = Conv3x3(x), mask = 2 sigmoid(Conv3x3(x)); both begin at 0, as a plain convolution.
    """

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__()
        taps, pad = kernel**2, kernel // 2
        self.offset = nn.Conv2d(channels, 2 * taps, kernel, padding=pad)
        self.mask = nn.Conv2d(channels, taps, kernel, padding=pad)
        self.conv = DeformConv2d(channels, channels, kernel, padding=pad)
        for parameter in (*self.offset.parameters(), *self.mask.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        mask = 2 * torch.sigmoid(self.mask(x))
        return self.conv(x, self.offset(x), mask)  # type: ignore[no-any-return]


class PatchBlock(nn.Module):
    """A transformer block on the pixels of patches, [N, C, p, p]; one head.

    X += softmax(Q Kᵀ / √q) V, then X += W₂ GELU(W₁ LN(X) + b₁) + b₂.  Of itself, Q, K and V are
    linear in LN(X).  Of X and a matched patch Y: with ``deforms="own"`` Q is linear in D(LN(X)), K
    and V in Y; with ``"matched"`` Q is linear in D(LN(Y)), K and V in LN(X).  D is a
    :class:`Deformation`, or the identity.
    """

    def __init__(
        self, channels: int, qk: int, mlp: int, *, deformable: bool = True, deforms: str = "own"
    ) -> None:
        super().__init__()
        if deforms not in SOURCES:
            raise UsageError(f"deforms={deforms!r}", expected=" or ".join(SOURCES))
        self.own = deforms == "own"
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, qk, bias=False)
        self.key = nn.Linear(channels, qk, bias=False)
        self.value = nn.Linear(channels, channels, bias=False)
        self.deform = Deformation(channels) if deformable else None
        self.feed = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, mlp), nn.GELU(), nn.Linear(mlp, channels)
        )

    def attention(self, asking: Tensor, asked: Tensor) -> Tensor:
        """softmax(Q Kᵀ / √q) V over the pixels of a patch."""
        query, key = self.query(asking), self.key(asked)
        weights = torch.softmax(query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5, -1)
        return weights @ self.value(asked)  # type: ignore[no-any-return]

    def forward(self, x: Tensor, matched: Tensor | None = None) -> Tensor:
        """Attend to itself, or between x and a matched patch: tokens [N, p², C]."""
        normed = self.norm(x)
        if matched is None:
            x = x + self.attention(normed, normed)
        elif self.own:
            x = x + self.attention(self.deformed(normed), matched)
        else:
            x = x + self.attention(self.deformed(self.norm(matched)), normed)
        return x + self.feed(x)  # type: ignore[no-any-return]

    def deformed(self, tokens: Tensor) -> Tensor:
        """Apply D to tokens, as a patch."""
        if self.deform is None:
            return tokens
        side = round(tokens.shape[1] ** 0.5)
        image = tokens.transpose(1, 2).reshape(*tokens.shape[::2], side, side)
        return self.deform(image).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


class DeformableSimilarityAttention(nn.Module):
    """y = x + Conv3x3(paste(blocks(patches, matched))) of [N, C, H, W].

    Patches P of x, overlapping; Y their matches (:class:`PatchMatch`); the first block attends
    between P and Y, the others within P (:class:`PatchBlock`).  ``scales`` below 1 add the patches
    of x made smaller (bilinear) to the candidates.

    ``deformable=False`` leaves the deformable convolution out; ``dead=True`` gives the later blocks
    one each that never runs, as the released SpikeSR has them (they count as parameters only).
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        *,
        patch: int = 16,
        stride: int | None = 14,
        qk: int = 32,
        mlp: int = 100,
        depth: int = 3,
        deformable: bool = True,
        dead: bool = False,
        deforms: str = "own",
        scales: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.patches = Patches(size, patch, stride)
        self.smaller = nn.ModuleList(
            Patches(_scaled(size, scale), patch, stride) for scale in scales
        )
        more = sum(one.count for one in self._others())
        self.match = PatchMatch(channels, self.patches.count, more)
        self.blocks = nn.ModuleList(
            PatchBlock(
                channels, qk, mlp, deformable=deformable and (dead or not k), deforms=deforms
            )
            for k in range(depth)
        )
        self.mid = nn.Conv2d(channels, channels, 3, padding=1)

    def _others(self) -> list[Patches]:
        return [one for one in self.smaller if isinstance(one, Patches)]

    def candidates(self, x: Tensor) -> Tensor | None:
        """Give the patches of x at the smaller scales."""
        found = [
            one.split(F.interpolate(x, one.size, mode="bilinear", align_corners=False))
            for one in self._others()
        ]
        return torch.cat(found, 1) if found else None

    def forward(self, x: Tensor) -> Tensor:
        """Match and attend."""
        patches = self.patches.split(x)
        matched = _tokens(self.match(patches, self.candidates(x)))
        tokens = _tokens(patches)
        for k, block in enumerate(self.blocks):
            tokens = block(tokens) if k else block(tokens, matched)
        done = tokens.transpose(1, 2).reshape(x.shape[0], *patches.shape[1:])
        return x + self.mid(self.patches.paste(done))  # type: ignore[no-any-return]


def _tokens(patches: Tensor) -> Tensor:
    """[N, n, C, p, p] as [N n, p², C]."""
    return patches.flatten(0, 1).flatten(2).transpose(1, 2)


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return round(size[0] * scale), round(size[1] * scale)
