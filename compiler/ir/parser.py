"""Text to graph: recursive descent over the tokens; a mistake shows its line and a caret.

    graph    = stage "graph" string "{" node* "}"
    node     = %name "=" Op "(" [operands] [";" fields] ")" [":" types] ["@" places]
    operands = %name ["#" index] ("," …)*          fields = name "=" value ("," …)*
    places   = place ("+" place)*
    place    = [module] ["(" string [":" line] ")"] ["onnx" string]

How a value is written depends on the field's type; see ``spikec.ir.kinds``.
"""

from __future__ import annotations

from collections.abc import Mapping

from spikec.errors import SpikecError
from spikec.ir.array import Array, arrays_in
from spikec.ir.array_text import ArrayTable
from spikec.ir.codec import kind_of, record_of
from spikec.ir.edit import Editor
from spikec.ir.graph import Graph, Node, Stage, Value
from spikec.ir.kinds import Integer, read_string
from spikec.ir.location import Location, Place
from spikec.ir.op import Op
from spikec.ir.ops import OPS
from spikec.ir.printer import ONNX
from spikec.ir.tokens import Lex, Token, Tokens, suggestion
from spikec.ir.types import TensorType


def parse(text: str, arrays: Mapping[str, Array] | None = None) -> Graph:
    """Read a graph; ``arrays`` holds those that stand in the text by digest (``graph.arrays()``).

    >>> graph = parse('analog graph "g" { %x = Input(type=f32[B]) : f32[B]  %y = Output(%x) }')
    >>> [node.name for node in graph]
    ['x', 'y']
    """
    return _Parser(Tokens(text), tuple((arrays or {}).values())).graph()


class _Parser:
    def __init__(self, tokens: Tokens, arrays: tuple[Array, ...]) -> None:
        self.tokens = tokens
        self.arrays = arrays
        self.table = ArrayTable(arrays)

    def graph(self) -> Graph:
        tokens = self.tokens
        stage = Stage(tokens.keyword(*(stage.value for stage in Stage)))
        tokens.keyword("graph")
        graph = Graph(read_string(tokens), stage)
        edit = Editor(graph, by="parser")
        tokens.expect("{")
        while not tokens.accept("}"):
            self.node(edit)
        tokens.take(Lex.END)
        graph.journal.clear()
        return graph

    def node(self, edit: Editor) -> None:
        tokens = self.tokens
        start = tokens.take(Lex.VALUE, "a node such as %y = ReLU(%x), or '}'")
        name = start.text[1:]
        if "#" in name:
            raise tokens.error("a node is named without '#'", start, name.partition("#")[0])
        if name in edit.graph:
            raise tokens.error(f"%{name} is defined twice", start, "each name once")
        tokens.expect("=")
        op_token = tokens.peek()
        op, inputs = self.application(edit.graph)
        try:
            node = edit.add_node(op, inputs, name)
        except SpikecError as error:
            raise tokens.error(error.what, op_token, error.expected, error.remedy) from None
        self.results(node, op_token)
        if tokens.accept("@"):
            node.location = self.location()

    def application(self, graph: Graph) -> tuple[Op, list[Value]]:
        """Read ``Conv(%x; groups=2)``."""
        tokens = self.tokens
        token = tokens.take(Lex.WORD, "an op such as Conv")
        if token.text not in OPS:
            raise tokens.error(f"unknown op {token}", token, "", suggestion(token.text, OPS))
        tokens.expect("(")
        inputs: list[Value] = []
        while tokens.peek().kind is Lex.VALUE:
            inputs.append(self.value(graph))
            if not tokens.accept(","):
                break
        if inputs and not tokens.at(")"):
            tokens.expect(";")
        return record_of(OPS[token.text]).read_fields(tokens, self.table, token), inputs

    def value(self, graph: Graph) -> Value:
        """Read ``%x`` or ``%x#1``."""
        token = self.tokens.next()
        name, _, index = token.text[1:].partition("#")
        if name not in graph:
            known = [node.name for node in graph if node.outputs]
            remedy = suggestion(name, known)
            raise self.tokens.error(f"%{name} is not defined before it is used", token, "", remedy)
        results = graph[name].outputs
        position = int(index[:9] or 0)
        if position >= len(results):
            what = f"%{name} has {len(results)} result{'s' * (len(results) != 1)}"
            raise self.tokens.error(f"{what}, and none is {token.text}", token)
        return results[position]

    def results(self, node: Node, op_token: Token) -> None:
        """Read the result types and compare them with what the op infers."""
        tokens = self.tokens
        if not node.outputs:
            return
        tokens.expect(":")
        # amplitudes of spikes may be the product of inference: they are in no list of arrays
        table = ArrayTable((*self.arrays, *arrays_in(node.output_types)))
        kind = kind_of(TensorType)
        for value in node.outputs:
            if value.index:
                tokens.expect(",")
            token = tokens.peek()
            written = kind.read(tokens, table)
            if written != value.type:
                inferred = f"{kind.text(value.type, table.digits())}, which the op infers"
                raise tokens.error("the result type is wrong", token, inferred)
        if tokens.at(","):
            raise tokens.error(f"more than {len(node.outputs)} result types", op_token)

    def location(self) -> Location:
        places = [self.place()]
        while self.tokens.accept("+"):
            places.append(self.place())
        return Location(tuple(places))

    def place(self) -> Place:
        tokens = self.tokens
        token = tokens.peek()
        module = file = onnx = ""
        line = 0
        if token.kind is Lex.STRING:
            module = read_string(tokens)
        elif token.kind is Lex.WORD and token.text != ONNX:
            module = tokens.next().text
        if tokens.accept("("):
            file = read_string(tokens)
            if tokens.accept(":"):
                line = Integer().read(tokens, self.table)
            tokens.expect(")")
        if tokens.peek().text == ONNX:
            tokens.next()
            onnx = read_string(tokens)
        if tokens.peek() is token:
            raise tokens.unexpected('a place such as layer1.conv ("net.py":12)')
        return Place(module, file, line, onnx)
