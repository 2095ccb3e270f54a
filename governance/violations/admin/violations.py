"""Review: what the rules found, why, and a person's verdict on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.violations.enums import ViolationStatus
from governance.violations.models import Violation
from governance.violations.selectors import (
    evidence_of,
    review_queue,
    violations_visible_to,
)
from governance.violations.services import violation_confirm, violation_dismiss
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
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
    admin_url,
    distance,
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
#: Cases on one page of the queue: more than anybody decides in a day.
QUEUE_SHOWN = 100
EARLIER_SHOWN = 10


def status_badge(violation: Violation) -> Badge:
    return Badge(violation.get_status_display(), STATUS_VARIANTS[violation.status])


def is_open(violation: Violation) -> bool:
    return violation.status == ViolationStatus.OPEN


def following(queue: QuerySet[Violation], violation: Violation) -> Violation | None:
    """The case after this one in the order of the queue, or the first when there is none after it."""
    after = queue.filter(
        Q(severity__gt=violation.severity)
        | Q(severity=violation.severity, detected_at__gt=violation.detected_at)
        | Q(severity=violation.severity, detected_at=violation.detected_at, pk__gt=violation.pk)
    )
    return after.first() or queue.exclude(pk=violation.pk).first()


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
    actions_detail = ("confirm", "dismiss")
    bulk_acts = ("confirm", "dismiss")

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

    def onward(self, violation: Violation, request: HttpRequest) -> Link | None:
        if not self.actor(request).has_role(Role.REVIEWER):
            return None
        return Link(
            _("Next case"), f"{reverse('admin:governance_violation_next')}?after={violation.pk}", key="n"
        )

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

    # --- acts ---------------------------------------------------------------------------------------------------
    @act(
        label=_("Confirm"),
        question=_("You say that it happened and that the rule forbids it. Its consequences follow at once."),
        roles=(Role.REVIEWER,),
        when=is_open,
        icon="check",
        variant=ActionVariant.PRIMARY,
        key="c",
    )
    def confirm(self, actor: Actor, violation: Violation, values: Mapping[str, Any]) -> Answer:
        violation_confirm(actor=actor, violation_id=violation.pk, reason=values["reason"])
        return self.url_after(actor, violation)

    @act(
        label=_("Dismiss"),
        question=_(
            "You say that it did not happen, or that the rule does not forbid it. Nothing follows for the guild."
        ),
        roles=(Role.REVIEWER,),
        when=is_open,
        icon="close",
        key="d",
    )
    def dismiss(self, actor: Actor, violation: Violation, values: Mapping[str, Any]) -> Answer:
        violation_dismiss(actor=actor, violation_id=violation.pk, reason=values["reason"])
        return self.url_after(actor, violation)

    def url_after(self, actor: Actor, violation: Violation) -> str:
        coming = following(review_queue(actor), violation)
        return (
            f"{admin_url(coming)}?decided={violation.pk}"
            if coming
            else f"{queue_url()}?decided={violation.pk}"
        )

    # --- the queue ----------------------------------------------------------------------------------------------
    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        return (
            *super().get_custom_urls(),
            ("queue/", "governance_violation_queue", self.queue_view),
            ("next/", "governance_violation_next", self.next_view),
        )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        self._tell_decided(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def _tell_decided(self, request: HttpRequest) -> None:
        """Say on the next case what became of the one before."""
        if not request.GET.get("decided", "").isdecimal():
            return
        before = self.get_queryset(request).filter(pk=request.GET["decided"]).first()
        if before is not None:
            became = (
                now_("waits for a second verdict") if is_open(before) else before.get_status_display().lower()
            )
            messages.success(request, f"{before.code} · {before.guild}: {became}.")

    def queue_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """What waits for this reviewer, worst first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        self._tell_decided(request)
        actor = self.actor(request)
        waiting = list(review_queue(actor)[: QUEUE_SHOWN + 1])
        rows = [
            [
                severity_badge(row.severity),
                link_to(row, f"{row.code} · {row.guild}"),
                row.version.name,
                row.market.code,
                row.get_review_display(),
                row.occurred_at,
                distance(row.detected_at),
            ]
            for row in waiting[:QUEUE_SHOWN]
        ]
        headers = ["", _("Case"), _("Rule"), _("Market"), _("Review"), _("Happened"), _("Waits since")]
        empty = (
            _("Nothing waits for you.")
            if actor.has_role(Role.REVIEWER)
            else _("Only reviewers have a queue.")
        )
        context = {
            **self.admin_site.each_context(request),
            "title": _("My queue"),
            "opts": self.opts,
            "table": Table(headers, rows, empty=empty),
            "first_url": admin_url(waiting[0]) if waiting else "",
            "count": f"{QUEUE_SHOWN}+" if len(waiting) > QUEUE_SHOWN else len(waiting),
        }
        return TemplateResponse(request, "admin/console/queue.html", context)

    def next_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """Go to the case after `?after=`, or to the first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        queue, after = review_queue(self.actor(request)), request.GET.get("after", "")
        current = self.get_queryset(request).filter(pk=after).first() if after.isdecimal() else None
        coming = following(queue, current) if current else queue.first()
        return HttpResponseRedirect(admin_url(coming) if coming else queue_url())


def queue_url() -> str:
    return reverse("admin:governance_violation_queue")


def _wording(violation: Violation) -> Sequence[Fact] | Prose:
    texts = violation.version.text
    if not texts:
        return Prose(violation.version.name)
    return [Fact(language, Prose(text)) for language, text in sorted(texts.items())]
