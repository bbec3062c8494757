"""The README of an export."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from spikec.artifact import Deployable

TEXT = """\
# {name}

A spiking network for Lava, written by spikec {version}: {steps} steps, recipe `{recipe}`.

- `run_lava.py`: runs it. `python run_lava.py samples.npz results.npz --way float`
- `manifest.json`: the network (`network`), ways to run it (`ways`), and why others are missing
  (`reasons`); `weights.npz`: its numbers.
- `snnprocs/`: its own processes, in floating and in fixed point; `equations.py` has what their
  neurons compute. Nothing else may stand in that folder: Lava executes every file of it.
- `network.py` builds the process graph; `host.py` computes what comes before and behind.
- `lava_shim.py`: lets lava-nc 0.10.0, which declares Python 3.10, run on later ones.

Needed: lava-nc 0.10.0, NumPy, SciPy{more}. `spikec lava-setup` makes such an environment.

`samples.npz` holds {inputs}, samples on the first axis, preprocessed as
`(scale · x - mean) / std` with {preprocess}. `results.npz` gets `spikes/LAYER`
[samples, steps, neurons], values of events, and `outputs/NAME`, the estimates after each step.
{encoder}
Samples run back to back, {period} steps each. A connection of Lava takes one step, so layers lag
behind ({latency} steps at most); each layer starts anew when its part of a sample begins, and
events of shorter paths wait (`lag`). What is written down is shifted back: step t is step t of the
program.
{reasons}"""


ENCODER = """
What it holds are events: `encoder.spk` makes them of inputs that are preprocessed so, [steps,
samples, ...]. `spikec verify` does that; by hand, with `store` of `spikec.ir` and `run` of
`spikec.runtime`: `run(store.load_all("encoder.spk")[0]["program"], x, "layerwise", steps=T)`.
"""


def readme(
    source: Deployable,
    network: Mapping[str, Any],
    reasons: Mapping[str, Sequence[str]],
    *,
    encoded: bool = False,
) -> str:
    """Write it."""
    from spikec import __version__

    shapes = (f"`{name}` {one['shape']}" for name, one in network["inputs"].items())
    return TEXT.format(
        name=source.graph.name,
        version=__version__,
        steps=source.steps,
        recipe=source.recipe,
        more="" if reasons.get("netx") else "; for `--way netx` h5py and lava-dl 0.6.0",
        inputs=", ".join(shapes),
        preprocess=json.dumps(dict(source.preprocess)),
        encoder=ENCODER if encoded else "",
        period=network["period"],
        latency=network["latency"],
        reasons="".join(_missing(way, why) for way, why in reasons.items() if why),
    )


def _missing(way: str, why: Sequence[str]) -> str:
    lines = "\n".join(f"- {reason}" for reason in why)
    return f"\n## Not run as `{way}`\n\n{lines}\n"
