"""What may stand in the JSON of a ``.pt2`` file: names of operators, sizes, plain containers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch.utils import _pytree as pytree

from spikec.errors import Problem

Json = Any

_TARGET = re.compile(
    r"torch\.ops\.(aten|torchvision)\.[A-Za-z_]\w*\.[A-Za-z_]\w*"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|pos|getitem|eq|ne|lt|le|gt|ge|and_|or_|not_)"
    r"|math\.(ceil|floor|trunc|sqrt)"
    r"|torch\.sym_(int|float|max|min|not|ite|sum)"
)
_FUNCTIONS = {
    "Abs", "Add", "And", "CeilDiv", "CeilToInt", "CleanDiv", "Equality", "FloorDiv", "FloorToInt",
    "GreaterThan", "Identity", "IntTrueDiv", "Integer", "LessThan", "Max", "Min", "Mod",
    "ModularIndexing", "Mul", "Not", "Or", "Pow", "PythonMod", "Rational", "StrictGreaterThan",
    "StrictLessThan", "ToFloat", "TruncToInt", "Unequality", "Where", "false", "true",
}  # fmt: skip
_SYMBOL = re.compile(r"(?:[su]|zu?f)\d+")
_WRITTEN_SYMBOL = re.compile(r"Symbol\('((?:[su]|zu?f)\d+)'(?:, [a-z_]+=True)*\)")
_TOKEN = re.compile(r"\s+|\d{1,18}|[A-Za-z_]\w*|[-+*/(),](?!\*)")
_POWERS = 4
"""Powers that may stand in one expression; without a limit they could be as large as one likes."""
_LONGEST = 2000
_METADATA = ("stack_trace", "nn_module_stack")
"""The parts of a node's metadata that the import reads; the others are left out."""
_CONTAINERS = {
    None,
    "builtins.tuple",
    "builtins.list",
    "builtins.dict",
    "collections.OrderedDict",
    "collections.namedtuple",
}
_SPECS = ("in_spec", "out_spec")
_PICKLED = ("custom_obj_", "opaque_obj_")
_LARGEST = 1 << 28
"""Elements that a tensor may have beyond the bytes stored for it (expanded constants)."""


def scan_program(program: dict[str, Json]) -> tuple[dict[str, Json], list[Problem]]:
    """Give the program without guards and foreign metadata, on the CPU, and what is wrong in it."""
    problems = list(_problems(program, ""))
    for symbol in _mapping(program.get("range_constraints")):
        if not _SYMBOL.fullmatch(symbol):
            problems.append(Problem(f"{symbol[:80]!r} is no symbol of a size"))
    cleaned = _cleaned(program)
    cleaned["guards_code"] = []
    return cleaned, problems


def scan_payloads(
    config: dict[str, Json], folder: str, entries: Mapping[str, bytes]
) -> list[Problem]:
    """Give what is wrong with stored tensors: pickles, absent files, sizes without content."""
    problems = []
    for name, payload in _mapping(config.get("config")).items():
        payload = _mapping(payload)
        path = str(payload.get("path_name"))
        if payload.get("use_pickle") or path.startswith(_PICKLED):
            problems.append(Problem(f"{name} is pickled; loading it could run any code"))
        elif folder + path not in entries:
            problems.append(Problem(f"{name} has no content: {path} is missing"))
        else:
            elements = _elements(_mapping(payload.get("tensor_meta")).get("sizes"))
            stored = len(entries[folder + path])
            if elements is None or elements > max(stored, _LARGEST if stored else 0):
                problems.append(Problem(f"{name} has {stored} bytes for {elements} elements"))
    legacy = f"{folder}model.pt"
    if legacy in entries:
        problems.append(Problem(f"{legacy} is pickled; loading it could run any code"))
    return problems


def is_safe_expression(text: str) -> bool:
    """Tell whether a size expression holds arithmetic on size symbols and nothing else.

    >>> is_safe_expression("Mul(Integer(4), Symbol('s0', positive=True, integer=True))")
    True
    >>> is_safe_expression("__import__('os').system('id')")
    False
    """
    if len(text) > _LONGEST or text.count("Pow") > _POWERS:
        return False
    plain = _WRITTEN_SYMBOL.sub(r"\1", text)
    position = 0
    while position < len(plain):
        match = _TOKEN.match(plain, position)
        if match is None or not _is_known_word(match[0]):
            return False
        position = match.end()
    return not re.search(r"Pow\((?!s\d+, Integer\(-?\d\)\))", plain)


def _is_known_word(token: str) -> bool:
    is_word = token[0].isalpha() or token[0] == "_"
    return not is_word or token in _FUNCTIONS or bool(_SYMBOL.fullmatch(token))


def _problems(content: Json, key: str) -> Iterator[Problem]:
    if isinstance(content, list):
        for item in content:
            yield from _problems(item, key)
    elif isinstance(content, dict):
        if "target" in content and not _TARGET.fullmatch(str(content["target"])):
            yield Problem(f"operator {str(content['target'])[:80]!r} is not one of ATen")
        for name, value in content.items():
            yield from _problems(value, name)
    elif isinstance(content, str):
        if key == "expr_str" and not is_safe_expression(content):
            yield Problem(f"{content[:80]!r} is no expression of sizes")
        if key in _SPECS and not _is_plain_spec(content):
            yield Problem(f"the container {content[:80]!r} is not a plain one")
    if key in ("custom_obj_values", "as_custom_obj", "as_operator") and content:
        yield Problem(f"{key}: custom objects are not loaded")


def _is_plain_spec(text: str) -> bool:
    """Tell whether a container is plain or registered, so that reading it imports nothing."""
    try:
        protocol, spec = json.loads(text)
        return protocol == 1 and all(_is_plain_container(item) for item in _specs(spec))
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _specs(spec: Json) -> Iterator[Json]:
    yield spec
    for child in spec["children_spec"]:
        yield from _specs(child)


def _is_plain_container(spec: Json) -> bool:
    kind, context = spec["type"], spec["context"]
    if "__enum__" in str(context):
        return False
    if kind in _CONTAINERS:
        return True
    known = pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE.get(kind)
    reader = pytree.SUPPORTED_SERIALIZED_TYPES.get(known) if known else None
    return reader is not None and reader.from_dumpable_context is None


def _cleaned(content: Json) -> Json:
    """Keep only the metadata that the import reads, and put every device to the CPU."""
    if isinstance(content, list):
        return [_cleaned(item) for item in content]
    if not isinstance(content, dict):
        return content
    if content.keys() == {"type", "index"}:
        return {"type": "cpu", "index": None}
    result = {name: _cleaned(value) for name, value in content.items()}
    if isinstance(result.get("metadata"), dict) and "target" in result:
        result["metadata"] = {k: v for k, v in result["metadata"].items() if k in _METADATA}
    return result


def _elements(sizes: Json) -> int | None:
    """Give the number of elements; None where the sizes are no plain numbers."""
    try:
        numbers: list[int] = [size["as_int"] for size in sizes]
    except (TypeError, KeyError):
        return None
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        return None
    return math.prod(numbers)


def _mapping(content: Json) -> dict[str, Json]:
    return content if isinstance(content, dict) else {}
