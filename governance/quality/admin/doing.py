"""The parts of "How I am doing": one's own figures, in words that help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from governance.engine.intervals import FEWEST
from governance.quality.admin.words import agreement_shown, insufficient, opinion_badge, share_shown
from governance.quality.selectors import Doing, agreement_of_all, doing_of, pairs_of_reviewers
from governance.violations.enums import Verdict
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.page import Badge, Fact, Prose, Section, Table, link_to
from guilds.models import User


def intro_of(*, mine: bool) -> str:
    if mine:
        return _(
            "For you alone, to learn from. Nobody is compared with anybody here. Everybody errs, and some cases can be seen"
            " either way: an interval says how little a few cases prove."
        )
    return _(
        "To help, not to rank. Small numbers prove little: look at the cases together before you look at the figures."
    )


def doing_sections(user: User, actor: Actor) -> list[Section]:
    found, mine = doing_of(user), user.pk == actor.user_id
    sections = [
        Section(_("The last 90 days"), _lately(found)),
        Section(
            _("How sure the verdicts are"),
            _sureness(found),
            note=_(
                "The last year; agreement, the last 90 days. With the interval that 95 % of such samples keep."
            ),
        ),
        Section(
            _("Known answers you saw otherwise") if mine else _("Known answers seen otherwise"),
            _known(found),
            note=_("Practice cases: they changed nothing for any guild."),
        ),
        Section(
            _("Seen otherwise in an audit"),
            _differing(found),
            note=_("Worth another look. The audit is another reader’s view, not the last word."),
        ),
    ]
    if Role.ADMIN in actor.roles:
        sections.append(
            Section(
                _("Who judged the same cases blind"),
                _pairs(),
                note=_("Where two see things differently, a talk about the rule helps both."),
            )
        )
    return sections


def _lately(found: Doing) -> Sequence[Fact]:
    if found.median_seconds is None or found.timed < FEWEST:
        pace: Any = insufficient(found.timed)
    else:
        minutes, seconds = divmod(round(found.median_seconds), 60)
        pace = _("%(minutes)s min %(seconds)s s for half of your cases, or less") % {
            "minutes": minutes,
            "seconds": seconds,
        }
    return (
        Fact(_("Verdicts"), found.decisions),
        Fact(_("Audits done for others"), found.audits_made),
        Fact(_("Time with a case"), pace),
    )


def _sureness(found: Doing) -> Sequence[Fact]:
    return (
        Fact(_("Cases whose answer was known"), share_shown(found.golden)),
        Fact(_("Alike with the other of two who judged blind"), share_shown(found.doubles)),
        Fact(_("Beyond chance (Cohen’s kappa, 1 is full agreement)"), agreement_shown(found.kappa)),
        Fact(_("Verdicts an audit agreed with"), share_shown(found.audited)),
        Fact(_("All reviewers together (Krippendorff’s alpha)"), agreement_shown(agreement_of_all())),
    )


def _known(found: Doing) -> Table:
    rows = [
        [
            link_to(one.violation, f"{one.violation.code} · {one.violation.guild}"),
            opinion_badge(one.mine),
            opinion_badge(one.expected),
            Prose(one.explanation),
            one.at,
        ]
        for one in found.known
    ]
    headers = [_("Case"), _("Answer"), _("Right is"), _("Why"), _("When")]
    return Table(headers, rows, empty=_("None so far."))


def _differing(found: Doing) -> Table:
    rows = [
        [
            link_to(one.violation, f"{one.violation.code} · {one.violation.guild}"),
            Badge(Verdict(one.mine).label),
            opinion_badge(one.audit),
            Prose(one.reason),
            one.at,
        ]
        for one in found.differing
    ]
    headers = [_("Case"), _("Verdict"), _("Audit"), _("What the audit saw"), _("When")]
    return Table(headers, rows, empty=_("No audit saw any of these cases otherwise."))


def _pairs() -> Table:
    rows = [
        [
            str(pair.one),
            str(pair.other),
            _("%(alike)s of %(n)s") % {"alike": pair.alike, "n": pair.agreement.n},
            agreement_shown(pair.agreement),
        ]
        for pair in pairs_of_reviewers()
    ]
    headers = [_("One"), _("Other"), _("Alike"), _("Beyond chance")]
    return Table(headers, rows, empty=_("No two have judged enough of the same cases yet."))
