"""What a new wording of a rule changes, in plain words, for those who approve and launch it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from governance.engine import MeasureSpec, RuleSpec, format_duration
from governance.rules.condition_differences import condition_differences

EVERYWHERE = "*"
_SHOWN = 200  # characters of one text


def differences(
    old: RuleSpec,
    new: RuleSpec,
    *,
    old_ladder: Mapping[str, Any] | None = None,
    new_ladder: Mapping[str, Any] | None = None,
) -> list[str]:
    """One sentence for each thing that differs, in the order of the fields; empty exactly when nothing does.

    Ladders are in the policy file's form, as versions keep them; they are compared when both are given.
    """
    found = [*_names(old, new), *_measures(old, new)]
    found += condition_differences(old.when, new.when)
    found += [*_limits(old, new), *_wording(old, new)]
    if old_ladder is not None and new_ladder is not None:
        found += _ladder(old_ladder, new_ladder)
    return found


def _changed(label: str, old: Any, new: Any) -> Iterator[str]:
    if old != new:
        yield _("%(field)s: %(old)s → %(new)s") % {"field": label, "old": _shown(old), "new": _shown(new)}


def _shown(value: Any) -> str:
    if value is None or value == "":
        return _("none")
    if isinstance(value, datetime):
        universal = value.astimezone(UTC)
        midnight = (universal.hour, universal.minute, universal.second, universal.microsecond) == (0, 0, 0, 0)
        return universal.date().isoformat() if midnight else universal.isoformat(sep=" ")
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _listed(
    old: Sequence[str], new: Sequence[str], added: str, removed: str, reordered: str
) -> Iterator[str]:
    """Sentences with %(items)s on two lists; order counts only when nothing else does."""
    come = [item for item in new if item not in old]
    gone = [item for item in old if item not in new]
    if come:
        yield added % {"items": ", ".join(come)}
    if gone:
        yield removed % {"items": ", ".join(gone)}
    if not come and not gone and list(old) != list(new):
        yield reordered


def _names(old: RuleSpec, new: RuleSpec) -> Iterator[str]:
    yield from _changed(_("Code"), old.code, new.code)
    yield from _changed(_("Name"), old.name, new.name)
    yield from _changed(_("Description"), old.description, new.description)
    yield from _changed(_("Risk"), old.risk, new.risk)
    yield from _changed(_("Violation"), old.violation_code, new.violation_code)
    yield from _changed(_("Severity"), old.severity, new.severity)
    yield from _listed(
        old.on,
        new.on,
        _("Signal types added: %(items)s"),
        _("Signal types removed: %(items)s"),
        _("The order of the signal types was changed"),
    )


# -- measures
def _measures(old: RuleSpec, new: RuleSpec) -> Iterator[str]:
    before = {measure.name: measure for measure in old.measures}
    after = {measure.name: measure for measure in new.measures}
    come = [measure for name, measure in after.items() if name not in before]
    for name, measure in before.items():
        if name in after:
            yield from _measure(measure, after[name])
            continue
        renamed = next((one for one in come if _content(one) == _content(measure)), None)
        if renamed is None:
            yield _("Measure %(name)s removed") % {"name": name}
        else:
            come.remove(renamed)
            yield _("Measure %(old)s is now called %(new)s") % {"old": name, "new": renamed.name}
    for measure in come:
        yield _("Measure %(name)s added: %(what)s") % {"name": measure.name, "what": measure_words(measure)}
    if set(before) == set(after) and list(before) != list(after):
        yield _("The order of the measures was changed")


def _content(measure: MeasureSpec) -> tuple[Any, ...]:
    return (measure.types, measure.where, measure.window, measure.per, measure.aggregate)


def _measure(old: MeasureSpec, new: MeasureSpec) -> Iterator[str]:
    pairs = (
        (_("window"), format_duration(old.window), format_duration(new.window)),
        (_("aggregate"), old.aggregate, new.aggregate),
        (_("per"), old.per, new.per),
        (_("signal types"), ", ".join(old.types) or _("those of the rule"), ", ".join(new.types) or _("those of the rule")),
        (_("condition"), old.where or _("every signal"), new.where or _("every signal")),
    )  # fmt: skip
    for label, before, after in pairs:
        if before != after:
            yield _("Measure %(name)s: %(property)s %(old)s → %(new)s") % {
                "name": new.name,
                "property": label,
                "old": _shown(before),
                "new": _shown(after),
            }


def measure_words(measure: MeasureSpec) -> str:
    """count of inspection.citation where signal.critical == true, per guild in 30d"""
    words = _("%(aggregate)s of %(types)s") % {
        "aggregate": measure.aggregate,
        "types": ", ".join(measure.types) or _("the rule's signals"),
    }
    if measure.where:
        words += _(" where %(condition)s") % {"condition": measure.where}
    return words + _(", per %(subject)s in %(window)s") % {
        "subject": measure.per,
        "window": format_duration(measure.window),
    }


# -- where, when and how far
def _limits(old: RuleSpec, new: RuleSpec) -> Iterator[str]:
    reviews = {"auto": _("automatic"), "human": _("one reviewer"), "dual": _("two reviewers")}
    yield from _changed(_("Cooldown"), format_duration(old.cooldown), format_duration(new.cooldown))
    yield from _changed(_("Effective from"), old.effective_from, new.effective_from)
    yield from _changed(_("Expires"), old.expires_at, new.expires_at)
    yield from _changed(_("Review"), reviews.get(old.review, old.review), reviews.get(new.review, new.review))
    yield from _changed(_("Cap per market and hour"), old.cap, new.cap)
    yield from _changed(_("Ladder"), old.ladder, new.ladder)
    yield from _markets(old.markets, new.markets)
    charges = {"own": _("the guild's own act"), "share": _("a share for a managed creator"), None: None}
    yield from _changed(_("Charged as"), charges.get(old.charge), charges.get(new.charge))
    yield from _changed(_("Share of the points"), old.share, new.share)
    yield from _changed(_("Days of notice"), old.notice_days, new.notice_days)
    yield from _listed(
        old.second_person,
        new.second_person,
        _("A second person is now needed for: %(items)s"),
        _("No second person is needed any more for: %(items)s"),
        _("The order of the penalties that need a second person was changed"),
    )


def _markets(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    if (EVERYWHERE in old) != (EVERYWHERE in new):
        yield from _changed(
            _("Markets"), *(_("all") if EVERYWHERE in one else ", ".join(one) for one in (old, new))
        )
        return
    yield from _listed(
        old,
        new,
        _("Markets added: %(items)s"),
        _("Markets removed: %(items)s"),
        _("The order of the markets was changed"),
    )


def _wording(old: RuleSpec, new: RuleSpec) -> Iterator[str]:
    before, after = dict(old.text), dict(new.text)
    for language in sorted(before.keys() | after.keys()):
        place = _("every language") if language == EVERYWHERE else language
        if language not in before:
            yield _("Policy text added (%(language)s): “%(text)s”") % {
                "language": place,
                "text": _shown(after[language]),
            }
        elif language not in after:
            yield _("Policy text removed (%(language)s)") % {"language": place}
        elif before[language] != after[language]:
            yield _("Policy text changed (%(language)s): “%(old)s” → “%(new)s”") % {
                "language": place,
                "old": _shown(before[language]),
                "new": _shown(after[language]),
            }


# -- what it costs
def _ladder(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    yield from _changed(_("Ladder's name"), old.get("name"), new.get("name"))
    yield from _costs(_("Ladder"), old, new)
    lines = {True: _("a red line: the last step every time"), False: _("step by step")}
    yield from _changed(_("Ladder"), *(lines[bool(one.get("red_line"))] for one in (old, new)))
    before, after = old.get("by_market") or {}, new.get("by_market") or {}
    for market in sorted(before.keys() | after.keys()):
        label = _("Ladder in %(market)s") % {"market": market}
        yield from _costs(
            label, before.get(market) or {}, after.get(market) or {}, everywhere=_("as everywhere")
        )


def _costs(
    ladder: str, old: Mapping[str, Any], new: Mapping[str, Any], *, everywhere: str | None = None
) -> Iterator[str]:
    """What differs in window, points, decay and steps. `everywhere` stands for what a market leaves to the rest."""
    labels = {
        "window": _("%(ladder)s: violations are counted over"),
        "points": _("%(ladder)s: points"),
        "decay": _("%(ladder)s: points leave after"),
    }
    for name, label in labels.items():
        yield from _changed(label % {"ladder": ladder}, *(one.get(name, everywhere) for one in (old, new)))
    before, after = old.get("steps") or [], new.get("steps") or []
    if everywhere and bool(before) != bool(after):
        listed = (("; ".join(map(_rung, steps)) if steps else everywhere) for steps in (before, after))
        yield from _changed(_("%(ladder)s: steps") % {"ladder": ladder}, *listed)
        return
    for index in range(max(len(before), len(after))):
        yield from _changed(
            _("%(ladder)s, step %(number)d") % {"ladder": ladder, "number": index + 1},
            *(_rung(steps[index]) if index < len(steps) else None for steps in (before, after)),
        )


def _rung(rung: Sequence[Mapping[str, Any]]) -> str:
    return " + ".join(map(_penalty, rung)) or _("nothing")


def _penalty(penalty: Mapping[str, Any]) -> str:
    options = ", ".join(_option(name, value) for name, value in penalty.items() if name != "kind")
    return f"{penalty['kind']} ({options})" if options else str(penalty["kind"])


def _option(name: str, value: Any) -> str:
    return f"{name} {' and '.join(map(str, value)) if isinstance(value, list) else value}"
