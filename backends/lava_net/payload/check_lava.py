"""Runs a few neurons in Lava, and prints the versions that were found as one line of JSON."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version

import lava_shim  # noqa: F401  # before Lava
import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.lif.process import LIF
from lava.proc.sparse.process import Sparse


def main() -> None:
    """Three neurons, three steps, two connections; their potentials have to be right."""
    first = LIF(shape=(3,), du=4095, dv=0, bias_mant=np.array([1, 2, 3]), bias_exp=6, vth=2)
    dense = Dense(weights=2 * np.eye(3, dtype=np.int64))
    sparse = Sparse(weights=2 * np.eye(3, dtype=np.int64))
    last = LIF(shape=(3,), du=4095, dv=0, vth=100)
    first.s_out.reshape((3, 1)).flatten().connect(dense.s_in)
    first.s_out.connect(sparse.s_in)
    dense.a_out.connect(last.a_in)
    sparse.a_out.connect(last.a_in)
    try:
        last.run(condition=RunSteps(num_steps=4), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        potentials = (last.v.get() // 64).tolist()
    finally:
        last.stop()
    if potentials != [4, 4, 12]:
        raise SystemExit(f"Lava computes other numbers than it should: {potentials}")
    print(
        json.dumps({"lava": found("lava-nc"), "netx": netx(), "python": platform.python_version()})
    )


def found(distribution: str) -> str:
    """Give the version of a distribution; empty where it is missing."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def netx() -> str:
    """Give the version of lava-dl, if a file could be read with it."""
    return found("lava-dl") if found("h5py") else ""


if __name__ == "__main__":
    main()
