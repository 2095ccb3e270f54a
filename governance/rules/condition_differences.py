"""What changed in a condition, told part by part of its groups."""

import json
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from governance.engine import RuleError
from governance.engine.builder import from_builder, to_builder
from governance.rules.condition_words import condition_words

Item = dict[str, Any]
_SHOWN = 400  # characters of one condition


def condition_differences(old: str, new: str) -> list[str]:
    """Sentences on what differs between two CEL sources; empty when they are the same text."""
    if old == new:
        return []
    try:
        before, after = to_builder(old), to_builder(new)
    except RuleError:
        return [replaced(_shown(old), _shown(new))]
    if _exact(before) == _exact(after):
        return [_("The condition says the same, written differently.")]
    return list(_group(before, after, ""))


def replaced(old: str, new: str) -> str:
    """The sentence for one condition that gave way to another."""
    return _("The condition “%(old)s” was replaced by “%(new)s”") % {"old": old, "new": new}


def _group(old: Item, new: Item, within: str) -> Iterator[str]:
    """Two groups. A group of one is joined by anything, so it takes the other's word."""
    old, new = _alike(old, new), _alike(new, old)
    if not old["items"] or not new["items"] or not (old["join"] == new["join"] or _shared(old, new)):
        yield within + _replaced(old, new)
        return
    if old["join"] != new["join"]:
        yield within + _("Conditions were joined by “%(old)s”, now by “%(new)s”") % {
            "old": _joint(old["join"]),
            "new": _joint(new["join"]),
        }
    gone, come = _unmatched(old["items"], new["items"]), _unmatched(new["items"], old["items"])
    if not gone and not come and old["join"] == new["join"]:
        yield within + _("The order of the conditions was changed")
    alone = len(gone) == len(come) == 1
    for before in gone:
        after = come[0] if alone else _partner(before, come)
        if after is None:
            yield within + _removed(new["join"]) % {"condition": _words(before)}
            continue
        come.remove(after)
        if before["kind"] == after["kind"] == "group":
            yield from _group(before, after, _("Within “%(group)s”: ") % {"group": _words(before)})
        else:
            yield within + _replaced(before, after)
    for after in come:
        yield within + _added(new["join"]) % {"condition": _words(after)}


def _alike(group: Item, other: Item) -> Item:
    single = len(group["items"]) == 1 and group["join"] != "none" and other["join"] != "none"
    return {**group, "join": other["join"]} if single else group


def _shared(old: Item, new: Item) -> bool:
    return len(_unmatched(old["items"], new["items"])) < len(old["items"])


def _unmatched(items: list[Item], others: list[Item]) -> list[Item]:
    """The items without an equal among the others, each other standing for one."""
    left = [_exact(other) for other in others]
    found: list[Item] = []
    for item in items:
        if _exact(item) in left:
            left.remove(_exact(item))
        else:
            found.append(item)
    return found


def _partner(item: Item, others: list[Item]) -> Item | None:
    """The part that took its place: about the same field, or a group that shares something with it."""
    best = max(others, key=lambda other: _likeness(item, other), default=None)
    return None if best is None or not _likeness(item, best) else best


def _likeness(item: Item, other: Item) -> int:
    if item["kind"] == other["kind"] == "group":
        return 3 * int(item["join"] == other["join"]) + 2 * int(_shared(item, other))
    if "group" in (item["kind"], other["kind"]):
        group, single = (item, other) if item["kind"] == "group" else (other, item)
        return 2 * any(_exact(part) == _exact(single) for part in group["items"])
    if "field" not in item or item.get("field") != other.get("field"):
        return 0
    return 4 + 2 * int(item["kind"] == other["kind"]) + int(item.get("op") == other.get("op"))


def _exact(item: Item) -> str:
    return json.dumps(item, sort_keys=True)


def _words(item: Item) -> str:
    return _shown(condition_words(item))


def _replaced(old: Item, new: Item) -> str:
    if condition_words(old) == condition_words(new):  # such as 2 and 2.0: only their sources differ
        return replaced(_shown(_source(old)), _shown(_source(new)))
    return replaced(_words(old), _words(new))


def _source(item: Item) -> str:
    return from_builder({"kind": "group", "join": "all", "items": [item]})


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _joint(join: str) -> str:
    return {"all": _("all of"), "any": _("any of"), "none": _("none of")}[join]


def _added(join: str) -> str:
    return {
        "all": _("The condition “%(condition)s” was added"),
        "any": _("The alternative “%(condition)s” was added"),
        "none": _("The exclusion “%(condition)s” was added"),
    }[join]


def _removed(join: str) -> str:
    return {
        "all": _("The condition “%(condition)s” was removed"),
        "any": _("The alternative “%(condition)s” was removed"),
        "none": _("The exclusion “%(condition)s” was removed"),
    }[join]
