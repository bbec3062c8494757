"""Networks of smooth functions: norms, gates, softmax, attention, by hand and by PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikec.ir import B, Graph, Op, Value, ops
from tests.passes.helpers import Net, size

TOKENS, WIDTH = 4, 6
SMOOTH: tuple[Op, ...] = (
    *(ops.GELU(), ops.SiLU(), ops.Tanh(), ops.HardSwish(), ops.Softplus(), ops.Mish()),
    *(ops.ELU(), ops.Sigmoid()),
)


def smooth_net(seed: int) -> Graph:
    """Two or three blocks on [B, N, C] between an embedding with positions and a classifier."""
    net = Net(TOKENS, 3, seed=seed, name=f"smooth{seed}")
    x = net.linear(net.x, WIDTH)
    x = net.edit.add(ops.Add(), x, constant(net, TOKENS, WIDTH))
    if seed % 2:
        x = with_class_token(net, x)
    blocks = (attended, gated, widened, normalised, rectified)
    for _ in range(net.rng.integers(2, 4)):
        x = blocks[net.rng.integers(len(blocks))](net, x)
    mean = net.edit.add(ops.ReduceMean((-2,), False), norm(net, x))
    return net.done(net.linear(mean, 3))


def constant(net: Net, *shape: int) -> Value:
    return net.edit.add(ops.Constant(net.array(*shape)))


def with_class_token(net: Net, x: Value) -> Value:
    token = net.edit.add(ops.Expand((B, 1, WIDTH)), constant(net, 1, 1, WIDTH))
    return net.edit.add(ops.Concat(-2), token, x)


def norm(net: Net, x: Value) -> Value:
    weight, bias = net.array(WIDTH, low=0.5, high=1.5), net.array(WIDTH)
    kinds = (ops.LayerNorm(1, weight, bias, 1e-5), ops.RMSNorm(1, weight, 1e-5))
    return net.edit.add(kinds[net.rng.integers(2)], x)


def attended(net: Net, x: Value) -> Value:
    """Give x + W softmax(q kᵀ + mask) v."""
    query, key, value = (net.linear(norm(net, x), WIDTH) for _ in range(3))
    turned = net.edit.add(ops.Permute((-1, -2)), key)
    tokens = size(x, -2)
    if net.rng.random() < 0.5:
        scores = net.edit.add(ops.Matmul(), query, turned)
    else:
        scores = net.edit.add(ops.Einsum("bid,bjd->bij"), query, key)
    scores = net.edit.add(ops.Add(), scores, constant(net, tokens, tokens))
    weights = net.edit.add(ops.Softmax(-1), scores)
    mixed = net.edit.add(ops.Matmul(), weights, value)
    return net.edit.add(ops.Add(), x, net.linear(mixed, WIDTH))


def gated(net: Net, x: Value) -> Value:
    """Give x + W (a · f(b)), with 1 + tanh as f: linear behind a function."""
    factor = net.edit.add(ops.Tanh(), net.linear(x, WIDTH))
    factor = net.edit.add(ops.Add(), factor, constant(net, 1))
    product = net.edit.add(ops.Mul(), net.linear(x, WIDTH), factor)
    return net.edit.add(ops.Add(), x, net.linear(product, WIDTH))


def widened(net: Net, x: Value) -> Value:
    f = SMOOTH[net.rng.integers(len(SMOOTH))]
    hidden = net.edit.add(f, net.linear(norm(net, x), 8))
    return net.edit.add(ops.Add(), x, net.linear(hidden, WIDTH))


def normalised(net: Net, x: Value) -> Value:
    """GroupNorm over channels that stand on the last axis but one."""
    turned = net.edit.add(ops.Permute((-1, -2)), net.linear(x, WIDTH))
    weight, bias = net.array(WIDTH, low=0.5, high=1.5), net.array(WIDTH)
    y = net.edit.add(ops.GroupNorm(2, weight, bias, 1e-5, -2), turned)
    return net.edit.add(ops.Permute((-1, -2)), y)


def rectified(net: Net, x: Value) -> Value:
    """ReLU and a maximum among smooth functions."""
    hidden = net.edit.add(ops.Clip(0.0, 1.0), net.linear(net.relu(net.linear(x, 5)), 5))
    most = net.edit.add(ops.ReduceMax((-2,), True), hidden)
    y = net.linear(net.edit.add(ops.Sub(), hidden, most), WIDTH)
    return net.edit.add(ops.Add(), x, y)


class ByHand(nn.Module):
    """Attention of several heads, written with products and a softmax of single steps."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        parts = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts[0], parts[1], parts[2]
        scores = query @ key.transpose(-2, -1) / (width // self.heads) ** 0.5
        weights = (scores - scores.amax(-1, keepdim=True)).exp()
        mixed = (weights / weights.sum(-1, keepdim=True)) @ value
        joined: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return joined


class Fused(ByHand):
    """The same by scaled_dot_product_attention, where no token sees later ones."""

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        parts = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(
            parts[0], parts[1], parts[2], is_causal=True
        )
        joined: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return joined


class Module(nn.Module):
    """nn.MultiheadAttention on one sequence."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.inner(x, x, x, need_weights=False)[0]
        return mixed


class Windows(ByHand):
    """Attention in windows of two tokens, shifted by one around the ends, as in Swin."""

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        moved = torch.roll(x, -1, 1).reshape(batch * (tokens // 2), 2, width)
        mixed = super().forward(moved).reshape(batch, tokens, width)
        return torch.roll(mixed, 1, 1)


class Tokens(nn.Module):
    """An embedding, two blocks with a norm in front of each part, and a classifier."""

    def __init__(self, attention: Callable[[int, int], nn.Module], act: nn.Module) -> None:
        super().__init__()
        self.embed = nn.Linear(5, 8)
        self.place = nn.Parameter(torch.randn(1, 6, 8))
        self.attention = nn.ModuleList(attention(8, 2) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(8) for _ in range(4))
        self.hidden = nn.ModuleList(nn.Linear(8, 16) for _ in range(2))
        self.back = nn.ModuleList(nn.Linear(16, 8) for _ in range(2))
        self.act = act
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x) + self.place
        for i in range(2):
            x = x + self.attention[i](self.norms[2 * i](x))
            x = x + self.back[i](self.act(self.hidden[i](self.norms[2 * i + 1](x))))
        logits: Tensor = self.head(x.mean(1))
        return logits


class Pictures(nn.Module):
    """Convolutions with GroupNorm and SiLU, a gate of a hard sigmoid, a hard swish."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.norm, self.gate = nn.GroupNorm(2, 8), nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.silu(self.norm(self.first(x)))
        x = x * functional.hardsigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        x = functional.hardswish(self.second(x))
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits


MODULES: Mapping[str, Callable[[], nn.Module]] = {
    "by hand, GELU": lambda: Tokens(ByHand, nn.GELU()),
    "fused, SiLU": lambda: Tokens(Fused, nn.SiLU()),
    "MultiheadAttention, tanh": lambda: Tokens(Module, nn.Tanh()),
    "windows, sigmoid": lambda: Tokens(Windows, nn.Sigmoid()),
    "pictures": Pictures,
}
