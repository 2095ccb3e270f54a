"""What the desk shows of a case: what is asked, what it rests on, and what the reviewer should know beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from governance.review.admin.words import is_day
from governance.review.models import Case
from governance.rules.enums import VersionStatus
from governance.rules.models import RuleVersion
from governance.signals.models import Signal
from governance.violations.admin import status_badge
from governance.violations.models import Review, Violation
from governance.violations.selectors import evidence_of, violations_visible_to
from guilds.accounts.actor import Actor
from guilds.console.page import Fact, Link, Section, Table, Template, link_to, list_url
from guilds.registry.models import Activity

EVIDENCE_SHOWN = 20
DAY_SHOWN = 60
EARLIER_SHOWN = 6
OWN_REASONS = 2
OWN_REASONS_READ = 30
OWN_CASES_READ = 200
#: A reason longer than this was about one case.
SNIPPET_LENGTH = 140


@dataclass(frozen=True)
class Choice:
    """One thing a reviewer can say, the key that says it, and what it means."""

    value: str
    key: str
    label: str
    says: str
    snippets: Sequence[str] = ()


def choices_for(case: Case, actor: Actor) -> list[Choice]:
    """The same five for every case about a violation, so that nobody can tell what a case is for."""
    own = _own_reasons(case, actor)
    if is_day(case):
        first = (
            Choice(
                "confirm",
                "c",
                _("Something was missed"),
                _("You saw a violation that no rule reported. Nothing follows for the guild; it is counted."),
            ),
            Choice(
                "dismiss",
                "d",
                _("Nothing was missed"),
                _("The day is clean as far as it can be seen."),
                [_("Nothing unusual in the signals of the day."), _("Little activity, all of it ordinary.")],
            ),
        )
    else:
        first = (
            Choice(
                "confirm",
                "c",
                _("Confirm"),
                _(
                    "It happened, and the rule forbids it. Where your verdict decides, its consequences follow at once and it"
                    " cannot be taken back."
                ),
                [
                    *own["confirm"],
                    _("The evidence shows it clearly."),
                    _("The figures are far beyond the rule's threshold."),
                    _("Same conduct as in an earlier case of this guild."),
                ],
            ),
            Choice(
                "dismiss",
                "d",
                _("Dismiss"),
                _("It did not happen, or the rule does not forbid it. Nothing follows for the guild."),
                [
                    *own["dismiss"],
                    _("The evidence does not show it."),
                    _("It happened, but the rule allows it."),
                    _("A technical fault of the detector."),
                    _("It was somebody else's doing."),
                ],
            ),
        )
    return [
        *first,
        Choice(
            "unclear",
            "u",
            _("Cannot be told"),
            _("The evidence does not suffice either way. Say what is missing."),
            [_("The recording is gone."), _("The evidence contradicts itself.")],
        ),
        Choice(
            "escalate",
            "x",
            _("Escalate"),
            _("Somebody with more experience should decide. It goes to the front of their queue."),
            [
                _("The rule is unclear here."),
                _("Possible press or legal interest."),
                _("A pattern across several guilds."),
            ],
        ),
        Choice(
            "hold",
            "h",
            _("Hold"),
            _("It comes back by itself; its clock stands still meanwhile."),
            [_("Waits for further evidence."), _("Waits for an answer from another team.")],
        ),
    ]


def _own_reasons(case: Case, actor: Actor) -> dict[str, list[str]]:
    """The reasons the reviewer gave last on this rule, each once. Nobody else's: they would tell how others judge."""
    found: dict[str, list[str]] = {"confirm": [], "dismiss": []}
    if case.rule_id is None or actor.user_id is None:
        return found
    # Among their latest cases only: going through years of verdicts would cost more than the rest of the page.
    lately = (
        Case.objects.filter(done_by=actor.user_id).order_by("-done_at").values("violation")[:OWN_CASES_READ]
    )
    given = Review.objects.filter(
        reviewer_id=actor.user_id, violation__in=lately, violation__rule_id=case.rule_id
    )
    for verdict, reason in given.order_by("-id").values_list("verdict", "reason")[:OWN_REASONS_READ]:
        known = found[verdict]
        if len(known) < OWN_REASONS and len(reason) <= SNIPPET_LENGTH and reason not in known:
            known.append(reason)
    return found


# --- what is asked ----------------------------------------------------------------------------------------------------
def question(case: Case) -> tuple[str, str]:
    """(the question, how to answer it)."""
    if case.violation is None:
        return (
            _("Did this guild break a rule on %(day)s?") % {"day": f"{case.day:%d %b %Y}"},
            _(
                "No rule reported anything on this day. Look at its signals and activity, and say whether one should have."
                " The answer tells how much is missed; nothing follows for the guild."
            ),
        )
    asked = _("Did %(guild)s break “%(rule)s”?") % {
        "guild": case.violation.creator or case.guild,
        "rule": case.violation.version.name,
    }
    return asked, _(
        "Look at the evidence, then at what the rule says. Decide by what happened, not by who it is."
    )


def main_sections(case: Case) -> list[Section]:
    """What the answer rests on; the evidence first."""
    if case.violation is None:
        return _day_sections(case)
    violation = case.violation
    return [
        Section(
            _("Evidence"),
            Template(
                "admin/console/evidence.html", {"signals": list(evidence_of(violation)[:EVIDENCE_SHOWN])}
            ),
            note=_("Happened %(at)s UTC")
            % {"at": f"{violation.occurred_at.astimezone(dt.UTC):%a %d %b %Y %H:%M}"},
        ),
        Section(
            _("Why the rule matched"),
            Template("admin/console/explanation.html", {"explanation": violation.explanation}),
            note=_("Each condition as it was evaluated then."),
        ),
        Section(
            _("What the rule says"),
            Template("admin/console/desk_rule.html", wording(violation.version, case.market.languages)),
            note=str(violation.version),
        ),
    ]


def wording(version: RuleVersion, market_languages: Sequence[str]) -> dict[str, Any]:
    """The text of the version: in the reader's language, else in the market's; the others folded away."""
    texts = dict(version.text)
    wanted = [get_language() or "en", "en", *market_languages]
    first = next((language for language in wanted if language in texts), next(iter(texts), ""))
    return {
        "name": version.name,
        "language": first,
        "text": texts.pop(first, ""),
        "others": sorted(texts.items()),
        "version": link_to(version),
    }


def _day_sections(case: Case) -> list[Section]:
    start, end = day_span(case)
    signals = (
        Signal.objects.filter(guild_id=case.guild_id, time__gte=start, time__lt=end)
        .select_related("source")
        .order_by("time", "id")
    )
    found = list(signals[: DAY_SHOWN + 1])
    activity = Activity.objects.filter(guild_id=case.guild_id, date=day_of(case)).first()
    shown = (
        [
            Fact(_("Live hours"), f"{activity.live_hours:,}"),
            Fact(_("Creators who streamed"), f"{activity.active_creators:,}"),
            Fact(_("Gift revenue"), f"{activity.gift_revenue:,}"),
        ]
        if activity
        else [Fact(_("Activity"), _("None is recorded for this day."))]
    )
    return [
        Section(
            _("Signals of the day"),
            Template("admin/console/evidence.html", {"signals": found[:DAY_SHOWN]}),
            note=(_("The first %(count)s") % {"count": DAY_SHOWN} if len(found) > DAY_SHOWN else "")
            or _("From midnight to midnight in %(market)s") % {"market": case.market.name},
        ),
        Section(_("Activity of the day"), shown),
    ]


def day_of(case: Case) -> dt.date:
    assert case.day is not None, "a guild-day has a day, by a constraint"
    return case.day


def day_span(case: Case) -> tuple[dt.datetime, dt.datetime]:
    """The day of a guild-day as aware moments, by the market's own clock."""
    zone, day = ZoneInfo(case.market.timezone), day_of(case)
    return (
        dt.datetime.combine(day, dt.time(), zone),
        dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone),
    )


def codes_for(case: Case) -> list[tuple[str, str]]:
    """The violations a guild-day can be found to hide: those of the rules live in its market, by code."""
    if not is_day(case):
        return []
    live = RuleVersion.objects.filter(status=VersionStatus.LIVE, markets__overlap=["*", case.market.code])
    rows = live.select_related("rule").order_by("violation_code")
    return list({row.violation_code: f"{row.violation_code} · {row.name}" for row in rows}.items())


# --- beside it --------------------------------------------------------------------------------------------------------
def guild_section(case: Case, actor: Actor) -> Section:
    guild = case.guild
    facts = [
        Fact(_("Guild"), link_to(guild)),
        Fact(_("Market"), f"{case.market.name} ({case.market.code})"),
        Fact(_("Tier"), guild.get_tier_display()),
        Fact(_("State"), guild.get_status_display()),
    ]
    if case.violation is not None and case.violation.creator is not None:
        facts.append(Fact(_("Creator"), link_to(case.violation.creator)))
    return Section(_("The guild"), facts)


def earlier_section(case: Case, actor: Actor) -> Section:
    """Earlier violations of the guild: of this code, or of any when the question is about a day."""
    earlier = violations_visible_to(actor).filter(guild_id=case.guild_id)
    if case.violation is not None:
        earlier = earlier.filter(code=case.violation.code, occurred_at__lt=case.violation.occurred_at)
        title = _("Earlier violations of this code")
    else:
        earlier = earlier.filter(occurred_at__lt=day_span(case)[0])
        title = _("Earlier violations")
    rows = [
        [link_to(row, f"{row.occurred_at:%d %b %Y}"), row.code, status_badge(row)]
        for row in earlier.order_by("-occurred_at", "-id")[:EARLIER_SHOWN]
    ]
    more = Link(_("All violations of this guild"), list_url(Violation, f"q={case.guild.external_id}"))
    return Section(
        title,
        Table(
            [_("Happened"), _("Code"), _("Outcome")],
            rows,
            empty=_("None: this would be the first."),
            more=more,
        ),
    )
