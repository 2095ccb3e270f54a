"""Alarms: rules that fire far outside their own history, until somebody has looked into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.violations.alarm_readings import Watched
from governance.violations.alarms import MAY_CLOSE, alarm_close
from governance.violations.enums import AlarmState, AlarmStatus
from governance.violations.models import Alarm, Violation
from governance.violations.selectors import alarms_visible_to
from guilds.accounts.actor import Actor
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column
from guilds.console.page import Badge, Fact, Link, Prose, Section, Table, Variant, link_to, list_url, shown

STATE_VARIANTS: dict[str, Variant] = {
    AlarmState.RAISED: "danger",
    AlarmState.QUIET: "success",
    AlarmState.INSUFFICIENT: "default",
}


def alarm_badge(alarm: Alarm) -> Badge:
    return Badge(alarm.get_status_display(), "danger" if alarm.status == AlarmStatus.OPEN else "default")


def watched_table(found: Sequence[Watched]) -> Table:
    """How a rule stands in each market, for its page."""
    rows = [
        [
            one.market.code,
            Badge(one.state.label, STATE_VARIANTS[one.state]),
            one.reading.observed,
            f"{one.reading.expected:.1f}" if one.reading.baseline_days else None,
            one.reading.baseline_days,
            [link_to(alarm, alarm.get_kind_display()) for alarm in one.alarms],
        ]
        for one in found
    ]
    headers = [
        _("Market"),
        _("State"),
        _("Last 24 hours"),
        _("A day before that"),
        _("Days of history"),
        _("Alarms"),
    ]
    return Table(headers, rows, empty=_("It is live nowhere, so there is nothing to watch."))


@admin.register(Alarm)
class AlarmAdmin(ConsoleAdmin[Alarm]):
    intro = _(
        "Each hour every rule is held against its own four weeks before, market by market, by an exact test. What lies far"
        " outside is raised here and stays until somebody has looked into it."
    )
    list_display = (
        "rule",
        "market",
        "kind",
        "status_shown",
        "observed",
        "expected_shown",
        moment_column("raised_at", _("raised")),
    )
    list_select_related = ("rule", "market")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("rule", RelatedDropdownFilter),
    )
    search_fields = ("rule__code",)
    search_help_text = _("Code of the rule or of the market, or the beginning of the alarm's id")
    object_related = ("rule__risk", "market", "closed_by")
    ordering = ("-id",)
    actions_detail = ("close",)
    bulk_acts = ("close",)

    def visible(self, actor: Actor) -> QuerySet[Alarm]:
        return alarms_visible_to(actor)

    def matching(self, term: str) -> Q:
        return Q(rule__code__istartswith=term) | Q(market__code__iexact=term) | by_public_id(term)

    @display(description=_("status"), ordering="status")
    def status_shown(self, alarm: Alarm) -> str:
        return shown(alarm_badge(alarm))

    @display(description=_("expected"), ordering="expected")
    def expected_shown(self, alarm: Alarm) -> str:
        return f"{alarm.expected:.1f}"

    def headline(self, alarm: Alarm) -> str:
        return now_("%(rule)s in %(market)s: %(observed)s in a day, %(expected)s expected") % {
            "rule": alarm.rule.code,
            "market": alarm.market.code,
            "observed": alarm.observed,
            "expected": f"{alarm.expected:.1f}",
        }

    def badge(self, alarm: Alarm) -> Badge:
        return alarm_badge(alarm)

    def facts(self, alarm: Alarm, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Rule"), link_to(alarm.rule)),
            Fact(_("Market"), f"{alarm.market.name} ({alarm.market.code})"),
            Fact(_("What"), alarm.get_kind_display()),
            Fact(_("Violations found"), alarm.observed),
            Fact(_("Expected"), f"{alarm.expected:.1f}"),
            Fact(_("Between"), [alarm.window_start, alarm.window_end]),
            Fact(_("Days before that it is held against"), alarm.baseline_days),
            Fact(_("Chance of as much or more, had nothing changed"), f"{alarm.p_value:.2g}"),
            Fact(_("Raised"), alarm.raised_at),
            Fact(_("Closed"), alarm.closed_at),
            Fact(_("Closed by"), alarm.closed_by),
            Fact(
                _("Look at"), Link(_("Violations of the rule"), list_url(Violation, f"q={alarm.rule.code}"))
            ),
        )

    def sections(self, alarm: Alarm, request: HttpRequest) -> Sequence[Section]:
        if not alarm.resolution:
            return ()
        return (Section(_("What it was"), Prose(alarm.resolution)),)

    @act(
        label=_("Close"),
        question=_(
            "What was it? An attack, a detector gone wrong, a change of the rule? The next one looks here first."
        ),
        done=_("The alarm is closed."),
        roles=MAY_CLOSE,
        when=lambda alarm: alarm.status == AlarmStatus.OPEN,
        icon="check",
        variant=ActionVariant.PRIMARY,
    )
    def close(self, actor: Actor, alarm: Alarm, values: Mapping[str, Any]) -> Answer:
        alarm_close(actor=actor, alarm_id=alarm.pk, reason=values["reason"])
        return None
