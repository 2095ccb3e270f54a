"""A condition in plain words, for people who read rules without reading CEL."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from governance.engine.builder_source import COMPARISONS

SYMBOLS = {"eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥"}
_HOURS = re.compile(r"([0-9]{1,7})h")


def condition_words(item: Mapping[str, Any]) -> str:
    """A group, test or other part of a builder's tree (governance.engine.builder) on one line: signal.score ≥ 28."""
    kinds = {"group": _group, "test": _test, "ratio": _ratio, "each": _each}
    return kinds[item["kind"]](item) if item["kind"] in kinds else str(item["source"])


def _group(group: Mapping[str, Any]) -> str:
    if group["join"] == "none":
        return _("none of: %(tests)s") % {"tests": "; ".join(map(condition_words, group["items"]))}
    if not group["items"]:
        return _("nothing yet")
    parts = [
        f"({condition_words(item)})" if item["kind"] == "group" and len(group["items"]) > 1 else condition_words(item)
        for item in group["items"]
    ]  # fmt: skip
    return (_(" and ") if group["join"] == "all" else _(" or ")).join(parts)


def _test(test: Mapping[str, Any]) -> str:
    operation, field = test["op"], _subject(test)
    if operation in COMPARISONS:
        if test["type"] == "bool":
            return _truth(operation, field, test["value"])
        return f"{field} {SYMBOLS[operation]} {_value(test)}"
    sentence = {
        "in": _("%(field)s is one of %(value)s"),
        "not_in": _("%(field)s is none of %(value)s"),
        "includes": _("%(field)s includes %(value)s"),
        "contains": _("%(field)s contains %(value)s"),
        "starts_with": _("%(field)s starts with %(value)s"),
        "ends_with": _("%(field)s ends with %(value)s"),
        "matches": _("%(field)s matches %(value)s"),
        "is_true": _("%(field)s holds"),
        "is_false": _("%(field)s does not hold"),
        "is_null": _("%(field)s is null"),
        "is_not_null": _("%(field)s is not null"),
        "is_present": _("%(field)s is there"),
        "is_missing": _("%(field)s is not there"),
    }[operation]
    return sentence % {"field": field, "value": _value(test)}


def _truth(operation: str, field: str, value: bool) -> str:
    symbols = {"eq": _("is"), "ne": _("is not")}
    return f"{field} {symbols.get(operation, SYMBOLS[operation])} {_('true') if value else _('false')}"


def _subject(test: Mapping[str, Any]) -> str:
    field = str(test["field"])
    forms = {
        "length": _("the size of %(field)s"),
        "hour": _("the local hour of %(field)s"),
        "weekday": _("the local day of the week of %(field)s"),
    }
    return forms[test["as"]] % {"field": field} if test["as"] in forms else field


def _value(test: Mapping[str, Any]) -> str:
    value = test["value"]
    if test["type"] == "ago":
        hours = _HOURS.fullmatch(value)
        days = hours is not None and int(hours[1]) % 24 == 0
        return _("%(length)s before the signal") % {
            "length": f"{int(hours[1]) // 24}d" if hours and days else value
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_constant(test["type"], one) for one in value) or _("nothing")
    return _constant(test["type"], value)


def _constant(kind: str | None, value: Any) -> str:
    if kind == "text":
        return _("“%(text)s”") % {"text": value}
    if isinstance(value, bool):
        return _("true") if value else _("false")
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _ratio(ratio: Mapping[str, Any]) -> str:
    words = (
        _("%(field)s / %(over)s %(symbol)s %(value)s")
        if ratio["scale"] is None
        else _("%(field)s per %(scale)s %(over)s %(symbol)s %(value)s")
    )
    return words % {
        "field": ratio["field"],
        "over": ratio["over"],
        "scale": _constant(None, ratio["scale"]),
        "symbol": SYMBOLS[ratio["op"]],
        "value": _constant(None, ratio["value"]),
    }


def _each(each: Mapping[str, Any]) -> str:
    sentence = {
        "some": _("for some %(name)s in %(field)s: %(condition)s"),
        "every": _("for every %(name)s in %(field)s: %(condition)s"),
        "one": _("for exactly one %(name)s in %(field)s: %(condition)s"),
    }[each["quantifier"]]
    return sentence % {
        "name": each["name"],
        "field": each["field"],
        "condition": condition_words(each["condition"]),
    }
