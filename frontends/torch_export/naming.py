"""Names of nodes from module paths: ``layer1.0.conv1`` for a layer, ``layer1.0.add`` beside it."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from torch import fx

from spikec.frontends.common import node_name
from spikec.frontends.torch_export.places import module_class, module_path


class Names:
    """Knows which node is the one that its layer is called after."""

    def __init__(self, nodes: Iterable[fx.Node]) -> None:
        last: dict[tuple[str, str], fx.Node] = {}
        parents: set[str] = set()
        for node in nodes:
            path = module_path(node)
            if (
                path
                and node.target is not operator.getitem
                and module_class(node).startswith("torch.nn.")
            ):
                last[path, _call(node)] = node
            parents |= {path.rsplit(".", count)[0] for count in range(1, path.count(".") + 1)}
        self._layers = {node for (path, _), node in last.items() if path not in parents}

    def of(self, node: fx.Node, kind: str) -> str:
        """Name a node: after its layer, or by its kind below the module it stands in."""
        path = module_path(node)
        if node in self._layers:
            return node_name(path)
        return node_name(f"{path}.{kind}" if path else kind)


def _call(node: fx.Node) -> str:
    """Tell calls of a shared module apart."""
    return str(next(reversed(node.meta.get("nn_module_stack") or {"": ""})))
