"""Calls of operators that move, select, merge, reduce, compare and fill."""

from __future__ import annotations

import torch

from tests.frontends.torch_export.helpers import case, p, x

aten = torch.ops.aten
IMAGE = x(4, 6, 8)
BOOLS = x(3, 5, kind="bool")
WHOLE = x(3, 5, kind="whole")

SHAPE = [
    case(aten.view.default, IMAGE, [-1, 24, 8]),
    case(aten._unsafe_view.default, IMAGE, [-1, 24, 8]),
    case(aten.unsqueeze.default, IMAGE, 2),
    case(aten.squeeze.default, x(1, 3, 1)),
    case(aten.squeeze.dim, x(1, 3), 1),
    case(aten.squeeze.dims, x(1, 3, 1), [1, 3]),
    case(aten.clone.default, IMAGE),
    case(aten.alias.default, IMAGE),
    case(aten.permute.default, IMAGE, [0, 2, 3, 1]),
    case(aten.transpose.int, IMAGE, 1, -1),
    case(aten.t.default, x(4)),
    case(aten.expand.default, x(1, 5), [-1, 4, 5]),
    case(aten.slice.Tensor, IMAGE, 2, 1, -1, 2),
    case(aten.slice.Tensor, IMAGE, 3, -3),
    case(aten.select.int, IMAGE, 1, -2),
    case(aten.split.Tensor, x(5, 3), 2, 1),
    case(aten.split_with_sizes.default, IMAGE, [1, 2, 3], 2),
    case(aten.unbind.int, x(3, 2), 1),
    case(aten.cat.default, [IMAGE, IMAGE], 2),
    case(aten.cat.default, [x(3, kind="whole"), x(2)], 1),
    case(aten.stack.default, [x(3), x(3)], -1),
    case(aten.repeat.default, x(3, 1), [1, 2, 4]),
    case(aten.repeat.default, x(3, 1), [1, 1, 2, 4]),
    case(aten.tile.default, x(3, 2), [2, 1]),
    case(aten.repeat_interleave.self_int, x(3, 2), 3, 1),
    case(aten.repeat_interleave.self_int, x(3), 2),
    case(aten.flip.default, IMAGE, [1, 3]),
    case(aten.roll.default, IMAGE, [1, -2], [2, 3]),
    *(case(aten.rot90.default, IMAGE, k, [2, 3]) for k in range(4)),
    case(aten.pixel_shuffle.default, IMAGE, 2),
    case(aten.pixel_unshuffle.default, IMAGE, 2),
    case(aten.channel_shuffle.default, IMAGE, 2),
    *(case(aten.pad.default, IMAGE, [1, 2, 0, 1], m) for m in ("reflect", "replicate", "circular")),
    case(aten.pad.default, IMAGE, [1, -2], "constant", 3.0),
    case(aten.constant_pad_nd.default, IMAGE, [0, 1, 2, 0], 1.5),
    case(aten.reflection_pad1d.default, x(4, 6), [2, 1]),
    case(aten.reflection_pad2d.default, IMAGE, [2, 1, 0, 3]),
    case(aten.reflection_pad3d.default, x(2, 3, 4, 5), [2, 1, 0, 3, 1, 1]),
    case(aten.replication_pad1d.default, x(4, 6), [2, 1]),
    case(aten.replication_pad2d.default, IMAGE, [2, 1, 0, 3]),
    case(aten.replication_pad3d.default, x(2, 3, 4, 5), [2, 1, 0, 3, 1, 1]),
    case(aten.tril.default, IMAGE, 1),
    case(aten.triu.default, IMAGE, -1),
]

_PLACES = torch.tensor([2, 0, -1])
_MASK = torch.tensor([True, False, True, True])
SELECT = [
    case(aten.index.Tensor, IMAGE, [None, _PLACES]),
    case(aten.index.Tensor, IMAGE, [None, None, _PLACES, _PLACES + 1]),
    case(aten.index.Tensor, IMAGE, [None, _PLACES, None, _PLACES[:, None]]),
    case(aten.index.Tensor, IMAGE, [None, _MASK]),
    case(aten.index.Tensor, p(5, 3), [x(2, kind="ids")]),
    case(aten.index_select.default, IMAGE, 1, _PLACES.abs()),
    case(aten.index_select.default, p(5, 3), 0, x(kind="ids")),
    case(aten.embedding.default, p(5, 3), x(2, kind="ids")),
    case(
        aten.gather.default,
        x(3, 4),
        torch.tensor([[[2, 0, 1], [0, 0, 2]]]),
        how=lambda x, i: aten.gather(x, 1, i.expand(x.shape[0], 2, 3)),
    ),
    case(aten._unsafe_index.Tensor, IMAGE, [None, None, _PLACES.abs()]),
    case(aten.one_hot.default, x(2, kind="ids"), 5),
    case(aten.unfold.default, IMAGE, 2, 3, 2),
    case(aten.im2col.default, IMAGE, [3, 2], [1, 2], [1, 0], [2, 1]),
    case(aten.col2im.default, x(12, 12), [7, 5], [3, 2], [1, 1], [0, 0], [2, 1]),
    case(aten.diagonal.default, IMAGE, 1, 2, 3),
    case(aten.diagonal_copy.default, IMAGE, -1, 3, 1),
]

WRITE = [
    case(aten.slice_scatter.default, IMAGE, x(4, 2, 8), 2, 1, 3),
    case(aten.slice_scatter.default, IMAGE, x(4, 3, 8), 2, 0, 6, 2),
    case(aten.slice_scatter.default, IMAGE, IMAGE, 0, 0, 9223372036854775807),
    case(aten.select_scatter.default, IMAGE, x(6, 8), 1, -1),
    case(aten.index_fill.int_Scalar, IMAGE, 1, _PLACES, 2.0),
    case(aten.index_fill.int_Tensor, IMAGE, 1, _PLACES, p()),
    case(aten.index_put.default, IMAGE, [None, _PLACES], p()),
    case(aten.index_put.default, IMAGE, [None, _PLACES], x(3, 6, 8)),
    case(aten.index_put.default, IMAGE, [x(4, 6, 8, kind="bool")], p()),
    case(aten.index_copy.default, IMAGE, 1, _PLACES.abs(), x(3, 6, 8)),
]

MERGE = [
    case(aten.add.Tensor, IMAGE, x(1, 1, 8), alpha=2),
    case(aten.add.Tensor, WHOLE, x(1, 5)),
    case(aten.add.Scalar, IMAGE, 2, 3),
    case(aten.sub.Tensor, IMAGE, 1.5),
    case(aten.sub.Scalar, IMAGE, 2),
    case(aten.rsub.Tensor, IMAGE, p(8), alpha=2),
    case(aten.rsub.Scalar, WHOLE, 2.5),
    case(aten.mul.Tensor, IMAGE, x(4, 1, 1)),
    case(aten.mul.Scalar, IMAGE, 3),
    case(aten.div.Tensor, WHOLE, 2),
    case(aten.div.Scalar, IMAGE, 3),
    *(case(aten.div.Tensor_mode, x(5), p(5), rounding_mode=m) for m in ("floor", "trunc", None)),
    *(
        case(aten.div.Tensor_mode, WHOLE, p(5, kind="divisor"), rounding_mode=m)
        for m in ("floor", "trunc")
    ),
    case(aten.div.Scalar_mode, x(5), 0.7, rounding_mode="trunc"),
    case(aten.floor_divide.default, WHOLE, p(5, kind="divisor")),
    case(aten.floor_divide.Scalar, x(5), 0.7),
    case(aten.remainder.Tensor, WHOLE, p(5, kind="divisor")),
    case(aten.remainder.Scalar, x(5), 0.7),
    case(aten.fmod.Tensor, x(5), p(5)),
    case(aten.fmod.Scalar, WHOLE, 4),
    case(aten.pow.Tensor_Tensor, x(5, kind="positive"), p(5)),
    case(aten.pow.Tensor_Scalar, x(5), 3),
    case(aten.pow.Tensor_Scalar, x(5, kind="positive"), -0.5),
    case(aten.pow.Scalar, 2.5, x(5)),
    case(aten.maximum.default, x(5), p(5)),
    case(aten.max.other, x(5), x(5)),
    case(aten.minimum.default, x(5), p(5)),
    case(aten.min.other, x(5), x(5)),
    case(aten.addcmul.default, x(5), x(5), p(5), value=0.5),
    case(aten.addcdiv.default, x(5), x(5), p(5, kind="positive")),
    case(aten.lerp.Scalar, x(5), x(5), 0.3),
    case(aten.lerp.Tensor, x(5), x(5), p(5)),
    case(aten.hypot.default, x(5), p(5)),
    case(aten.logaddexp.default, x(5), p(5)),
    case(aten.cosine_similarity.default, x(4, 5), x(4, 5), 1),
    case(aten.where.self, BOOLS, x(3, 5), p(5)),
    case(aten.where.ScalarSelf, BOOLS, 0.5, x(3, 5)),
    case(aten.where.ScalarOther, BOOLS, x(3, 5), 0.5),
    case(aten.where.Scalar, BOOLS, 1.0, 0.0),
    case(aten.masked_fill.Scalar, x(3, 5), BOOLS, -1.0),
    case(aten.masked_fill.Tensor, x(3, 5), BOOLS, p()),
    case(aten.broadcast_tensors.default, [x(1, 5), p(4, 1)]),
    case(aten.meshgrid.indexing, [x(), p(3)], indexing="xy"),
]

REDUCE = [
    case(aten.sum.default, x(3, 5)),
    case(aten.sum.dim_IntList, WHOLE, [1], True),
    case(aten.mean.default, x(3, 5)),
    case(aten.mean.dim, IMAGE, [-1, -2], True),
    case(aten.prod.default, x(3)),
    case(aten.prod.dim_int, x(3, 5), 1),
    case(aten.amax.default, IMAGE, [1, 2]),
    case(aten.amin.default, IMAGE, [3], True),
    case(aten.max.default, x(3, 5)),
    case(aten.min.default, x(3, 5)),
    case(aten.var.dim, IMAGE, [1], False),
    case(aten.var.correction, IMAGE, [2, 3], correction=0, keepdim=True),
    case(aten.var.correction, IMAGE, [2, 3]),
    case(aten.std.dim, IMAGE, [1]),
    case(aten.std.correction, IMAGE, [2, 3], correction=2),
    case(aten.var_mean.correction, IMAGE, [2, 3], correction=0),
    case(aten.std_mean.correction, IMAGE, [1], keepdim=True),
    *(case(aten.linalg_vector_norm.default, x(3, 5), n, [1]) for n in (2, 1, 3, 0, float("inf"))),
    case(aten.norm.Scalar, x(3, 5)),
    case(aten.norm.ScalarOpt_dim, x(3, 5), None, [1], True),
    case(aten.logsumexp.default, x(3, 5), [1]),
    case(aten.any.default, BOOLS),
    case(aten.any.dim, BOOLS, 1),
    case(aten.any.dims, BOOLS, [1, 2]),
    case(aten.all.default, BOOLS),
    case(aten.all.dim, WHOLE, 1),
    case(aten.all.dims, BOOLS, [2], True),
    case(aten.argmax.default, x(3, 5), 1),
    case(aten.argmax.default, x(3, 5)),
    case(aten.argmin.default, x(3, 5), 2, True),
    case(aten.max.dim, x(3, 5), 1),
    case(aten.min.dim, x(3, 5), 2, True),
    case(aten.aminmax.default, x(3, 5), dim=1),
    case(aten.topk.default, x(3, 5), 2),
    case(aten.topk.default, x(3, 5), 2, 1, False),
    case(aten.sort.default, x(3, 5), 1, True),
    case(aten.argsort.default, x(3, 5)),
    case(aten.cumsum.default, x(3, 5), 1),
]

_COMPARE = [aten.eq, aten.ne, aten.lt, aten.le, aten.gt, aten.ge]
_BITS = [aten.bitwise_and, aten.bitwise_or, aten.bitwise_xor]
_BITS += [getattr(aten, name) for name in ("__and__", "__or__", "__xor__")]
LOGIC = [
    *(case(packet.Tensor, WHOLE, p(5)) for packet in _COMPARE),
    *(case(packet.Scalar, WHOLE, 2) for packet in _COMPARE),
    *(case(packet.Tensor, BOOLS, p(5, kind="bool")) for packet in _BITS),
    case(aten.logical_and.default, BOOLS, WHOLE),
    case(aten.logical_or.default, BOOLS, x(3, 5)),
    case(aten.logical_xor.default, BOOLS, BOOLS),
    case(aten.bitwise_not.default, BOOLS),
    case(aten._to_copy.default, WHOLE, dtype=torch.float32),
    case(aten._to_copy.default, x(5), dtype=torch.int64),
    case(aten.type_as.default, BOOLS, x(5)),
]

CONSTANT = [
    case(aten.zeros_like.default, x(5)),
    case(aten.new_zeros.default, x(5), [3]),
    case(aten.zero.default, x(5)),
    case(aten.ones_like.default, x(5)),
    case(aten.new_ones.default, x(5), [3]),
    case(aten.full_like.default, x(5), 2.5),
    case(aten.new_full.default, x(5), [3], 2.5),
    case(aten.fill.Scalar, x(5), 2.5),
    case(aten.fill.Tensor, x(5), p()),
    case(aten.copy.default, x(3, 5), p(5)),
    # what an empty tensor holds is undefined: here it is overwritten
    case(aten.empty_like.default, x(5), how=lambda x: aten.fill(aten.empty_like(x), 2.0)),
    case(aten.new_empty.default, x(5), how=lambda x: aten.fill(aten.new_empty(x, [3, 2]), 2.0)),
]
