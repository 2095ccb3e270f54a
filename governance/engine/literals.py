"""Writing values and paths as CEL source, so that reading them back yields exactly what was written."""

import math
import re

from governance.engine.tokens import KEYWORDS, RESERVED
from governance.engine.tree import Index, Literal, Name, Node, Select

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
#: Whole numbers up to here are the same number in JavaScript.
SAFE_WHOLE = 2**53 - 1

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def text_literal(text: str) -> str:
    """A text in double quotes. What cannot be seen on a page is written as an escape; ValueError for half a character."""
    return '"' + "".join(map(_written, text)) + '"'


def _written(letter: str) -> str:
    if letter in _SHORT:
        return _SHORT[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError("half a character (a lone surrogate)")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def whole_literal(number: int) -> str:
    """A whole number of 64 bits; ValueError beyond."""
    if not INT_MIN <= number <= INT_MAX:
        raise ValueError("this whole number is too large (64 bits)")
    return str(number)


def decimal_literal(number: float) -> str:
    """A double, always with a point or an exponent; ValueError for infinity and what is no number."""
    if not math.isfinite(number):
        raise ValueError("this number is too large or none at all")
    return repr(number)


def is_identifier(text: str) -> bool:
    """True for what may be a name by itself, such as a loop variable."""
    return _IDENTIFIER.fullmatch(text) is not None and text not in KEYWORDS | RESERVED


def path_source(node: Node) -> str | None:
    """signal.a["b c"] as written with nothing superfluous; None when the node is not a chain of fixed names."""
    steps: list[str] = []
    while not isinstance(node, Name):
        if isinstance(node, Select):
            plain = _IDENTIFIER.fullmatch(node.field) and node.field not in KEYWORDS
            steps.append(f".{node.field}" if plain else f".`{node.field}`")
            node = node.operand
        elif (
            isinstance(node, Index) and isinstance(node.index, Literal) and isinstance(node.index.value, str)
        ):
            steps.append(f"[{text_literal(node.index.value)}]")
            node = node.operand
        else:
            return None
    return node.name + "".join(reversed(steps))
