"""Calls of operators that compute: linear maps, norms, activations, pools, attention."""

from __future__ import annotations

import torch

from tests.frontends.torch_export.helpers import Case, case, p, x

aten = torch.ops.aten
IMAGE = x(4, 7, 8)

AFFINE = [
    case(aten.conv1d.default, x(4, 9), p(6, 2, 3), p(6), [2], [1], [2], 2),
    case(aten.conv2d.default, IMAGE, p(6, 4, 3, 2), None, [2, 1], [1, 0]),
    case(aten.conv2d.default, IMAGE, p(4, 1, 3, 3), p(4), [1], [1], [1], 4),
    case(aten.conv3d.default, x(2, 4, 5, 6), p(3, 2, 2, 3, 2), p(3), [1], [0, 1, 1]),
    case(aten.conv1d.padding, x(4, 9), p(6, 4, 4), p(6), [1], "same", [2]),
    case(aten.conv2d.padding, IMAGE, p(6, 4, 4, 3), p(6), [1, 1], "same"),
    case(aten.conv2d.padding, IMAGE, p(6, 4, 3, 3), None, [2, 2], "valid"),
    case(aten.conv3d.padding, x(2, 4, 5, 6), p(3, 2, 2, 3, 2), p(3), [1, 1, 1], "same"),
    case(aten.conv_transpose1d.default, x(4, 9), p(4, 3, 3), p(6), [2], [1], [1], 2),
    case(aten.conv_transpose2d.input, IMAGE, p(4, 3, 3, 2), p(3), [2, 1], [1, 0], [1, 0]),
    case(aten.conv_transpose3d.input, x(2, 3, 4, 3), p(2, 3, 2, 2, 2), p(3), [1], [0], [0], 1, [2]),
    case(
        aten.convolution.default,
        *(IMAGE, p(6, 2, 3, 3), p(6), [1, 1], [1, 1], [1, 1], False, [0, 0], 2),
    ),
    case(
        aten.convolution.default,
        *(IMAGE, p(4, 6, 3, 3), p(6), [2, 2], [1, 1], [1, 1], True, [1, 1], 1),
    ),
    case(aten.linear.default, x(5, 4), p(3, 4), p(3)),
    case(aten.linear.default, x(5, 4), x(7, 4, fixed=True), p(7)),
    case(aten.matmul.default, x(5, 4), p(4, 3)),
    case(aten.matmul.default, x(2, 5, 4), x(2, 4, 3)),
    case(aten.matmul.default, p(2, 5, 4), x(1, 4, 3)),
    case(aten.mm.default, x(4), p(4, 3)),
    case(aten.bmm.default, x(5, 4), x(4, 3)),
    case(aten.mv.default, x(4), p(4)),
    case(aten.addmm.default, p(3), x(4), p(4, 3)),
    case(aten.addmm.default, p(3), x(4), p(4, 3), beta=0.5, alpha=2),
    case(aten.baddbmm.default, p(1, 5, 3), x(5, 4), x(4, 3), beta=0.5, alpha=2),
    case(aten.einsum.default, "bhid, bhjd -> bhij", [x(2, 5, 4), x(2, 3, 4)]),
    case(aten.einsum.default, "...i,ij", [x(5, 4), p(4, 3)]),
    case(aten.tensordot.default, x(5, 4), p(4, 3), [2], [0]),
    case(aten.bilinear.default, x(4), x(3), p(5, 4, 3), p(5)),
    case(aten.bilinear.default, x(2, 4), x(2, 3), p(5, 4, 3)),
    case(aten.outer.default, x(), p(3)),
]

_STATISTICS = (p(4), p(4), p(4), p(4, kind="positive"))
NORM = [
    case(aten._native_batch_norm_legit_no_training.default, IMAGE, *_STATISTICS, 0.1, 1e-3, part=0),
    case(
        aten._native_batch_norm_legit_no_training.default,
        *(x(4), None, None, *_STATISTICS[2:], 0.1, 1e-3),
        part=0,
    ),
    *(
        case(
            aten._native_batch_norm_legit.no_stats,
            IMAGE,
            *weights,
            how=lambda x, *w: aten._native_batch_norm_legit.no_stats(
                x.view(1, -1, 7, 8),
                *([p.repeat(x.shape[0]) for p in w] or [None, None]),
                *(True, 0.1, 1e-3),
            )[0],
        )
        for weights in ((), (p(4), p(4)))
    ),
    case(aten.layer_norm.default, x(4, 5), [4, 5], p(4, 5), p(4, 5), 1e-3),
    case(aten.layer_norm.default, x(4, 5), [5], x(5, fixed=True), x(5, fixed=True)),
    case(aten.native_layer_norm.default, x(4, 5), [5], p(5), None, 1e-5, part=0),
    case(aten.group_norm.default, IMAGE, 2, p(4), p(4), 1e-3),
    case(
        aten.native_group_norm.default,
        *(x(4, 3), p(4), p(4)),
        how=lambda x, w, b: aten.native_group_norm(x, w, b, x.shape[0], 4, 3, 2, 1e-5)[0],
    ),
    case(aten.instance_norm.default, IMAGE, p(4), p(4), None, None, True, 0.1, 1e-3, True),
    case(aten.instance_norm.default, IMAGE, None, None, *_STATISTICS[2:], False, 0.1, 1e-3, True),
    case(aten.rms_norm.default, x(4, 5), [5], p(5)),
    case(aten.rms_norm.default, x(4, 5), [4, 5], None, 1e-3),
    case(aten._fused_rms_norm.default, x(4, 5), [5], p(5), 1e-3, part=0),
]

_PLAIN = [
    *(aten.relu, aten.sigmoid, aten.silu, aten.mish, aten.tanh, aten.hardsigmoid, aten.hardswish),
    *(aten.abs, aten.neg, aten.sign, aten.sgn, aten.exp, aten.erf, aten.sin, aten.cos, aten.tan),
    *(aten.atan, aten.floor, aten.ceil, aten.round, aten.expm1, aten.exp2, aten.sinh, aten.cosh),
    *(aten.erfc, aten.trunc, aten.frac, aten.square, aten.relu6, aten.selu, aten.isnan),
    *(aten.log_sigmoid, aten.isfinite, aten.isinf, aten.logical_not),
]
_POSITIVE = [
    *(aten.log, aten.sqrt, aten.rsqrt, aten.reciprocal, aten.log2, aten.log10, aten.log1p),
]
ACTIVATION = [
    *(case(packet.default, x(3, 5)) for packet in _PLAIN),
    *(case(packet.default, x(3, 5, kind="positive")) for packet in _POSITIVE),
    case(aten.logit.default, x(3, 5, kind="unit")),
    case(aten.logit.default, x(3, 5), 0.1),
    case(aten.clamp.default, x(3, 5), -0.5, 0.5),
    case(aten.clamp.default, x(3, 5, kind="whole"), -2),
    case(aten.clip.default, x(3, 5), None, 0.5),
    case(aten.clamp.Tensor, x(3, 5), p(5), p(3, 1)),
    case(aten.clamp.Tensor, x(3, 5), None, p(5)),
    case(aten.clamp_min.default, x(3, 5), 0.25),
    case(aten.clamp_max.default, x(3, 5), 0.25),
    case(aten.clamp_min.Tensor, x(3, 5), p(5)),
    case(aten.clamp_max.Tensor, x(3, 5), p(5)),
    case(aten.hardtanh.default, x(3, 5), -0.5, 0.25),
    case(aten.leaky_relu.default, x(3, 5), 0.2),
    case(aten.prelu.default, x(3, 5), p(3)),
    case(aten.prelu.default, IMAGE, p(1)),
    case(aten._prelu_kernel.default, x(3, 5), p(1, 3, 1)),
    case(aten.rrelu.default, x(3, 5), 0.1, 0.3),
    case(aten.elu.default, x(3, 5), 0.7),
    case(aten.celu.default, x(3, 5), 0.7),
    case(aten.gelu.default, x(3, 5)),
    case(aten.gelu.default, x(3, 5), approximate="tanh"),
    case(aten.softplus.default, x(3, 5), 2.0),
    case(aten.softplus.default, x(3, 5), 1.0, 0.5),
    case(aten.threshold.default, x(3, 5), 0.2, 0),
    case(aten.threshold.default, x(3, 5), 0.2, -7.0),
    case(aten.glu.default, x(4, 5), 1),
    case(aten.softmax.int, x(3, 5), 1),
    case(aten._softmax.default, x(3, 5), 2, False),
    case(aten._safe_softmax.default, x(3, 5), -1),
    case(aten.log_softmax.int, x(3, 5), 2),
    case(aten._log_softmax.default, x(3, 5), 1, False),
]

POOL = [
    case(aten.max_pool1d.default, x(4, 9), [3], [2], [1], [2]),
    case(aten.max_pool2d.default, IMAGE, [3, 2], [2, 2], [1, 1], 1, True),
    case(aten.max_pool2d.default, IMAGE, [2]),
    case(aten.max_pool3d.default, x(2, 4, 5, 6), [2]),
    case(aten.max_pool1d_with_indices.default, x(4, 9), [3], part=0),
    case(aten.max_pool2d_with_indices.default, IMAGE, [3, 3], [1, 1], part=0),
    case(aten.max_pool3d_with_indices.default, x(2, 4, 5, 6), [2, 2, 2], part=0),
    case(aten.avg_pool1d.default, x(4, 9), [3], [2], [1]),
    case(aten.avg_pool2d.default, IMAGE, [3, 3], [2, 2], [1, 1], True, False),
    case(aten.avg_pool2d.default, IMAGE, [3, 3], [2, 2], [1, 1], True, True),
    case(aten.avg_pool2d.default, IMAGE, [2], [], 0, False, True, 3),
    case(aten.avg_pool3d.default, x(2, 4, 5, 6), [2, 3, 2]),
    case(aten.adaptive_avg_pool1d.default, x(4, 9), [4]),
    case(aten.adaptive_avg_pool2d.default, IMAGE, [3, 5]),
    case(aten._adaptive_avg_pool2d.default, IMAGE, [1, 1]),
    case(aten.adaptive_avg_pool3d.default, x(2, 4, 5, 6), [3, 2, 4]),
    case(aten._adaptive_avg_pool3d.default, x(2, 4, 5, 6), [3, 2, 4]),
    case(aten.adaptive_max_pool1d.default, x(4, 9), [4], part=0),
    case(aten.adaptive_max_pool2d.default, IMAGE, [3, 5], part=0),
    case(aten.adaptive_max_pool3d.default, x(2, 4, 5, 6), [3, 2, 4], part=0),
]

_HEADS = (x(2, 5, 4), x(2, 6, 4), x(2, 6, 3))
_MASK = torch.tensor([[1, 0, 1, 1, 0, 1]] * 4 + [[0] * 6], dtype=torch.bool)
_ATTENTION = aten.scaled_dot_product_attention.default
ATTENTION = [
    case(_ATTENTION, *_HEADS),
    case(_ATTENTION, *_HEADS, None, 0.0, True, scale=0.3),
    case(_ATTENTION, *_HEADS, p(5, 6)),
    case(_ATTENTION, *_HEADS, _MASK[:4].repeat(2, 1)[:5]),
    case(_ATTENTION, *_HEADS, _MASK),
    case(_ATTENTION, *_HEADS, x(1, 5, 6, kind="bool")),
    case(_ATTENTION, x(4, 5, 4), x(2, 6, 4), x(2, 6, 4), enable_gqa=True),
    case(
        aten._scaled_dot_product_flash_attention_for_cpu.default,
        *(x(2, 5, 4), x(2, 5, 4), x(2, 5, 4), 0.0, True),
        part=0,
    ),
]

_NEAREST = {1: aten.upsample_nearest1d, 2: aten.upsample_nearest2d, 3: aten.upsample_nearest3d}
_EXACT = {
    1: aten._upsample_nearest_exact1d,
    2: aten._upsample_nearest_exact2d,
    3: aten._upsample_nearest_exact3d,
}
_LINEAR = {1: aten.upsample_linear1d, 2: aten.upsample_bilinear2d, 3: aten.upsample_trilinear3d}
_PLANES = [aten.upsample_bicubic2d, aten._upsample_bilinear2d_aa, aten._upsample_bicubic2d_aa]
_SIZES = {1: (7,), 2: (7, 5), 3: (4, 3, 5)}
_SCALES = {1: [2.0], 2: [2.0, 1.7], 3: [2.0, 1.0, 1.7]}
RESIZE: list[Case] = [
    *(
        case(table[rank].vec, x(2, *_SIZES[rank]), None, _SCALES[rank])
        for table in (_NEAREST, _EXACT)
        for rank in table
    ),
    *(
        case(table[rank].default, x(2, *_SIZES[rank]), [9, 4, 6][:rank])
        for table in (_NEAREST, _EXACT)
        for rank in table
    ),
    *(
        case(packet.vec, x(2, *_SIZES[rank]), None, corners, _SCALES[rank])
        for rank, packet in _LINEAR.items()
        for corners in (True, False)
    ),
    *(
        case(packet.default, x(2, *_SIZES[rank]), [9, 4, 6][:rank], False)
        for rank, packet in _LINEAR.items()
        if rank != 2  # torch itself takes bilinear and bicubic ones apart
    ),
    *(case(packet.vec, x(2, 7, 5), [9, 3], False, None) for packet in _PLANES),
    *(case(packet.default, x(2, 7, 5), [3, 9], False) for packet in _PLANES[1:]),
    case(aten.upsample_bicubic2d.vec, x(2, 7, 5), None, True, [1.5, 2.0]),
]
