"""What the rules found, and why."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display

from governance.violations.enums import ViolationStatus
from governance.violations.models import Violation
from governance.violations.selectors import (
    evidence_of,
    violations_visible_to,
)
from guilds.accounts.actor import Actor
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, of_guild
from guilds.console.page import (
    Badge,
    Fact,
    Link,
    Prose,
    Section,
    Table,
    Template,
    Variant,
    link_to,
    list_url,
    severity_badge,
    shown,
)

STATUS_VARIANTS: dict[str, Variant] = {
    ViolationStatus.OPEN: "warning",
    ViolationStatus.CONFIRMED: "danger",
    ViolationStatus.DISMISSED: "default",
    ViolationStatus.OVERTURNED: "info",
}
EARLIER_SHOWN = 10


def status_badge(violation: Violation) -> Badge:
    return Badge(violation.get_status_display(), STATUS_VARIANTS[violation.status])


def is_open(violation: Violation) -> bool:
    return violation.status == ViolationStatus.OPEN


class ViolationAdmin(ConsoleAdmin[Violation]):
    """Registered in config/case_pages.py, which adds what stands above this concept."""

    intro = _(
        "Suspected, confirmed and dismissed breaches, each charged to the guild that held the creator when it happened."
    )
    list_display = (
        "code",
        "status_shown",
        "severity_shown",
        "guild",
        "creator",
        "market",
        "rule",
        "occurred_at",
        "detected_at",
    )
    list_select_related = ("guild", "creator", "market", "rule")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("severity", ChoicesDropdownFilter),
        ("market", RelatedDropdownFilter),
        ("rule", RelatedDropdownFilter),
        ("occurred_at", RangeDateTimeFilter),
    )
    search_fields = ("code",)
    search_help_text = _(
        "A guild's id or name, a rule's or violation's code, or the beginning of the violation's id"
    )
    object_related = ("rule__risk", "version__rule__risk", "guild__market__regime", "creator", "market")
    ordering = ("-id",)

    def visible(self, actor: Actor) -> QuerySet[Violation]:
        return violations_visible_to(actor)

    def matching(self, term: str) -> Q:
        return by_public_id(term) | Q(code__iexact=term) | Q(rule__code__iexact=term) | of_guild(term)

    @display(description=_("status"), ordering="status")
    def status_shown(self, violation: Violation) -> str:
        return shown(status_badge(violation))

    @display(description=_("severity"), ordering="severity")
    def severity_shown(self, violation: Violation) -> str:
        return shown(severity_badge(violation.severity))

    # --- the page -----------------------------------------------------------------------------------------------
    def headline(self, violation: Violation) -> str:
        return f"{violation.code} · {violation.version.name} · {violation.guild}"

    def badge(self, violation: Violation) -> Badge:
        return status_badge(violation)

    def facts(self, violation: Violation, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Guild"), link_to(violation.guild)),
            Fact(_("Creator"), link_to(violation.creator)),
            Fact(_("Market"), f"{violation.market.name} ({violation.market.code})"),
            Fact(_("Severity"), severity_badge(violation.severity)),
            Fact(_("Review"), violation.get_review_display()),
            Fact(_("Happened"), violation.occurred_at),
            Fact(_("Detected"), violation.detected_at),
            Fact(_("Decided"), violation.decided_at),
            Fact(_("Rule version"), link_to(violation.version)),
            Fact(_("Id"), str(violation.public_id)),
        )

    def sections(self, violation: Violation, request: HttpRequest) -> Sequence[Section]:
        return (
            Section(
                _("Evidence"),
                Template("admin/console/evidence.html", {"signals": list(evidence_of(violation)[:20])}),
            ),
            Section(
                _("Why the rule matched"),
                Template("admin/console/explanation.html", {"explanation": violation.explanation}),
                note=_("Each condition as it was evaluated then."),
            ),
            Section(_("What the rule says"), _wording(violation), note=str(violation.version)),
            Section(_("Verdicts"), self._verdicts(violation)),
            Section(
                _("Earlier violations of this code by the guild"),
                self._earlier(violation, self.actor(request)),
            ),
        )

    def _verdicts(self, violation: Violation) -> Table:
        rows = [
            [review.reviewer, review.get_verdict_display(), Prose(review.reason), review.created_at]
            for review in violation.reviews.select_related("reviewer").order_by("id")
        ]
        return Table(
            [_("Who"), _("Verdict"), _("Reason"), _("When")], rows, empty=_("Nobody has judged it yet.")
        )

    def _earlier(self, violation: Violation, actor: Actor) -> Table:
        earlier = violations_visible_to(actor).filter(
            guild_id=violation.guild_id, code=violation.code, occurred_at__lt=violation.occurred_at
        )
        rows = [
            [
                link_to(row, f"{row.occurred_at:%d %b %Y}"),
                status_badge(row),
                severity_badge(row.severity),
                row.decided_at,
            ]
            for row in earlier.order_by("-occurred_at")[:EARLIER_SHOWN]
        ]
        more = Link(
            _("All violations of this guild"), list_url(Violation, f"q={violation.guild.external_id}")
        )
        headers = [_("Happened"), _("Status"), _("Severity"), _("Decided")]
        return Table(headers, rows, empty=_("None: this would be the first."), more=more)


def _wording(violation: Violation) -> Sequence[Fact] | Prose:
    texts = violation.version.text
    if not texts:
        return Prose(violation.version.name)
    return [Fact(language, Prose(text)) for language, text in sorted(texts.items())]
