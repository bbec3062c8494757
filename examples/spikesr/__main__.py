"""Train, measure, compile, verify and export in one command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from examples._command import EQUAL, Told, begin, interruptible, keep, run, show_energy

with interruptible():  # torch takes seconds
    import numpy as np

    from examples._progress import bars
    from examples.spikesr.images import SKIMAGE, Images, Sizes, load_images
    from examples.spikesr.making import (
        PRESETS,
        Settings,
        by_bicubic,
        compiled,
        enlarged,
        quality,
        trained,
    )
    from spikec.errors import UsageError
    from spikec.metrics.images import WINDOW
    from spikec.training.finetune import checked_device
    from spikec.zoo.spikesr import PARTS, VARIANTS

SHOWN = 2
"""images that exports are verified on, and energy is counted on"""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    known, sizes = Settings(), Sizes()
    parser = argparse.ArgumentParser(prog="python -m examples.spikesr", description=__doc__)
    add = parser.add_argument
    add("--data", default=SKIMAGE, help="skimage, textures, or a folder of images")
    add("--preset", default=known.preset, choices=list(PRESETS))
    add("--variant", default="released", choices=list(VARIANTS))
    add("--scale", type=int, default=known.scale, help="2, 3 or 4")
    add("--steps", type=int, default=known.steps, help="of time")
    add("--crop", type=int, default=known.crop, help="side of the small images to learn from")
    add("--side", type=int, default=sizes.tested, help="side of the small images to test on")
    add("--centre", type=int, default=None, help="side of the part of a folder's images; all")
    add("--held", type=float, default=sizes.held, help="share of a folder that is tested")
    add("--without", nargs="*", default=[], choices=PARTS, help="parts to leave out")
    add("--no-bicubic", action="store_true", help="as the paper: learn the whole image")
    add("--iterations", type=int, default=known.iterations)
    add("--rate", type=float, default=known.rate)
    add("--batch", type=int, default=known.batch)
    add("--seed", type=int, default=known.seed)
    add("--device", default=known.device)
    add("--out", type=Path, default=Path("spikesr"), help="folder for all that is made")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    return parser.parse_args()


def settings_of(given: argparse.Namespace) -> Settings:
    """Give the settings."""
    options: dict[str, Any] = {"variant": given.variant, **dict.fromkeys(given.without, False)}
    if given.no_bicubic:
        options["bicubic"] = False
    names = set(Settings.__dataclass_fields__) - {"options"}
    return Settings(**{name: getattr(given, name) for name in names}, options=options)


def asked(given: argparse.Namespace) -> tuple[Settings, Sizes]:
    """Give settings and sizes; what is impossible is told before images are read."""
    settings, side = settings_of(given), given.side
    sizes = Sizes(given.scale, max(given.crop, side), side, given.held, given.centre)
    checked_device(settings.device)
    settings.build(given.crop)
    least = 2 + -(-WINDOW // settings.scale)
    if side < least:
        raise UsageError(
            f"{side} pixels a side to test on",
            expected=f"{least} or more: SSIM looks at {WINDOW} x {WINDOW} pixels of the large "
            f"images, of which {settings.scale} on each side are left out",
            remedy="choose a larger --side",
        )
    settings.build(side)
    return settings, sizes


def make(settings: Settings, images: Images, out: Path) -> dict[str, Any]:
    """Do everything; give what is printed."""
    begin(out, ["training.checkpoint"], settings.resume)
    with bars() as bar:
        model = trained(settings, images.train, out, bar("training"))
    small, large = images.test.small, images.test.large
    told: dict[str, Any] = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "bicubic": quality(by_bicubic(small, settings.scale), large, settings.scale),
        "spikesr": quality(enlarged(model, small), large, settings.scale),
    }
    program = compiled(model, small)
    program.save(out / "program.spk")
    shown = small[:SHOWN]
    found = program.run(shown)
    told["largest_difference"] = float(
        np.abs(found.output.clip(0, 1) - enlarged(model, shown)).max()
    )
    told["rates"] = {name: float(x.mean()) for name, x in found.spikes.items()}
    program.report(out / "report.html", shown)
    energy = program.energy(shown)
    keep(out / "energy.txt", energy.table())
    told["energy_pj"] = {"spiking": energy.total_pj}
    told["energy_pj"] |= {one.name: one.total_pj for one in energy.baselines}
    made = program.export("onnx_graph", out / "onnx", step=False)
    verified = program.verify("onnx_graph", shown, made)
    told |= {"verified": str(verified), EQUAL: verified.ok}
    (out / "training.checkpoint").unlink(missing_ok=True)
    return told


def show(told: dict[str, Any], out: Path) -> None:
    """Print what came out."""
    print(f"{told['parameters']:,} parameters")
    for name in ("bicubic", "spikesr"):
        cells = (f"{key} {value:.4f}" for key, value in told[name].items())
        print(f"{name:<8} {', '.join(cells)}")
    for name, rate in told["rates"].items():
        print(f"  {name}: {rate:.3f} events per neuron and step")
    print(f"the program differs from the network by at most {told['largest_difference']:.2g}")
    show_energy(told["energy_pj"], "image")
    print(told["verified"])
    print(f"program, report, energy by layer, ONNX and result.json lie in {out}")


def main() -> int:
    """Run; a mistake of the user's is told, without a traceback."""
    given = arguments()

    def made() -> Told:
        settings, sizes = asked(given)
        return make(settings, load_images(given.data, sizes, given.seed), given.out)

    return run(made, show, given.out)


if __name__ == "__main__":
    with interruptible():
        sys.exit(main())
