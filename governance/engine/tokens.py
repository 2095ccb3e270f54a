"""The words of a CEL source: names, numbers, texts and symbols with their places."""

import re
from dataclasses import dataclass

from governance.engine.errors import RuleError

KEYWORDS = frozenset({"true", "false", "null", "in"})
RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)

Scalar = int | float | str | bytes | bool | None

_SPACE = re.compile(r"(?:[ \t\n\f\r]+|//[^\n]*)+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = re.compile(r"`([A-Za-z0-9_.\-/ ]+)`")
_NUMBER = re.compile(
    r"(?P<double>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<hex>0x[0-9a-fA-F]+)(?P<hexu>[uU])?|(?P<int>[0-9]+)(?P<intu>[uU])?"
)
_SYMBOL = re.compile(r"&&|\|\||==|!=|<=|>=|[-+*/%!<>=?:.,()\[\]{}]")
_TEXT = re.compile(r"(?P<prefix>[rR]?[bB]?|[bB][rR])(?P<quote>\"\"\"|'''|\"|')")
_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "?": "?", '"': '"', "'": "'", "`": "`",
}  # fmt: skip
_NUMERIC_ESCAPE = re.compile(r"[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})")


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is name, quoted, int, uint, double, string, bytes, symbol or end."""

    kind: str
    text: str
    start: int
    end: int
    value: Scalar = None

    @property
    def shown(self) -> str:
        """The token as an error message shows it."""
        return (
            "the end"
            if self.kind == "end"
            else repr(self.text if len(self.text) <= 30 else self.text[:30] + "…")
        )


def line_of(source: str, position: int) -> int:
    """1-based line of an offset."""
    return source.count("\n", 0, position) + 1


def tokenize(source: str) -> list[Token]:
    """All tokens and a final `end`; RuleError at the first character that begins none."""
    tokens: list[Token] = []
    at = 0
    while True:
        space = _SPACE.match(source, at)
        at = space.end() if space else at
        if at >= len(source):
            tokens.append(Token("end", "", at, at))
            return tokens
        token = _text(source, at) or _other(source, at)
        tokens.append(token)
        at = token.end


def _other(source: str, at: int) -> Token:
    if number := _NUMBER.match(source, at):
        return _number(source, number)
    if name := _NAME.match(source, at):
        return Token("name", name[0], at, name.end())
    if quoted := _QUOTED.match(source, at):
        return Token("quoted", quoted[0], at, quoted.end(), quoted[1])
    if symbol := _SYMBOL.match(source, at):
        return Token("symbol", symbol[0], at, symbol.end())
    cure = {"&": "; write && for and", "|": "; write || for or"}.get(source[at], "")
    raise _refused(source, f"{source[at]!r} is not part of the language{cure}", at)


def _number(source: str, match: re.Match[str]) -> Token:
    at, end = match.span()
    follows = source[end : end + 1]
    if follows.isalnum() or follows == "_":
        raise _refused(source, f"{match[0] + follows!r} is not a number", at)
    if match["double"]:
        return Token("double", match[0], at, end, float(match["double"]))
    value = int(match["hex"], 16) if match["hex"] else int(match["int"])
    unsigned = bool(match["hexu"] or match["intu"])
    if value >= 2**64 or (not unsigned and value > 2**63):
        raise _refused(source, "this whole number is too large (64 bits)", at)
    return Token("uint" if unsigned else "int", match[0], at, end, value)


def _text(source: str, at: int) -> Token | None:
    match = _TEXT.match(source, at)
    if match is None:
        return None
    raw, is_bytes = "r" in match["prefix"].lower(), "b" in match["prefix"].lower()
    quote = match["quote"]
    parts: list[str] = []
    place = match.end()
    while not source.startswith(quote, place):
        character = source[place : place + 1]
        if character == "" or (len(quote) == 1 and character in "\r\n"):
            raise _refused(source, f"this text never ends; close it with {quote}", at)
        if character == "\\" and not raw:
            written, place = _escape(source, place, is_bytes)
            parts.append(written)
        else:
            parts.append(character)
            place += 1
    end = place + len(quote)
    text = "".join(parts)
    if is_bytes:
        return Token("bytes", source[at:end], at, end, text.encode("utf-8", "surrogatepass"))
    return Token("string", source[at:end], at, end, text)


def _escape(source: str, at: int, is_bytes: bool) -> tuple[str, int]:
    following = source[at + 1 : at + 2]
    if following in _SIMPLE:
        return _SIMPLE[following], at + 2
    match = _NUMERIC_ESCAPE.match(source, at + 1)
    if match is None:
        raise _refused(source, f"unknown escape \\{following}; write \\\\ for a backslash", at)
    code = int(match[4], 8) if match[4] else int(match[1] or match[2] or match[3], 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF or (is_bytes and (match[2] or match[3])):
        raise _refused(source, f"\\{match[0]} is not a character", at)
    return chr(code), match.end()


def _refused(source: str, message: str, at: int) -> RuleError:
    return RuleError(message, position=at, line=line_of(source, at))
