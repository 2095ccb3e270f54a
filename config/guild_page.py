"""The guild's page: everything about a guild, from what it is to what it appealed against, in parts.

Composed here, because appeals stand above guilds and only the root may see both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Count, F, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from appeals.models import Appeal
from config.charts import line_chart
from governance.models import (
    BandCrossing,
    Event,
    Notice,
    Penalty,
    PointEntry,
    Restriction,
    Signal,
    Standing,
    Violation,
)
from governance.penalties.admin import status_badge as penalty_badge
from governance.penalties.kinds import KINDS
from governance.penalties.selectors import standing_history
from governance.violations.admin import status_badge as violation_badge
from guilds.accounts.actor import Actor
from guilds.console.lists import in_markets
from guilds.console.page import (
    Badge,
    Fact,
    Link,
    Section,
    Tab,
    Table,
    Template,
    link_to,
    list_url,
    severity_badge,
)
from guilds.models import Guild
from guilds.registry.admin import GuildAdmin

#: Rows of each kind on this page; the lists have the rest.
LATEST = 50


class GuildPage(GuildAdmin):
    def tabs(self, guild: Guild) -> Sequence[Tab]:
        return (
            Tab("standing", _("Standing")),
            Tab("signals", _("Signals")),
            Tab("violations", _("Violations")),
            Tab("penalties", _("Penalties")),
            Tab("restrictions", _("Restrictions")),
            Tab("appeals", _("Appeals")),
            Tab("notices", _("Notices")),
            Tab("creators", _("Creators")),
            Tab("activity", _("Activity")),
            Tab("history", _("History")),
        )

    def facts(self, guild: Guild, request: HttpRequest) -> Sequence[Fact]:
        standing = Standing.objects.filter(guild=guild).first()
        score, band = (standing.score, standing.band) if standing else (100, "healthy")
        variant = "success" if score > 80 else "warning" if score > 60 else "danger"
        return (
            Fact(_("Score"), Badge(f"{score}", variant)),  # type: ignore[arg-type]
            Fact(_("Band"), band.replace("_", " ")),
            *super().facts(guild, request),
        )

    def sections(self, guild: Guild, request: HttpRequest) -> Sequence[Section]:
        parts: dict[str, Callable[[Guild, Actor], Sequence[Section]]] = {
            "standing": _standing,
            "signals": _signals,
            "violations": _violations,
            "penalties": _penalties,
            "restrictions": _restrictions,
            "appeals": _appeals,
            "notices": _notices,
            "creators": _creators,
            "activity": _activity,
            "history": _history,
        }
        return parts[self.current_tab(guild, request)](guild, self.actor(request))


def _standing(guild: Guild, actor: Actor) -> Sequence[Section]:
    now = timezone.now()
    history = standing_history(guild.pk)
    points = [
        (guild.onboarded_at or guild.created_at, 100),
        *history,
        (now, history[-1][1] if history else 100),
    ]
    chart = line_chart([(at, score) for at, score in points[-120:]], label=str(_("Score")))
    entries = [
        [
            entry.at,
            Badge(f"{-entry.points:+d}", "danger" if entry.points > 0 else "success"),
            entry.get_reason_display(),
            link_to(entry.violation, entry.violation.code),
            entry.expires_at,
        ]
        for entry in PointEntry.objects.filter(guild=guild)
        .select_related("violation")
        .order_by("-id")[:LATEST]
    ]
    crossings = [
        [
            row.band.name,
            row.score,
            link_to(row.violation, row.violation.code),
            row.entered_at,
            row.left_at or Badge(_("Still"), "warning"),
        ]
        for row in BandCrossing.objects.filter(guild=guild)
        .select_related("band", "violation")
        .order_by("-id")[:LATEST]
    ]
    open_now = _restriction_rows(Restriction.objects.filter(guild=guild, lifted_at__isnull=True))
    return (
        Section(_("Score over time"), Template("admin/console/chart.html", {"chart": chart})),
        Section(
            _("In force now"), Table(RESTRICTION_HEADERS, open_now, empty=_("Nothing restricts this guild."))
        ),
        Section(
            _("Movements of the score"),
            Table(
                [_("When"), _("Score"), _("Why"), _("Violation"), _("Expires")],
                entries,
                empty=_("Never moved: 100."),
            ),
        ),
        Section(
            _("Crossings into a band"),
            Table(
                [_("Band"), _("Score then"), _("By violation"), _("Entered"), _("Left")],
                crossings,
                empty=_("None."),
            ),
        ),
    )


def _signals(guild: Guild, actor: Actor) -> Sequence[Section]:
    since = timezone.now() - dt.timedelta(days=90)
    recent = in_markets(Signal.objects.all(), actor).filter(guild=guild, time__gte=since)
    kinds = recent.values("type").annotate(count=Count("id")).order_by("-count")[:20]
    by_kind = Table(
        [_("Type"), _("Signals")],
        [[row["type"], f"{row['count']:,}"] for row in kinds],
        empty=_("None in 90 days."),
    )
    latest = (
        in_markets(Signal.objects.all(), actor)
        .filter(guild=guild)
        .select_related("creator", "source")
        .order_by("-time", "-id")
    )
    rows = [
        [row.time, link_to(row, row.type), row.creator, row.source.uri, row.event_id]
        for row in latest[:LATEST]
    ]
    more = Link(_("All signals of this guild"), list_url(Signal, f"q={guild.external_id}"))
    headers = [_("When"), _("Type"), _("Creator"), _("Source"), _("Id")]
    return (
        Section(_("By type, last 90 days"), by_kind),
        Section(_("Latest signals"), Table(headers, rows, more=more, empty=_("No signals."))),
    )


def _violations(guild: Guild, actor: Actor) -> Sequence[Section]:
    counts = (
        in_markets(Violation.objects.all(), actor)
        .filter(guild=guild, status="confirmed")
        .values("code")
        .annotate(count=Count("id"))
        .order_by("-count")
    )
    by_code = [[row["code"], f"{row['count']:,}"] for row in counts[:20]]
    latest = (
        in_markets(Violation.objects.all(), actor)
        .filter(guild=guild)
        .select_related("version", "creator", "guild")
        .order_by("-id")
    )
    rows = [
        [
            link_to(row, row.code),
            violation_badge(row),
            severity_badge(row.severity),
            row.version.name,
            row.creator,
            row.occurred_at,
        ]
        for row in latest[:LATEST]
    ]
    more = Link(_("All violations of this guild"), list_url(Violation, f"q={guild.external_id}"))
    headers = [_("Code"), _("Status"), _("Severity"), _("Rule"), _("Creator"), _("Happened")]
    return (
        Section(_("Confirmed, by code"), Table([_("Code"), _("Violations")], by_code, empty=_("None."))),
        Section(_("Latest violations"), Table(headers, rows, more=more, empty=_("None."))),
    )


def _penalties(guild: Guild, actor: Actor) -> Sequence[Section]:
    latest = (
        in_markets(Penalty.objects.all(), actor)
        .filter(guild=guild)
        .select_related("violation", "guild")
        .order_by("-id")
    )
    rows = [
        [
            link_to(row, KINDS[row.kind].describe(row.params)),
            penalty_badge(row),
            link_to(row.violation, row.violation.code),
            row.starts_at,
            row.ends_at,
            row.acknowledged_at,
        ]
        for row in latest[:LATEST]
    ]
    more = Link(_("All penalties of this guild"), list_url(Penalty, f"q={guild.external_id}"))
    headers = [_("Penalty"), _("Status"), _("Violation"), _("Starts"), _("Ends"), _("Acknowledged")]
    return [Section(_("Latest penalties"), Table(headers, rows, more=more, empty=_("None.")))]


RESTRICTION_HEADERS = (_("Restriction"), _("Details"), _("From"), _("Until"), _("Lifted"), _("Penalty"))


def _restriction_rows(rows: QuerySet[Restriction]) -> list[list[Any]]:
    return [
        [
            row.get_kind_display(),
            ", ".join(f"{name}: {value}" for name, value in row.params.items()),
            row.starts_at,
            row.ends_at or _("No end date"),
            row.lifted_at,
            link_to(row.penalty, _("Open")),
        ]
        for row in rows.select_related("penalty").order_by("-id")[:LATEST]
    ]


def _restrictions(guild: Guild, actor: Actor) -> Sequence[Section]:
    rows = _restriction_rows(Restriction.objects.filter(guild=guild))
    return [
        Section(
            _("What it may not do, or owes"),
            Table(RESTRICTION_HEADERS, rows, empty=_("Nothing, and never did.")),
        )
    ]


def _appeals(guild: Guild, actor: Actor) -> Sequence[Section]:
    rows = [
        [
            link_to(row, KINDS[row.penalty.kind].describe(row.penalty.params)),
            row.get_outcome_display() or row.get_status_display(),
            row.get_grounds_display(),
            row.filed_at,
            row.decide_by,
            row.assigned_to,
        ]
        for row in in_markets(Appeal.objects.all(), actor)
        .filter(guild=guild)
        .select_related("penalty", "assigned_to", "guild")
        .order_by("-id")[:LATEST]
    ]
    headers = [_("Against"), _("Status"), _("Grounds"), _("Filed"), _("Decide by"), _("Assigned to")]
    return [Section(_("Latest appeals"), Table(headers, rows, empty=_("None.")))]


def _notices(guild: Guild, actor: Actor) -> Sequence[Section]:
    rows = [
        [link_to(row, row.subject), row.get_kind_display(), row.issued_at, row.read_at, row.appeal_by]
        for row in Notice.objects.filter(guild=guild).order_by("-id")[:LATEST]
    ]
    headers = [_("Subject"), _("Kind"), _("Issued"), _("Read"), _("Appeal until")]
    return [Section(_("Latest notices"), Table(headers, rows, empty=_("None.")))]


def _creators(guild: Guild, actor: Actor) -> Sequence[Section]:
    held = guild.memberships.select_related("creator").order_by(
        F("ends_at").desc(nulls_first=True), "-starts_at"
    )
    rows = [
        [link_to(row.creator), row.starts_at, row.ends_at or Badge(_("Still"), "success")]
        for row in held[:200]
    ]
    people = [
        [seat.user.email, seat.get_role_display(), seat.is_active, seat.user.last_login]
        for seat in guild.users.select_related("user").order_by("id")[:LATEST]
    ]
    return (
        Section(
            _("Creators it holds and held"),
            Table([_("Creator"), _("From"), _("Until")], rows, empty=_("None.")),
        ),
        Section(
            _("People in its portal"),
            Table([_("E-mail"), _("Role"), _("Active"), _("Last sign-in")], people, empty=_("Nobody.")),
        ),
    )


def _activity(guild: Guild, actor: Actor) -> Sequence[Section]:
    days = list(guild.activity.order_by("-date")[:90])
    series = [
        (dt.datetime.combine(day.date, dt.time(), dt.UTC), float(day.live_hours)) for day in reversed(days)
    ]
    rows = [
        [day.date, f"{day.live_hours:,.1f}", f"{day.active_creators:,}", f"{day.gift_revenue:,.2f}"]
        for day in days[:31]
    ]
    headers = [_("Day"), _("Live hours"), _("Active creators"), _("Gift revenue")]
    chart = line_chart(series, label=str(_("Live hours")), stepped=False)
    return (
        Section(
            _("Live hours, last 90 days with activity"),
            Template("admin/console/chart.html", {"chart": chart}),
        ),
        Section(_("Latest days"), Table(headers, rows, empty=_("No activity reported."))),
    )


def _history(guild: Guild, actor: Actor) -> Sequence[Section]:
    events = in_markets(Event.objects.all(), actor).filter(guild=guild).order_by("-id")
    acts = [
        [
            row.at,
            link_to(row, row.act),
            f"{row.object_type} {row.object_id[:8]}",
            row.actor_label,
            row.reason[:160],
        ]
        for row in events[:LATEST]
    ]
    changes = []
    history: QuerySet[Any] = guild.history  # type: ignore[attr-defined]  # made by pghistory
    for row in history.order_by("-pgh_created_at")[:LATEST]:
        wording = ", ".join(
            f"{name}: {getattr(row, name)}" for name in ("name", "status", "tier", "provisional")
        )
        changes.append([row.pgh_created_at, row.pgh_label, wording])
    return (
        Section(
            _("Acts about this guild"),
            Table([_("When"), _("Act"), _("Object"), _("Who"), _("Reason")], acts, empty=_("None.")),
        ),
        Section(
            _("The row as it changed"),
            Table([_("When"), _("Change"), _("Then")], changes, empty=_("Unchanged since it was made.")),
            note=_("Kept by the database itself, whoever writes."),
        ),
    )
