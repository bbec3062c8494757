"""Few-spikes neurons whose coefficients are fitted to other functions than ReLU.

For x in [-8, 8], with v = x and, at step k of a window, z_k = [v >= T_k], v -= h_k z_k,

    f(x) = Σ_k d_k z_k + error,  |error| at most as ``error_of`` says.

``benchmarks/fs_coefficients.py`` found them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikec.errors import UsageError
from spikec.ir.array import Array
from spikec.ir.ops.neuron_windowed import FewSpikes
from spikec.ir.ops.temporal import PhaseScale

Numbers = NDArray[np.float64]
RANGE = 8.0
"""of the potential, on both sides of 0"""


def _sigmoid(x: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-x)))


def _gelu(x: Numbers) -> Numbers:
    return np.array([v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in x.tolist()])


FUNCTIONS: Mapping[str, Callable[[Numbers], Numbers]] = {
    "silu": lambda x: x * _sigmoid(x),
    "gelu": _gelu,
    "sigmoid": _sigmoid,
}


@dataclass(frozen=True)
class Coefficients:
    """Of one function and one length of the window."""

    thresholds: tuple[float, ...]
    decrements: tuple[float, ...]
    weights: tuple[float, ...]

    def __call__(self, x: Numbers) -> Numbers:
        """Give what the neuron makes of potentials."""
        v, y = x.astype(np.float64), np.zeros(x.shape)
        for t, h, d in zip(self.thresholds, self.decrements, self.weights, strict=True):
            z = v >= t
            v = v - h * z
            y += d * z
        return y


def fitted(function: str, bits: int) -> tuple[FewSpikes, PhaseScale]:
    """Give the neuron for a function, and what its receivers multiply its events by.

    >>> fitted("sigmoid", 8)[0].window
    8
    """
    if (function, bits) not in FITTED:
        known = ", ".join(f"{name} with {k} bits" for name, k in FITTED)
        raise UsageError(f"no coefficients for {function!r} with {bits!r} bits", expected=known)
    one = FITTED[function, bits]
    neuron = FewSpikes(Array(1.0), Array(one.thresholds), Array(one.decrements))
    return neuron, PhaseScale(Array(one.weights))


def error_of(function: str, bits: int, points: int = 160_001) -> float:
    """Give the largest error on [-8, 8]."""
    x = np.linspace(-RANGE, RANGE, points)
    return float(np.abs(FITTED[function, bits](x) - FUNCTIONS[function](x)).max())


FITTED: Mapping[tuple[str, int], Coefficients] = {
    ("silu", 8): Coefficients(
        (3.70079, 0.102013, -3.7409, 2.07801, 1.02346, 0.509817, 0.22488, 0.0724125),
        (3.37209, 0.621385, -0.244673, 2.09717, 1.05282, 0.551054, 0.299208, 0.0248978),
        (3.55263, 0.343945, -0.182495, 2.18001, 1.05563, 0.5524, 0.278062, 0.123314),
    ),
    ("silu", 16): Coefficients(
        (
            -3.5446,
            0.0145797,
            8.31014,
            -2.50444,
            0.148016,
            2.64978,
            2.17055,
            0.310358,
            2.47825,
            1.33593,
            0.745667,
            -6.57612,
            0.458793,
            0.246641,
            0.145203,
            0.0919851,
        ),
        (
            -0.00358819,
            0.326915,
            -0.172024,
            -0.512755,
            0.358838,
            1.34535,
            1.49292,
            0.406065,
            2.50619,
            1.28124,
            0.748524,
            -0.0622379,
            0.354488,
            0.216787,
            0.107562,
            -0.0157463,
        ),
        (
            -0.0899051,
            0.160284,
            0.0,
            -0.0933402,
            0.131987,
            1.4638,
            1.57772,
            0.286374,
            2.5454,
            1.31202,
            0.746347,
            -0.0542455,
            0.351633,
            0.196309,
            0.0917489,
            0.0434049,
        ),
    ),
    ("gelu", 8): Coefficients(
        (3.91732, 1.81334, 1.11839, 0.594079, -10.6541, 0.269916, 0.115784, 0.0147595),
        (3.86443, 1.8067, 1.1224, 0.586724, 0.016037, 0.309493, 0.182468, 0.0140301),
        (3.93899, 1.87767, 1.12603, 0.570969, -0.0783218, 0.308521, 0.152559, 0.0559529),
    ),
    ("gelu", 16): Coefficients(
        (
            -0.201167,
            0.446804,
            0.0117746,
            1.44312,
            0.975642,
            3.9122,
            1.75357,
            1.31746,
            0.602827,
            -2.13823,
            0.405689,
            0.199481,
            0.0381677,
            -0.0998039,
            -0.143416,
            -1.35817,
        ),
        (
            -0.039904,
            -0.102375,
            0.398419,
            0.947203,
            0.603871,
            3.65366,
            1.79286,
            1.38123,
            0.729252,
            -0.116617,
            0.430738,
            0.197308,
            0.231776,
            0.0721192,
            -0.00634641,
            0.0310572,
        ),
        (
            -0.0716249,
            -0.141012,
            0.223288,
            1.04288,
            0.655871,
            3.66107,
            1.80098,
            1.38856,
            0.737792,
            -0.069126,
            0.424474,
            0.206232,
            0.168588,
            0.0749217,
            0.0437052,
            -0.0678235,
        ),
    ),
    ("sigmoid", 8): Coefficients(
        (0.000566306, -5.30346, 2.97546, 2.59117, 2.03724, 1.12399, 0.570958, 0.453494),
        (1.49332, -3.72069, 0.76376, 1.09688, 1.80918, 1.135, 0.236935, 0.528474),
        (0.342845, 0.0159384, 0.165101, 0.177015, 0.159885, 0.0724173, 0.0399936, 0.010907),
    ),
    ("sigmoid", 16): Coefficients(
        (
            -0.000842596,
            -2.98206,
            -2.76903,
            -4.72136,
            1.55405,
            1.21986,
            -4.13742,
            0.901496,
            1.43276,
            1.12675,
            0.617665,
            0.1629,
            0.193123,
            0.0545028,
            -0.133953,
            -3.01096,
        ),
        (
            1.15478,
            -3.15716,
            0.643192,
            0.377746,
            0.645796,
            0.863605,
            -0.524839,
            -0.0589372,
            0.524783,
            1.10403,
            0.936229,
            0.367059,
            0.924606,
            0.250921,
            -0.0408348,
            0.00119015,
        ),
        (
            0.273852,
            0.00526145,
            0.00526145,
            0.0158316,
            0.145127,
            0.160298,
            0.0158318,
            0.00553194,
            0.0829009,
            0.113747,
            0.0783496,
            0.031009,
            0.0279565,
            0.0158012,
            0.00942015,
            0.00560937,
        ),
    ),
}
