"""Writing values as YAML that the policy file's reader takes back unchanged, plainly wherever that is safe."""

import re
from collections.abc import Sequence

from governance.rules.yaml_fields import NULLS

_PLAIN = re.compile(r"[\w(][^\n]*")
_NOT_INSIDE = re.compile(r":(\s|$)|\s#|\s$")
_NOT_IN_FLOW = frozenset(",[]{}")
_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def scalar(text: str, *, flow: bool = False) -> str:
    """One value on one line; `flow` when it stands inside [ ] or { }."""
    plain = (
        _PLAIN.fullmatch(text) is not None
        and text.isprintable()
        and not _NOT_INSIDE.search(text)
        and text not in NULLS
        and not (flow and _NOT_IN_FLOW & set(text))
    )
    return text if plain else '"' + "".join(map(_written, text)) + '"'


def _written(letter: str) -> str:
    if letter in _SHORT:
        return _SHORT[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def block(text: str, indent: str) -> str:
    """A value after its key: several lines as a literal block under `indent` where that keeps them, else as `scalar`."""
    lines = text.split("\n")
    if len(lines) == 1 or not all(line.isprintable() for line in lines):
        return scalar(text)
    if lines[0][:1] in ("", " ") or not lines[-1].strip():
        return scalar(text)
    return "|-\n" + "\n".join(f"{indent}{line}" if line else "" for line in lines)


def listed(texts: Sequence[str]) -> str:
    """[a, b]"""
    return "[" + ", ".join(scalar(text, flow=True) for text in texts) + "]"
