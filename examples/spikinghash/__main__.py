"""Train, hash, search, convert, verify, report and export in one command."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from examples._command import EQUAL, Told, begin, interruptible, keep, run, show_energy

with interruptible():  # torch takes seconds
    import numpy as np
    from safetensors.torch import save

    import spikec
    from examples._progress import Bars, bars
    from examples.spikinghash.clips import KINDS
    from examples.spikinghash.making import (
        CLASSES,
        CODES,
        Settings,
        accuracy,
        answers,
        codes_of,
        converted,
        found_by_codes,
        numbers,
        ran,
        trained,
    )
    from examples.spikinghash.recordings import DATASETS, load_recordings
    from examples.spikinghash.samples import CLIPS, SOURCES, Samples, load_samples
    from spikec.errors import UsageError
    from spikec.nn.checks import check_whole
    from spikec.report.plots.training import accuracy_by_epoch
    from spikec.report.svg import svg_file
    from spikec.training.similarity import MODES, SHIFTS, HashOptions
    from spikec.zoo.spikinghash import MIXERS, PLANS, Spikinghash

SHOWN = 64
"""samples that exports are verified on"""


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    known, hashing = Settings(), Settings().hashing
    parser = argparse.ArgumentParser(prog="python -m examples.spikinghash", description=__doc__)
    add = parser.add_argument
    add("--data", default=CLIPS, help=SOURCES)
    add("--dataset", default=None, choices=list(DATASETS), help="what a folder holds")
    add("--side", type=int, default=None, help="pixels of a folder's frames; the sensor's size")
    add("--kind", default="pairs", choices=list(KINDS), help="of clips")
    add("--pause", type=int, default=2, help="of clips: steps between both motions")
    add("--network", default=known.network, choices=list(PLANS))
    add("--dims", default="8,16,16,16", help="channels of the stages; paper: as printed")
    add("--steps", type=int, default=known.steps, help="of images; recordings have their own")
    add("--bits", type=int, default=None, help="of the codes; class scores alone, if left out")
    add("--mixer", default=known.mixer, choices=list(MIXERS), help="of the first two stages")
    add("--heads", type=int, default=known.heads)
    add("--tau", type=float, default=known.tau, help="time constant of the neurons")
    add("--mode", default=hashing.mode, choices=MODES, help="similarities of classes")
    add("--alpha", type=float, default=hashing.alpha, help="weight of pairs")
    add("--beta", type=float, default=hashing.beta, help="weight of classes")
    add("--code-values", default=hashing.code_values, choices=list(SHIFTS))
    add("--first", type=int, default=hashing.first, help="epochs of hard similarities")
    add("--every", type=int, default=hashing.every, help="epochs of a round behind them")
    add("--last", type=int, default=hashing.last, help="epochs at the end, each a round")
    add("--least", type=float, default=hashing.least, help="similarities up to here are 0")
    add("--offset", type=float, default=hashing.offset, help="taken from potentials")
    add("--k", type=int, default=100, help="of mAP@k, ACG@k and NDCG@k")
    add(
        "--warm-epochs",
        type=int,
        default=known.warm_epochs,
        help="of classes alone, before codes are learned",
    )
    add("--epochs", type=int, default=known.epochs)
    add("--rate", type=float, default=known.rate)
    add("--batch", type=int, default=known.batch)
    add("--seed", type=int, default=known.seed)
    add("--device", default=known.device)
    add("--out", type=Path, default=Path("spikinghash"), help="folder for all that is made")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    return parser.parse_args(given)


def samples_of(given: argparse.Namespace, progress: Bars) -> Samples:
    """Read what is learned from."""
    if given.dataset is None:
        return load_samples(given.data, given.kind, given.pause, given.seed)
    size = None if given.side is None else (given.side, given.side)
    told = {"seed": given.seed, "progress": progress("reading recordings")}
    return load_recordings(Path(given.data), given.dataset, size, **told)


def settings_of(given: argparse.Namespace) -> Settings:
    """Give the settings."""
    hashing = {name: getattr(given, name) for name in ("mode", "alpha", "beta", "code_values")}
    hashing |= {
        name: getattr(given, name) for name in ("first", "every", "last", "least", "offset")
    }
    names = set(Settings.__dataclass_fields__) - {"dims", "hashing"}
    chosen = {name: getattr(given, name) for name in names}
    return Settings(**chosen, dims=_dims(given.dims), hashing=HashOptions(**hashing))


def _dims(text: str) -> tuple[int, ...] | None:
    if text == "paper":
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"dims {text!r}", expected="8,16,16,16, say, or paper") from None


def make(settings: Settings, samples: Samples, k: int, out: Path) -> dict[str, Any]:
    """Do everything; give what is printed."""
    check_whole(k, "k={}")
    settings.build(samples)  # it says what is wrong before anything is learned
    begin(out, [f"{what}.checkpoint" for what in (CLASSES, CODES)], settings.resume)
    with bars() as bar:
        model, history = trained(settings, samples, out, bar)
    keep(out / "epochs.jsonl", "".join(json.dumps(r) + "\n" for r in history))
    keep(out / "epochs.svg", svg_file(accuracy_by_epoch(history)))
    keep(out / "weights.safetensors", save(model.state_dict()))
    told: dict[str, Any] = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "accuracy": accuracy(model, samples.test),
    }
    if settings.bits is not None:
        told["retrieval"] = _searched(model, samples, k)
    steps = samples.train[0].shape[1] if samples.recordings else settings.steps
    program = converted(model, samples, int(steps))
    told["program"] = deployed(program, model, samples, out)
    told[EQUAL] = told["program"].pop(EQUAL)
    for path in out.glob("*.checkpoint"):
        path.unlink()
    return told


def _searched(model: Spikinghash, samples: Samples, k: int) -> dict[str, Any]:
    """Ask the samples that were learned from by codes, for each test sample."""
    most = min(k, len(samples.train[1]))
    found = found_by_codes(model, samples, most)
    ones = float(codes_of(model, samples.test[0]).unpack().mean())
    return {**asdict(found), "ones": ones}


def deployed(
    program: spikec.Program, model: Spikinghash, samples: Samples, out: Path
) -> dict[str, Any]:
    """Compare the program with the network; save, price, verify, report and export it."""
    ready = replace(program, preprocess=samples.preprocess)  # for what is in the file
    ready.save(out / "program.spk")
    x, y = numbers(samples.test[0]), samples.test[1]
    shown = x[:SHOWN]
    played = np.moveaxis(shown, 0, 1) if samples.recordings else shown  # steps first
    found = program.evaluate((x, y))
    told: dict[str, Any] = {
        "recipe": program.recipe,
        "accuracy": found.accuracy,
        "rates": dict(found.rates),
    }
    program.report(out / "report.html", (x, y))
    if model.hash is not None:
        same = ran(program, samples)["codes"] == answers(model, x)["codes"]
        told["same_codes"] = float(same.all(-1).mean())
    energy = program.energy(shown)
    told["energy_pj"] = {"spiking": energy.total_pj}
    told["energy_pj"] |= {one.name: one.total_pj for one in energy.baselines}
    keep(out / "energy.txt", energy.table())
    verified = program.verify("onnx_graph", played, step=False)
    told |= {"verified": str(verified), EQUAL: verified.ok}
    ready.export("onnx_graph", out / "onnx", step=False)
    return told


def show(told: dict[str, Any], out: Path) -> None:
    """Print what came out."""
    print(f"{told['parameters']:,} parameters, accuracy {told['accuracy']:.2%} on test samples")
    if "retrieval" in told:
        one = told["retrieval"]
        print(
            f"mAP@{one['k']} {one['mean_average_precision']:.4f}, "
            f"ACG@{one['k']} {one['cumulative_gain']:.4f}, "
            f"NDCG@{one['k']} {one['discounted_gain']:.4f}; {one['ones']:.1%} of all bits are 1"
        )
    program = told["program"]
    print(f"program: accuracy {program['accuracy']:.2%}", end="")
    same = program.get("same_codes")
    print("" if same is None else f", {same:.2%} of the codes are those of the network")
    show_energy(program["energy_pj"], "sample")
    print(program["verified"])
    print(f"weights, program, epochs and ONNX lie in {out}")


def main() -> int:
    """Run; a mistake of the user's is told, without a traceback."""
    given = arguments()

    def made() -> Told:
        settings = settings_of(given)
        with bars() as bar:
            samples = samples_of(given, bar)
        return make(settings, samples, given.k, given.out)

    return run(made, show, given.out)


if __name__ == "__main__":
    with interruptible():
        sys.exit(main())
