"""A rule as text: one entry of a policy file, written and read back. Reading what was written yields an equal RuleSpec.

Texts lose their outer spaces when they are read, lists their repetitions; nothing else changes.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import yaml

from governance.engine import MeasureSpec, RuleSpec, format_duration
from governance.rules.policy import PolicyError
from governance.rules.policy_rules import EVERYWHERE, read_rule
from governance.rules.yaml_fields import Problem, Reader, compose
from governance.rules.yaml_text import block, listed, scalar

LONGEST_CODE = 60


def spec_to_yaml(spec: RuleSpec) -> str:
    """The rule's entry without the dash before it; fields that hold their default are left out."""
    return "\n".join(_lines(spec)) + "\n"


def policy_to_yaml(specs: Iterable[RuleSpec]) -> str:
    """The rules section of a policy file."""
    entries = [
        "".join(
            f"{'  - ' if first else '    '}{line}\n" if line else "\n"
            for first, line in _numbered(spec_to_yaml(spec)[:-1].split("\n"))
        )
        for spec in specs
    ]
    return "rules:\n" + "\n".join(entries) if entries else "rules: []\n"


def spec_from_yaml(
    text: str, *, known_kinds: Collection[str] | None = None, checked: bool = True
) -> RuleSpec:
    """Read one rule's entry; PolicyError with all problems and their lines.

    Risk, ladder and markets are taken as written. Without `checked`, only the form is read: what the rule language finds
    wrong is the caller's to ask (check_rule), so that a draft may be written before it is right.
    """
    node, problems = compose(text)
    if node is None or problems:
        raise PolicyError(
            problems or [Problem(1, "", "there is no rule here", "write code: and the other fields")]
        )
    if isinstance(node, yaml.SequenceNode) and len(node.value) == 1:
        node = node.value[0]  # with its dash, as copied from a file
    reader = Reader(problems)
    fields = reader.fields(node, "")
    if fields is None:
        raise PolicyError(problems)
    code = fields.code(longest=LONGEST_CODE)
    spec = read_rule(fields, code, None, known_kinds, checked=checked)
    if problems:
        raise PolicyError(problems)
    return spec


def _numbered(lines: list[str]) -> Iterator[tuple[bool, str]]:
    return ((index == 0, line) for index, line in enumerate(lines))


def _lines(spec: RuleSpec) -> Iterator[str]:
    yield f"code: {scalar(spec.code)}"
    if spec.name != spec.code:
        yield f"name: {scalar(spec.name)}"
    if spec.description:
        yield f"description: {block(spec.description, '  ')}"
    yield f"risk: {scalar(spec.risk)}"
    severity = f", severity: {scalar(spec.severity, flow=True)}"
    yield f"violation: {{code: {scalar(spec.violation_code, flow=True)}{severity}}}"
    yield f"on: {listed(spec.on)}"
    if spec.measures:
        yield "measures:"
        yield from (f"  - {{{', '.join(_measure(measure))}}}" for measure in spec.measures)
    yield f"when: {block(spec.when, '  ')}"
    yield from _limits(spec)
    yield from _wording(spec.text)


def _limits(spec: RuleSpec) -> Iterator[str]:
    """Where, when and how far the rule reaches."""
    if spec.cooldown != timedelta(0):
        yield f"cooldown: {format_duration(spec.cooldown)}"
    if spec.effective_from is not None:
        yield f"effective_from: {_moment(spec.effective_from)}"
    if spec.expires_at is not None:
        yield f"expires: {_moment(spec.expires_at)}"
    if spec.review != "human":
        yield f"review: {spec.review}"
    if spec.cap is not None:
        yield f"cap: {spec.cap}"
    yield f"ladder: {scalar(spec.ladder)}"
    if spec.markets != (EVERYWHERE,):
        yield f"markets: {listed(spec.markets)}"
    if spec.charge is not None:
        yield f"charge: {spec.charge}"
    if spec.share is not None:
        yield f"share: {Decimal(repr(spec.share)):f}"
    if spec.notice_days is not None:
        yield f"notice_days: {spec.notice_days}"
    if spec.second_person:
        yield f"second_person: {listed(spec.second_person)}"


def _measure(measure: MeasureSpec) -> Iterator[str]:
    yield f"name: {scalar(measure.name, flow=True)}"
    if measure.types:
        yield f"types: {listed(measure.types)}"
    if measure.where is not None:
        yield f"where: {scalar(measure.where, flow=True)}"
    yield f"window: {format_duration(measure.window)}"
    if measure.per != "guild":
        yield f"per: {measure.per}"
    if measure.aggregate != "count":
        yield f"aggregate: {scalar(measure.aggregate, flow=True)}"


def _moment(moment: datetime) -> str:
    universal = moment.astimezone(UTC)
    if universal.timetz() == time(tzinfo=UTC):
        return universal.date().isoformat()
    return universal.isoformat().replace("+00:00", "Z")


def _wording(text: tuple[tuple[str, str], ...]) -> Iterator[str]:
    if not text:
        return
    if [language for language, _ in text] == [EVERYWHERE]:
        yield f"text: {block(text[0][1], '  ')}"
        return
    yield "text:"
    yield from (f"  {scalar(language)}: {block(words, '    ')}" for language, words in text)
