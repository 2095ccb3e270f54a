"""A violation's page with what a reviewer does on it: verdicts, and the way to the next case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from unfold.enums import ActionVariant

from governance.review.services import violation_confirm, violation_dismiss
from governance.violations.admin import ViolationAdmin, is_open
from governance.violations.models import Violation
from governance.violations.selectors import review_queue
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.page import Link, Table, admin_url, distance, link_to, severity_badge

#: Cases on one page of the queue: more than anybody decides in a day.
QUEUE_SHOWN = 100


def following(queue: QuerySet[Violation], violation: Violation) -> Violation | None:
    """The case after this one in the order of the queue, or the first when there is none after it."""
    after = queue.filter(
        Q(severity__gt=violation.severity)
        | Q(severity=violation.severity, detected_at__gt=violation.detected_at)
        | Q(severity=violation.severity, detected_at=violation.detected_at, pk__gt=violation.pk)
    )
    return after.first() or queue.exclude(pk=violation.pk).first()


class JudgedViolationAdmin(ViolationAdmin):
    """Registered in config/case_pages.py, which adds what stands above this concept."""

    actions_detail = ("confirm", "dismiss")
    bulk_acts = ("confirm", "dismiss")

    def onward(self, violation: Violation, request: HttpRequest) -> Link | None:
        if not self.actor(request).has_role(Role.REVIEWER):
            return None
        return Link(
            _("Next case"), f"{reverse('admin:governance_violation_next')}?after={violation.pk}", key="n"
        )

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
