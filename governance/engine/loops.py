"""What may stand inside exists, all and exists_one.

The runtime stops after 10,000 steps of all loops together, so a step must be cheap. Dear are: fields from
outside, which are converted again at every step; joining texts; and in the inner of two loops any function
of a text.
"""

from collections.abc import Iterator

from governance.engine.tree import Binary, Call, Literal, Loop, Name, Node, loop_of, path_of, walk

MAX_BODY = 60  # names, operators and values in one outer loop's condition
MAX_OUTER_FIELDS = 2  # uses of signal.…, guild.… in all outer loops; none in an inner one
MAX_INNER_CALLS = 2  # function calls in all inner loops

_RECORDS = frozenset({"signal", "guild", "creator", "market"})
_NUMBERS = frozenset({"double", "int", "uint", "size"})


def dear(root: Node) -> Iterator[tuple[str, int]]:
    """(what is wrong, position) for all loops of an expression together."""
    outer = 0
    calls = 0
    for loop in _outermost(root):
        size = sum(1 for _ in walk(loop.body))
        if size > MAX_BODY:
            yield f"the condition has {size} parts; at most {MAX_BODY} inside exists/all", loop.body.start
        for node, depth in _steps(loop.body, 1):
            if path_of(node) is not None:
                outer += 1
                if depth > 1:
                    yield (
                        "a field from outside in the inner of two loops; use a measure or one loop",
                        node.start,
                    )
                elif outer > MAX_OUTER_FIELDS:
                    yield (
                        f"more than {MAX_OUTER_FIELDS} fields from outside in loops; use a measure or one loop",
                        node.start,
                    )
            elif isinstance(node, Call) and depth > 1:
                calls += 1
                if calls > MAX_INNER_CALLS:
                    yield (
                        f"more than {MAX_INNER_CALLS} function calls in the inner of two loops",
                        node.name_start,
                    )
            elif isinstance(node, Binary) and node.operator == "+" and not any(map(_number, node.children())):
                yield "+ inside exists/all takes a number on one side, such as x.amount + 1", node.start


def _outermost(node: Node) -> Iterator[Loop]:
    loop = loop_of(node)
    if loop is not None:
        yield loop
        yield from _outermost(loop.over)
        return
    for child in node.children():
        yield from _outermost(child)


def _number(node: Node) -> bool:
    if isinstance(node, Literal):
        return node.kind in ("int", "uint", "double")
    if isinstance(node, Binary):
        return node.operator in ("-", "*", "/", "%") or (
            node.operator == "+" and any(map(_number, node.children()))
        )
    return isinstance(node, Call) and node.target is None and node.function in _NUMBERS


def _steps(node: Node, depth: int) -> Iterator[tuple[Node, int]]:
    """Calls, sums and whole paths into records, with the number of loops around them."""
    path = path_of(node)
    if path is not None:
        if path[0] in _RECORDS:  # a loop variable cannot have such a name
            yield node, depth
        return
    loop = loop_of(node)
    if loop is not None:
        yield from _steps(loop.over, depth)
        yield from _steps(loop.body, depth + 1)
        return
    if not (isinstance(node, Call) and node.target is None and node.function == "has"):
        yield node, depth
    for child in node.children():
        if not isinstance(child, Name):
            yield from _steps(child, depth)
        elif child.name in _RECORDS:
            yield child, depth
