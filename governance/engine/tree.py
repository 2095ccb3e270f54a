"""The nodes of a CEL expression, each with its place in the source, and ways to walk them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from governance.engine.tokens import Scalar

LOOPS = frozenset({"exists", "all", "exists_one"})


@dataclass(frozen=True, slots=True)
class Node:
    """`start` and `end` are offsets in the source: source[start:end] is the node without enclosing
    brackets.
    """

    start: int
    end: int

    def children(self) -> tuple["Node", ...]:
        """Direct parts, in source order."""
        return ()


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant; `kind` is int, uint, double, string, bytes, bool or null."""

    kind: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable, or a loop variable inside exists/all/exists_one."""

    name: str


@dataclass(frozen=True, slots=True)
class Select(Node):
    """operand.field"""

    operand: Node
    field: str

    def children(self) -> tuple[Node, ...]:
        return (self.operand,)


@dataclass(frozen=True, slots=True)
class Index(Node):
    """operand[index]"""

    operand: Node
    index: Node

    def children(self) -> tuple[Node, ...]:
        return (self.operand, self.index)


@dataclass(frozen=True, slots=True)
class Call(Node):
    """function(args) when `target` is None, else target.function(args)."""

    target: Node | None
    function: str
    args: tuple[Node, ...]
    name_start: int

    def children(self) -> tuple[Node, ...]:
        return self.args if self.target is None else (self.target, *self.args)


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """! or - before an operand."""

    operator: str
    operand: Node

    def children(self) -> tuple[Node, ...]:
        return (self.operand,)


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """A comparison, `in`, or arithmetic."""

    operator: str
    left: Node
    right: Node

    def children(self) -> tuple[Node, ...]:
        return (self.left, self.right)


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """A whole chain of && or of ||, flattened."""

    operator: str
    parts: tuple[Node, ...]

    def children(self) -> tuple[Node, ...]:
        return self.parts


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """condition ? then : otherwise"""

    condition: Node
    then: Node
    otherwise: Node

    def children(self) -> tuple[Node, ...]:
        return (self.condition, self.then, self.otherwise)


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    """[a, b]"""

    items: tuple[Node, ...]

    def children(self) -> tuple[Node, ...]:
        return self.items


@dataclass(frozen=True, slots=True)
class MapOf(Node):
    """{key: value}"""

    entries: tuple[tuple[Node, Node], ...] = field(default=())

    def children(self) -> tuple[Node, ...]:
        return tuple(node for entry in self.entries for node in entry)


@dataclass(frozen=True, slots=True)
class Loop:
    """over.exists(variable, body), or all, or exists_one."""

    over: Node
    variable: Name
    body: Node


def loop_of(node: Node) -> Loop | None:
    """The parts of a loop; None for any other node."""
    if isinstance(node, Call) and node.target is not None and node.function in LOOPS and len(node.args) == 2:
        variable, body = node.args
        if isinstance(variable, Name):
            return Loop(node.target, variable, body)
    return None


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first."""
    yield node
    for child in node.children():
        yield from walk(child)


def path_of(node: Node) -> tuple[str, ...] | None:
    """("signal", "a", "b") for signal.a.b or signal["a"].b; None when the node is not such a chain of fixed
    names.
    """
    fields: list[str] = []
    while True:
        if isinstance(node, Select):
            fields.append(node.field)
            node = node.operand
        elif (
            isinstance(node, Index) and isinstance(node.index, Literal) and isinstance(node.index.value, str)
        ):
            fields.append(node.index.value)
            node = node.operand
        elif isinstance(node, Name):
            return (node.name, *reversed(fields))
        else:
            return None


def named_paths(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[tuple[str, ...]]:
    """The longest fixed paths the expression reads, loop variables left out; repeats possible, in source
    order.
    """
    path = path_of(node)
    if path is not None:
        if path[0] not in bound:
            yield path
        return
    loop = loop_of(node)
    if loop is not None:
        yield from named_paths(loop.over, bound)
        yield from named_paths(loop.body, bound | {loop.variable.name})
        return
    for child in node.children():
        yield from named_paths(child, bound)
