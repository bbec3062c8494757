"""What a training is asked to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from math import cos, isfinite, pi
from typing import Any, TypeGuard, TypeVar

from spikec.errors import Problem, UsageError
from spikec.pipeline import suggestion
from spikec.runtime.surrogate import Surrogate, surrogate_from


def constant(share: float) -> float:
    """Keep the rate as it is."""
    return 1.0


def cosine(share: float) -> float:
    """Let the rate fall along half a cosine to 0."""
    return 0.5 * (1 + cos(pi * share))


def linear(share: float) -> float:
    """Let the rate fall along a line to 0."""
    return 1 - share


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": constant,
    "cosine": cosine,
    "linear": linear,
}
"""share of the training that is done -> factor of the rate"""
LEARNED = ("weights", "thresholds", "leaks")


OPTIMISERS = ("adam", "sgd")


@dataclass(frozen=True)
class Loop:
    """What any training has, of whatever it is."""

    epochs: int = 3
    batch: int = 32
    rate: float = 1e-3
    schedule: str = "cosine"
    halve_every: int = 0
    """epochs after which the rate is halved, on top of the schedule; 0: never"""
    weight_decay: float = 0.0
    clip: float = 0.0
    """largest 2-norm of all derivatives together; 0: no limit"""
    validation: float = 0.1
    """share of the samples that chooses the best epoch"""
    patience: int = 0
    """epochs without an improvement after which it ends; 0: never"""
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = [problem for ok, problem in self._rules() if not ok]
        if wrong:
            raise UsageError("options of a training are wrong", problems=wrong)

    def factor(self, epoch: float) -> float:
        """Give the factor of the rate after so many epochs."""
        halvings = int(epoch // self.halve_every) if self.halve_every else 0
        return SCHEDULES[self.schedule](min(1.0, epoch / self.epochs)) * 0.5**halvings

    def to_json(self) -> dict[str, Any]:
        """Give all options for machines."""
        return asdict(self)

    def _rules(self) -> list[tuple[bool, Problem]]:
        """Say what must hold, with what is told where it does not."""
        wholes = {"epochs": 1, "batch": 1, "halve_every": 0, "patience": 0, "seed": 0}
        return [
            *(
                (is_whole(getattr(self, n), low), self._no(n, f"{low} or more"))
                for n, low in wholes.items()
            ),
            self._above("rate"),
            self._share("validation", 0.9),
            self._least("weight_decay"),
            self._least("clip"),
            (self.schedule in SCHEDULES, self._no("schedule", f"one of {', '.join(SCHEDULES)}")),
        ]

    def _above(self, name: str) -> tuple[bool, Problem]:
        return _number(getattr(self, name)) > 0, self._no(name, "above 0")

    def _least(self, name: str) -> tuple[bool, Problem]:
        return _number(getattr(self, name)) >= 0, self._no(name, "0 or more")

    def _share(self, name: str, most: float) -> tuple[bool, Problem]:
        return 0 <= _number(getattr(self, name)) <= most, self._no(name, f"0 to {most}")

    def _no(self, name: str, expected: str) -> Problem:
        return Problem(f"{name} is {getattr(self, name)!r}", expected=expected)


@dataclass(frozen=True)
class FitOptions(Loop):
    """All that decides what a module learns, beside itself and the data."""

    optimiser: str = "adam"
    """adam (AdamW where weights decay), or sgd with ``momentum``"""
    momentum: float = 0.9
    mixed: bool = False
    """half precision where it is enough, on a graphics card"""

    def _rules(self) -> list[tuple[bool, Problem]]:
        known = ", ".join(OPTIMISERS)
        return [
            *super()._rules(),
            self._share("momentum", 0.9999),
            (self.optimiser in OPTIMISERS, self._no("optimiser", f"one of {known}")),
        ]


@dataclass(frozen=True)
class Options(Loop):
    """All that decides what comes out of a fine-tuning, beside the program and the data.

    ``rate`` is Adam's for weights and biases, in units of each array's mean magnitude.
    """

    threshold_rate: float = 1e-3
    """of the logarithm of a threshold, and of the logit of a leak"""
    surrogate: str = "rectangle{width=1}"
    detached: bool = False
    """leave resets out of the derivative"""
    learn: tuple[str, ...] = ("weights", "thresholds")
    distill: float = 0.5
    """share of the loss that comes from the network's own answers; 1 needs no labels"""
    temperature: float = 2.0
    """of both answers in that share"""
    features: float = 1.0
    """weight of what neurons stand for beside the network's activations, relative to these"""
    dropout: float = 0.0
    """share of the hidden neurons that are left out, the same at all steps of a sample"""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.smooth  # noqa: B018  # read now, so that a wrong text is told now

    @property
    def smooth(self) -> Surrogate:
        """The surrogate derivative of a spike."""
        return surrogate_from(self.surrogate)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "learn": list(self.learn)}

    def _rules(self) -> list[tuple[bool, Problem]]:
        known = set(self.learn)
        return [
            *super()._rules(),
            self._above("threshold_rate"),
            self._above("temperature"),
            self._share("distill", 1.0),
            self._least("features"),
            self._share("dropout", 0.99),
            (
                bool(known) and known <= set(LEARNED),
                self._no("learn", f"some of {', '.join(LEARNED)}"),
            ),
        ]


Kind = TypeVar("Kind", bound=Loop)


def known_options(kind: type[Kind], given: Mapping[str, Any]) -> Kind:
    """Make options of a kind; those that it does not have are told, with the nearest known one."""
    known = [item.name for item in fields(kind)]
    problems = [
        Problem(f"no option is called {name!r}", remedy=suggestion(name, known))
        for name in given
        if name not in known
    ]
    if problems:
        raise UsageError("unknown options", expected=", ".join(known), problems=problems)
    return kind(**given)


def read_options(given: Mapping[str, Any]) -> Options:
    """Read options of a fine-tuning by name."""
    learn = given.get("learn")
    more = {} if learn is None else {"learn": (learn,) if isinstance(learn, str) else tuple(learn)}
    return known_options(Options, {**given, **more})


def read_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Read ``OPTION=VALUE``, each value as the option's default is.

    >>> read_settings(["patience=3", "detached=true", "clip=1"])
    {'patience': 3, 'detached': True, 'clip': 1.0}
    """
    defaults = asdict(Options())
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or name not in defaults:
            raise UsageError(
                f"no setting {text!r}",
                expected=f"OPTION=VALUE, of {', '.join(defaults)}",
                remedy=suggestion(name, defaults),
            )
        try:
            found[name] = _READ[type(defaults[name])](value)
        except (KeyError, ValueError):
            kind = _NAMED[type(defaults[name])]
            raise UsageError(f"{name} is {value!r}", expected=kind) from None
    return found


_READ: dict[type, Callable[[str], Any]] = {
    bool: {"true": True, "false": False}.__getitem__,
    int: int,
    float: float,
    str: str,
    tuple: lambda text: tuple(text.split(",")),
}
_NAMED = {bool: "true or false", int: "a whole number", float: "a number"}


def is_whole(value: object, low: int) -> bool:
    """Tell whether a value is a whole number of ``low`` or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _number(value: object) -> float:
    """Give a number; what is none compares as if it were wrong."""
    return float(value) if is_number(value) else float("nan")
