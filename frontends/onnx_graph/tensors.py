"""Tensors of a model file as NumPy arrays, with the checks that a damaged file needs."""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from spikec.errors import BadFile
from spikec.ir.array import NumpyArray


def to_array(tensor: TensorProto, origin: str) -> NumpyArray:
    """Decode one tensor; a shape that its bytes do not fill is a BadFile.

    bfloat16 becomes float32, which holds every number of it.
    """
    where = f"tensor {tensor.name or '(unnamed)'} of {origin}"
    if any(size < 0 for size in tensor.dims):
        raise BadFile(f"the shape {list(tensor.dims)} is negative", where=where)
    try:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        array = np.asarray(numpy_helper.to_array(tensor))
    except (KeyError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise BadFile(
            f"the data do not fill shape {list(tensor.dims)}: {error}",
            where=where,
            remedy="export or download the model again",
        ) from None
    if array.size != math.prod(tensor.dims) or array.dtype != dtype:
        raise BadFile(f"the data do not fill shape {list(tensor.dims)}", where=where)
    return array.astype(np.float32) if dtype.name == "bfloat16" else array
