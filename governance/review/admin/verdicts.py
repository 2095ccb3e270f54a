"""A violation's page as reviewers meet it: its cases, verdicts by the same service, and closed while one judges it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant

from governance.review.admin.words import clock, status_badge
from governance.review.enums import CaseKind
from governance.review.models import Case
from governance.review.selectors import OPEN, blind, cases_visible_to, has_judged
from governance.review.services import violation_confirm, violation_dismiss
from governance.violations.admin import ViolationAdmin, is_open
from governance.violations.models import Violation
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.page import Section, Table, admin_url, link_to


def held_by(actor: Actor) -> QuerySet[Case]:
    """The open cases the actor is at, or is to take."""
    at_it = Q(claimed_by=actor.user_id, claimed_until__gt=timezone.now())
    return Case.objects.filter(at_it | Q(assigned_to=actor.user_id), status__in=OPEN)


def case_in_the_way(actor: Actor, violation: Violation) -> Case | None:
    """The case because of which a reviewer may not read the violation's page yet, which tells what others said.

    One they are at, whatever it is for, so that audits look like the rest; and one that two judge blind, which they may still
    come to judge.
    """
    if not actor.has_role(Role.REVIEWER) or actor.user_id is None:
        return None
    held = held_by(actor).filter(violation=violation).first()
    if held is not None:
        return held
    asked = cases_visible_to(actor).filter(violation=violation, status__in=OPEN, kind=CaseKind.VERDICT)
    blinded = next((case for case in asked.order_by("place") if blind(case)), None)
    return blinded if blinded is not None and not has_judged(actor.user_id, blinded) else None


class JudgedViolationAdmin(ViolationAdmin):
    """Registered in config/case_pages.py, which adds what stands above this concept."""

    actions_detail: tuple[str, ...] = ("confirm", "dismiss")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Violation]:
        """In lists without what the reader judges just now: a list shows what became of it."""
        rows = super().get_queryset(request)
        place = request.resolver_match
        if place is None or place.kwargs.get("object_id"):
            return rows
        return rows.exclude(
            pk__in=held_by(self.actor(request)).filter(violation__isnull=False).values("violation")
        )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if object_id is not None and request.method in {"GET", "HEAD"}:
            violation = self.object_or_404(request, object_id)
            case = case_in_the_way(self.actor(request), violation)
            if case is not None:
                return self._closed(request, case)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def _closed(self, request: HttpRequest, case: Case) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": now_("Not yet"),
            "opts": self.opts,
            "desk_url": admin_url(case),
        }
        return TemplateResponse(request, "admin/console/desk_closed.html", context, status=403)

    def sections(self, violation: Violation, request: HttpRequest) -> Sequence[Section]:
        return (*super().sections(violation, request), self._cases(violation, self.actor(request)))

    def _cases(self, violation: Violation, actor: Actor) -> Section:
        asked = cases_visible_to(actor).filter(violation=violation).select_related("done_by", "violation")
        rows = [
            [
                link_to(case, case.opened_at.strftime("%d %b %Y %H:%M")),
                case.queue,
                status_badge(case),
                clock(case) if case.status in OPEN else case.done_at,
                case.done_by or case.assigned_to or case.claimed_by,
            ]
            for case in asked.order_by("id")
        ]
        headers = [_("Asked"), _("Queue"), _("State"), _("Clock"), _("Who")]
        empty = _("Nobody was asked: the rule decides by itself, or the case is about to be opened.")
        return Section(_("Put to reviewers"), Table(headers, rows, empty=empty))

    # --- acts ---------------------------------------------------------------------------------------------------
    @act(
        label=_("Confirm"),
        question=_("You say that it happened and that the rule forbids it. Its consequences follow at once."),
        done=_("Your verdict is given."),
        roles=(Role.REVIEWER,),
        when=is_open,
        icon="check",
        variant=ActionVariant.PRIMARY,
        key="c",
    )
    def confirm(self, actor: Actor, violation: Violation, values: Mapping[str, Any]) -> Answer:
        violation_confirm(actor=actor, violation_id=violation.pk, reason=values["reason"])
        return None

    @act(
        label=_("Dismiss"),
        question=_(
            "You say that it did not happen, or that the rule does not forbid it. Nothing follows for the guild."
        ),
        done=_("Your verdict is given."),
        roles=(Role.REVIEWER,),
        when=is_open,
        icon="close",
        key="d",
    )
    def dismiss(self, actor: Actor, violation: Violation, values: Mapping[str, Any]) -> Answer:
        violation_dismiss(actor=actor, violation_id=violation.pk, reason=values["reason"])
        return None
