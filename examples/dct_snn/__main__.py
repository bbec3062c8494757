"""Train, convert, fine-tune, report and export in one command."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from examples._command import EQUAL, Told, begin, interruptible, keep, run, show_energy

with interruptible():  # torch takes seconds
    import spikec
    from examples._progress import bars
    from examples.dct_snn.images import DIGITS, Images, load_images
    from examples.dct_snn.making import (
        ANALOG,
        SPIKING,
        Settings,
        converted,
        trained_analog,
        tuned,
    )
    from spikec.report.plots.training import accuracy_by_epoch
    from spikec.report.svg import svg_file
    from spikec.zoo import CODES
    from spikec.zoo.plans import PLANS

SHOWN = 64
"""samples that exports are verified on"""
CHECKPOINTS = (ANALOG, SPIKING)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    known = Settings()
    parser = argparse.ArgumentParser(prog="python -m examples.dct_snn", description=__doc__)
    add = parser.add_argument
    add("--data", default=DIGITS, help="digits, or FILE.npz of train_x, train_y, test_x, test_y")
    add("--network", default="dct_mlp", choices=list(PLANS))
    add("--steps", type=int, default=known.steps, help="of time; whole cycles beyond the first")
    add("--code", default=known.code, choices=["dct", *CODES])
    add("--block", type=int, default=known.block)
    add("--stride", type=int, default=None, help="pixels between blocks; a block, if left out")
    add("--order", default="cyclic", help="cyclic, interleaved, intermittent, reversed")
    add("--frequencies", type=int, default=None, help="how many are shown; all, if left out")
    add("--width", type=float, default=1.0, help="factor of all channels and widths")
    add("--contrast", type=float, default=1.0)
    add("--delay", type=int, default=known.delay, choices=(0, 1))
    add("--ann-epochs", type=int, default=known.ann_epochs)
    add("--epochs", type=int, default=known.epochs, help="of fine-tuning")
    add("--rate", type=float, default=known.rate, help="of fine-tuning")
    add("--readout", default=known.readout, choices=("sum", "mean"))
    add("--dropout", type=float, default=known.dropout, help="in fine-tuning")
    add("--batch", type=int, default=known.batch)
    add("--seed", type=int, default=known.seed)
    add("--device", default=known.device)
    add("--out", type=Path, default=Path("dct_snn"), help="folder for all that is made")
    add("--resume", action="store_true", help="go on from the checkpoints in --out")
    return parser.parse_args()


def settings_of(given: argparse.Namespace) -> Settings:
    """Give the settings; options of the encoder go to DCT alone."""
    options = {"order": given.order, "frequencies": given.frequencies}
    names = set(Settings.__dataclass_fields__) - {"options", "ann_rate"}
    chosen = {name: getattr(given, name) for name in names}
    return Settings(**chosen, options=options if given.code == "dct" else {})


def measured(program: spikec.Program, images: Images) -> dict[str, Any]:
    """Give accuracy, the analog network's beside it, events and rates."""
    found = program.evaluate(images.test)
    return {
        "accuracy": found.accuracy,
        "analog": found.reference_accuracy,
        "events_per_neuron": found.events_per_neuron,
        "rates": dict(found.rates),
    }


def make(settings: Settings, images: Images, out: Path) -> dict[str, Any]:
    """Do everything; give what is printed."""
    settings.check(images)
    begin(out, CHECKPOINTS, settings.resume)
    with bars() as bar:
        analog = trained_analog(settings, images, out, bar)
        program = converted(settings, images, analog)
        first = measured(program, images)
        best = tuned(settings, images, program, out, bar)
    told: dict[str, Any] = {"converted": first, "fine-tuned": measured(best, images)}
    ready = replace(best, preprocess=images.preprocess)  # for what is in the file
    ready.save(out / "program.spk")
    history = best.record["finetune"]["history"]
    keep(out / "epochs.jsonl", "".join(json.dumps(r) + "\n" for r in history))
    keep(out / "epochs.svg", svg_file(accuracy_by_epoch(history)))
    best.report(out / "report.html", images.test)
    energy = best.energy(images.test[0])
    told["energy_pj"] = {"spiking": energy.total_pj}
    told["energy_pj"] |= {one.name: one.total_pj for one in energy.baselines}
    verified = best.verify("onnx_graph", images.test[0][:SHOWN])
    told |= {"verified": str(verified), EQUAL: verified.ok}
    ready.export("onnx_graph", out / "onnx")
    for name in CHECKPOINTS:
        (out / name).unlink(missing_ok=True)
    return told


def show(told: dict[str, Any], out: Path) -> None:
    """Print what came out."""
    for name in ("converted", "fine-tuned"):
        one = told[name]
        print(
            f"{name:<11} accuracy {one['accuracy']:.2%} (analog {one['analog']:.2%}), "
            f"{one['events_per_neuron']:.2f} events per neuron and image"
        )
    for name, rate in told["fine-tuned"]["rates"].items():
        print(f"  {name}: {rate:.3f} events per neuron and image")
    show_energy(told["energy_pj"], "image")
    print(told["verified"])
    print(f"program, report, epochs and ONNX lie in {out}")


def main() -> int:
    """Run; a mistake of the user's is told, without a traceback."""
    given = arguments()

    def made() -> Told:
        return make(settings_of(given), load_images(given.data, given.contrast), given.out)

    return run(made, show, given.out)


if __name__ == "__main__":
    with interruptible():
        sys.exit(main())
