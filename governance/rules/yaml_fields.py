"""Reading a YAML mapping field by field, so that every fault is reported with its line and none hides
another.

Text fields take what is written: `code: NO` is Norway and the key `on` is not a truth value, whatever YAML
1.1 thinks.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

import yaml

from governance.engine import parse_duration

MAX_BYTES = 1024 * 1024
MAX_LEVELS = 20

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]*")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,30})?")
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Problem(NamedTuple):
    """One fault: 1-based line, path such as rules[2].when, what is wrong and what to write instead."""

    line: int
    path: str
    message: str
    cure: str = ""

    def __str__(self) -> str:
        return f"line {self.line}: {self.path + ': ' if self.path else ''}{self.message}" + (
            f" ({self.cure})" if self.cure else ""
        )


def compose(text: str | bytes) -> tuple[yaml.Node | None, list[Problem]]:
    """The document's tree, or why there is none. Anchors are refused, so a small file stays small."""
    encoded = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(encoded) > MAX_BYTES:
        return None, [Problem(1, "", f"the file has {len(encoded)} bytes", f"at most {MAX_BYTES}: split it")]
    try:
        source = encoded.decode("utf-8-sig")
        problem = _unusual_event(source)
        if problem is not None:
            return None, [problem]
        return yaml.compose(source, Loader=_LOADER), []
    except UnicodeDecodeError as refusal:
        line = encoded.count(b"\n", 0, refusal.start) + 1
        return None, [Problem(line, "", "not UTF-8", "save the file as UTF-8")]
    except yaml.MarkedYAMLError as refusal:
        mark = refusal.problem_mark or refusal.context_mark
        wrong = " ".join(part for part in (refusal.context, refusal.problem) if part)
        # what is missing at the end is reported on the last line there is
        line = min(mark.line, encoded.rstrip().count(b"\n")) + 1 if mark else 1
        return None, [Problem(line, "", f"not YAML: {wrong}")]
    except yaml.YAMLError as refusal:
        return None, [Problem(1, "", f"not YAML: {str(refusal).splitlines()[0]}")]


def _unusual_event(source: str) -> Problem | None:
    level = 0
    for event in yaml.parse(source, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            return Problem(line, "", "anchors and aliases are not part of policy files", "write it out")
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in ("!", "tag:yaml.org,2002:str"):
            return Problem(line, "", f"the tag {tag} is not part of policy files", "take it away")
        level += isinstance(event, yaml.CollectionStartEvent)
        level -= isinstance(event, yaml.CollectionEndEvent)
        if level > MAX_LEVELS:
            return Problem(line, "", f"nested deeper than {MAX_LEVELS} levels", "a policy file has 5")
    return None


def line_of(node: yaml.Node) -> int:
    """1-based line on which a node begins."""
    return int(node.start_mark.line) + 1


def is_null(node: yaml.Node) -> bool:
    """True for an empty value, ~ or null written plainly."""
    return is_plain(node) and node.value in NULLS


def is_plain(node: yaml.Node) -> bool:
    """True for a single value without quotes; libyaml has no style where the Python loader has None."""
    return isinstance(node, yaml.ScalarNode) and not node.style


@dataclass
class Reader:
    """Collects problems; one per file."""

    problems: list[Problem]
    blamed: set[str] = field(default_factory=set)  # paths that have a problem already

    def fault(self, node: yaml.Node, path: str, message: str, cure: str = "") -> None:
        """Report a problem on the node's line."""
        self.report(Problem(line_of(node), path, message, cure))

    def report(self, problem: Problem) -> None:
        """Add a problem."""
        self.problems.append(problem)
        self.blamed.add(problem.path)

    def items(self, node: yaml.Node, path: str) -> Iterator[tuple[str, yaml.Node]]:
        """(path, node) of a list's items; an empty value is an empty list."""
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                yield f"{path}[{index}]", item
        elif not is_null(node):
            self.fault(node, path, "a list is expected", "write [a, b] or one item a line, each after a dash")

    def fields(self, node: yaml.Node, path: str) -> "Fields | None":
        """The fields of a mapping; None and a problem when it is something else."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, path, "fields are expected", "write {name: value} or one field a line")
            return None
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.fault(key, path, "a field name is expected")
            elif key.value in found:
                self.fault(key, _join(path, key.value), "this field is written twice", "keep one")
            else:
                found[key.value] = value
        return Fields(self, node, path, found)


class Fields:
    """One mapping's fields. Each reader takes its field; `done` reports what nobody took."""

    def __init__(self, reader: Reader, node: yaml.Node, path: str, found: dict[str, yaml.Node]) -> None:
        self.reader = reader
        self.node = node
        self.path = path
        self.found = found
        self.taken: dict[str, None] = {}

    def at(self, name: str) -> str:
        """The path of one field."""
        return _join(self.path, name)

    def place(self, name: str) -> yaml.Node:
        """The node to blame for a field: its value, or the whole mapping when it is missing."""
        return self.found.get(name, self.node)

    def fault(self, name: str, message: str, cure: str = "") -> None:
        """Report a problem on one field's line."""
        self.reader.fault(self.place(name), self.at(name), message, cure)

    def take(self, name: str, *, required: bool = False) -> yaml.Node | None:
        """The field's node, None when it is absent or null."""
        self.taken[name] = None
        node = self.found.get(name)
        if node is None or is_null(node):
            if required:
                self.fault(name, "this field is missing" if node is None else "this field is empty")
            return None
        return node

    def done(self) -> None:
        """Report every field that has no meaning here."""
        for name, node in self.found.items():
            if name not in self.taken:
                close = difflib.get_close_matches(name, list(self.taken), n=1)
                cure = f"did you mean {close[0]}?" if close else f"known are {', '.join(self.taken)}"
                self.reader.fault(node, self.at(name), "unknown field", cure)

    def _scalar(self, name: str, *, required: bool) -> str | None:
        node = self.take(name, required=required)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode):
            self.fault(name, "one value is expected")
            return None
        return str(node.value)

    def text(self, name: str, default: str = "", *, required: bool = False, longest: int = 200) -> str:
        """A text as written, without outer spaces."""
        written = self._scalar(name, required=required)
        if written is None:
            return default
        if len(written) > longest:
            self.fault(name, f"{len(written)} characters", f"at most {longest}")
        if "\0" in written:
            self.fault(name, "contains a NUL character", "take it away")
        return written.strip()

    def code(self, name: str = "code", *, longest: int = 40, dots: bool = True) -> str:
        """A stable code, always required: letters, digits, - and _, and dots where they are allowed."""
        written = self.text(name, required=True, longest=longest)
        if written and not (_CODE if dots else _SLUG).fullmatch(written):
            cure = f"letters, digits, - {'_ and .' if dots else 'and _'}"
            self.fault(name, f"{written!r} is not a code", cure)
        return written

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str | None:
        """One of a few words."""
        written = self._scalar(name, required=False)
        if written is None:
            return default
        if written not in allowed:
            self.fault(name, f"{written!r} is not known", f"one of {', '.join(allowed)}")
            return default
        return written

    def whole(self, name: str, default: int = 0, *, least: int, most: int, required: bool = False) -> int:
        """A whole number within limits."""
        written = self._scalar(name, required=required)
        if written is None:
            return default
        if not _INTEGER.fullmatch(written) or not least <= int(written) <= most:
            self.fault(name, f"{written!r} does not fit", f"a whole number from {least} to {most}")
            return default
        return int(written)

    def optional_whole(self, name: str, *, least: int, most: int) -> int | None:
        """As `whole`, None when the field is absent."""
        if name not in self.found or is_null(self.found[name]):
            self.take(name)
            return None
        return self.whole(name, least, least=least, most=most)

    def number(self, name: str, *, least: float, most: float) -> float | None:
        """A plain decimal number within limits, None when absent."""
        written = self._scalar(name, required=False)
        if written is None:
            return None
        if not _NUMBER.fullmatch(written) or not least <= float(written) <= most:
            self.fault(name, f"{written!r} does not fit", f"a number from {least:g} to {most:g}")
            return None
        return float(written)

    def duration(self, name: str, default: timedelta, *, required: bool = False) -> timedelta:
        """30d, 12h or 15m."""
        written = self._scalar(name, required=required)
        if written is None:
            return default
        try:
            return parse_duration(written)
        except ValueError:
            self.fault(name, f"{written!r} is not a duration", "such as 30d, 12h or 15m")
            return default

    def moment(self, name: str) -> datetime | None:
        """A date (midnight UTC) or ISO 8601 date and time (UTC when it names no zone), None when absent."""
        written = self._scalar(name, required=False)
        if written is None:
            return None
        try:
            if len(written) == len("2010-01-01"):
                return datetime.combine(date.fromisoformat(written), time(), UTC)
            moment = datetime.fromisoformat(written)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fault(name, f"{written!r} is not a date", "such as 2010-01-01 or 2010-01-01T06:00:00Z")
            return None

    def texts(
        self, name: str, default: tuple[str, ...] = (), *, required: bool = False, longest: int = 200
    ) -> tuple[str, ...]:
        """A list of texts without repeats, in order."""
        node = self.take(name, required=required)
        if node is None:
            return default
        written: dict[str, None] = {}
        for path, item in self.reader.items(node, self.at(name)):
            if not isinstance(item, yaml.ScalarNode) or is_null(item) or not item.value.strip():
                self.reader.fault(item, path, "a text is expected")
            elif len(item.value) > longest or "\0" in item.value:
                self.reader.fault(item, path, f"at most {longest} characters, none of them NUL")
            else:
                written[item.value.strip()] = None
        return tuple(written)

    def inner(self, name: str, *, required: bool = False) -> "Fields | None":
        """A mapping inside this one."""
        node = self.take(name, required=required)
        return None if node is None else self.reader.fields(node, self.at(name))

    def listed(self, name: str) -> Iterator["Fields"]:
        """Mappings in a list."""
        node = self.take(name)
        if node is not None:
            for path, item in self.reader.items(node, self.at(name)):
                fields = self.reader.fields(item, path)
                if fields is not None:
                    yield fields


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
