"""Lets lava-nc 0.10.0, which declares Python 3.10, run on 3.10 and later; import it before Lava.

Lava is archived, this is its last release, so that these four places stay where they are:

1. Python 3.11 refuses dataclass defaults without a hash, as ``encoder: Encoder = ByteEncoder()``.
2. Lava chooses a start method for processes when imported, which fails where one is chosen.
3. NumPy 2.4 has no ``reshape(newshape=)``, which ports use for ``.reshape()`` and ``.flatten()``.
4. The traceback of a process that fails is logged where nobody looks.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def _give_dataclasses_a_hash() -> None:
    module: Any = dataclasses
    process = module._process_class

    def patched(
        cls: type,
        init: bool,
        repr_: bool,
        eq: bool,
        order: bool,
        unsafe: bool,
        *rest: Any,
        **more: Any,
    ) -> type:
        frozen = rest[0] if rest else more.get("frozen", False)
        lavas = cls.__module__.partition(".")[0] == "lava"
        unsafe = unsafe or (lavas and eq and not frozen and "__hash__" not in cls.__dict__)
        changed: type = process(cls, init, repr_, eq, order, unsafe, *rest, **more)
        return changed

    module._process_class = patched


def _let_start_methods_be() -> None:
    choose = multiprocessing.set_start_method

    def tolerant(method: str, force: bool = False) -> None:
        choose(method, force=True)

    module: Any = multiprocessing
    module.set_start_method = tolerant
    try:
        import lava.magma.runtime.message_infrastructure.multiprocessing  # noqa: F401
    finally:
        module.set_start_method = choose


def _mend_reshaping_ports() -> None:
    from lava.magma.core.process.ports import ports

    def forward(self: Any) -> Callable[[Any], Any]:
        return lambda array: np.reshape(array, self.shape)

    def backward(self: Any) -> Callable[[Any], Any]:
        return lambda array: np.reshape(array, self.old_shape)

    ports.ReshapePort.get_transform_func_fwd = forward
    ports.ReshapePort.get_transform_func_bwd = backward


def _print_tracebacks() -> None:
    from lava.magma.runtime.message_infrastructure import multiprocessing as lavas

    join = lavas.SystemProcess.join

    def telling(self: Any) -> None:
        join(self)
        if self._exception:
            print(self._exception[1], file=sys.stderr)

    lavas.SystemProcess.join = telling


if sys.version_info >= (3, 11):
    _give_dataclasses_a_hash()
_let_start_methods_be()
_mend_reshaping_ports()
_print_tracebacks()
