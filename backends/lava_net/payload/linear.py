"""Linear maps as they stand in ``weights.npz``: dense, sparse, convolution, or none at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

Numbers = np.ndarray
Form = Mapping[str, Any]
"""``form`` and its options, from the manifest; arrays stand under ``key`` in weights.npz"""


def matrix(form: Form, arrays: Mapping[str, Numbers], dtype: type = np.float64) -> csr_matrix:
    """Give a sparse map as SciPy has it."""
    key, shape = form["key"], tuple(form["shape"])
    values: Numbers = arrays[f"{key}/values"].astype(dtype)
    return csr_matrix((values, (arrays[f"{key}/rows"], arrays[f"{key}/columns"])), shape=shape)


def apply(form: Form, arrays: Mapping[str, Numbers], x: Numbers) -> Numbers:
    """Map the last axis of an array."""
    return APPLY[form["form"]](form, arrays, x)


def _same(form: Form, arrays: Mapping[str, Numbers], x: Numbers) -> Numbers:
    return x


def _dense(form: Form, arrays: Mapping[str, Numbers], x: Numbers) -> Numbers:
    return x @ arrays[f"{form['key']}/weight"].astype(np.float64).T


def _sparse(form: Form, arrays: Mapping[str, Numbers], x: Numbers) -> Numbers:
    flat = x.reshape(-1, x.shape[-1])
    return (matrix(form, arrays) @ flat.T).T.reshape(*x.shape[:-1], -1)


def _conv(form: Form, arrays: Mapping[str, Numbers], x: Numbers) -> Numbers:
    """y[o, r] = Σ_c Σ_k weight[o, c, k] x[c, s r + d k - p], in groups."""
    weight = arrays[f"{form['key']}/weight"].astype(np.float64)
    (pad_y, pad_x), groups = form["padding"], form["groups"]
    image = x.reshape(-1, *form["input"])
    image = np.pad(image, ((0, 0), (0, 0), (pad_y, pad_y), (pad_x, pad_x)))
    image = image.reshape(len(image), groups, -1, *image.shape[2:])
    kernels = weight.reshape(groups, -1, *weight.shape[1:])
    _, height, width = form["output"]
    total = np.zeros((len(image), groups, kernels.shape[1], height, width))
    for i, j in np.ndindex(weight.shape[2:]):
        rows = slice(i * form["dilation"][0], None, form["stride"][0])
        columns = slice(j * form["dilation"][1], None, form["stride"][1])
        seen = image[..., rows, columns][..., :height, :width]
        total += np.einsum("goc,ngcyx->ngoyx", kernels[..., i, j], seen)
    return total.reshape(*x.shape[:-1], -1)


APPLY = {"same": _same, "dense": _dense, "sparse": _sparse, "conv": _conv}
