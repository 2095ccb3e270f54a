"""The desk: one case with everything it takes to decide it, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from governance.review.admin.acts import CaseActs
from governance.review.admin.deciding import decided, leave, looking_words, on, pulse
from governance.review.admin.filters import AboutFilter, DueFilter
from governance.review.admin.forms import HOLDS
from governance.review.admin.mine import mine_context, progress_of
from governance.review.admin.parts import (
    choices_for,
    codes_for,
    earlier_section,
    guild_section,
    main_sections,
    question,
)
from governance.review.admin.team import team_sections
from governance.review.admin.words import (
    claim_words,
    clock,
    is_open,
    is_waiting,
    lost,
    status_badge,
    why,
)
from governance.review.enums import CaseStatus
from governance.review.models import Case
from governance.review.presence import looking_at
from governance.review.selectors import cases_visible_to
from governance.review.services import (
    note_add,
)
from governance.review.services.notes import MAY_NOTE
from governance.violations.models import Violation
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.accounts.models import User
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column, of_guild
from guilds.console.page import Badge, Section, admin_url, link_to, severity_badge, shown
from guilds.errors import DomainError

#: Who sees where the work stands.
MAY_SEE_TEAM = (Role.REVIEWER, Role.ADMIN, Role.AUDITOR)


class CaseAdmin(CaseActs, ConsoleAdmin[Case]):
    """Registered in config/case_pages.py, which adds what stands above this concept: standing, consequences, answers."""

    intro = _("Every question put to a reviewer, whoever it waits for. Your own work is under My queue.")
    object_template = "admin/console/desk.html"
    list_display = (
        "case_shown",
        "status_shown",
        "severity_shown",
        "guild",
        "market",
        "queue",
        "clock_shown",
        "place_shown",
        moment_column("opened_at", _("asked")),
    )
    list_select_related = ("guild", "market", "queue", "violation", "assigned_to", "claimed_by")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        DueFilter,
        ("severity", ChoicesDropdownFilter),
        ("queue", RelatedDropdownFilter),
        ("market", RelatedDropdownFilter),
        AboutFilter,
    )
    search_fields = ("violation__code",)
    search_help_text = _(
        "A guild's id or name, a violation's code, or the beginning of the case's or the violation's id"
    )
    object_related = (
        "queue",
        "rule__risk",
        "violation__version__rule__risk",
        "violation__creator",
        "violation__guild__market__regime",
        "violation__market",
        "guild__market__regime",
        "market",
        "assigned_to",
        "claimed_by",
        "done_by",
        "escalated_by",
    )
    ordering = ("-id",)
    actions_detail = ("assign", "resume")
    bulk_acts = ("confirm", "dismiss", "hold", "escalate", "assign")

    def visible(self, actor: Actor) -> QuerySet[Case]:
        return cases_visible_to(actor)

    def matching(self, term: str) -> Q:
        violations = Violation.objects.filter(by_public_id(term) | Q(code__iexact=term))
        return by_public_id(term) | Q(violation__in=violations.values("pk")) | of_guild(term)

    @display(description=_("case"))
    def case_shown(self, case: Case) -> str:
        return str(case)

    @display(description=_("status"), ordering="status")
    def status_shown(self, case: Case) -> str:
        return shown(status_badge(case))

    @display(description=_("severity"), ordering="severity")
    def severity_shown(self, case: Case) -> str:
        return shown(severity_badge(case.severity))

    @display(description=_("clock"), ordering="due_at")
    def clock_shown(self, case: Case) -> str:
        return shown(clock(case))

    @display(description=_("whose"))
    def place_shown(self, case: Case) -> str:
        return shown(Badge(str(case.assigned_to or case.claimed_by or "–")))

    # --- the desk -----------------------------------------------------------------------------------------------
    def headline(self, case: Case) -> str:
        if case.violation is None:
            return now_("%(guild)s on %(day)s") % {"guild": case.guild, "day": f"{case.day:%d %b %Y}"}
        return f"{case.violation.code} · {case.violation.version.name} · {case.guild}"

    def badge(self, case: Case) -> Badge | None:
        return None if is_waiting(case) else status_badge(case)

    def beside(self, case: Case, request: HttpRequest) -> list[Section]:
        """What stands beside the case, top down."""
        actor = self.actor(request)
        return [guild_section(case, actor), earlier_section(case, actor)]

    def told(self, case: Case) -> str:
        """What the reviewer is told about a case just judged, beside what became of it."""
        return ""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context: dict[str, Any] = {}
        if object_id is not None and request.method in {"GET", "HEAD"}:
            case = self.object_or_404(request, object_id)
            context = self.desk(request, case)
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def desk(
        self,
        request: HttpRequest,
        case: Case,
        *,
        typed: Mapping[str, Any] | None = None,
        refusal: Sequence[str] = (),
    ) -> dict[str, Any]:
        """What the template is given beside the console's own. `typed` is what a refused form held."""
        actor, user = self.actor(request), cast("User", request.user)
        reviews = actor.has_role(Role.REVIEWER)
        gone = lost(case, actor)
        may_decide = reviews and is_waiting(case)
        asked, how = question(case)
        urls = f"{admin_url(case).removesuffix('change/')}"
        return {
            "severity": severity_badge(case.severity),
            "clock": clock(case) if is_open(case) else None,
            "state": "lost" if gone else "open",
            "why": why(case, actor),
            "claim": claim_words(case, actor) if is_open(case) else "",
            "looking": looking_words(looking_at(case, besides=user)),
            "lost": gone if typed is None and (reviews or not is_open(case)) else "",
            "question": asked,
            "how": how,
            "sections": main_sections(case),
            "beside": self.beside(case, request),
            "notes": list(case.notes.select_related("author").order_by("id")),
            "choices": choices_for(case, actor) if reviews else [],
            "codes": codes_for(case) if reviews else [],
            "holds": [(key, words) for key, (words, _time) in HOLDS.items()],
            "may_decide": may_decide,
            # Whoever typed a decision that came too late still finds the words.
            "over": typed is not None and not may_decide,
            "why_not": "" if may_decide else self._why_not(actor, case),
            "typed": typed or {"until": "1d"},
            "refusal": refusal,
            "revision": case.revision,
            "progress": progress_of(actor) if reviews else None,
            # Nobody judges under the eyes of others; and what is shown of some cases only would tell those apart.
            "violation_link": None
            if is_open(case) or case.violation is None
            else link_to(case.violation, now_("The violation")),
            "history": not is_open(case),
            "decide_url": f"{urls}decide/",
            "note_url": f"{urls}note/" if actor.has_role(*MAY_NOTE) else "",
            "beat_url": f"{urls}beat/" if is_open(case) else "",
            "next_url": reverse("admin:governance_case_next") if reviews else "",
            "mine_url": reverse("admin:governance_case_mine"),
            "noted": "noted" in request.GET,
            "words": {
                "reason": now_("Say why: a decision needs a reason."),
                "idle": now_("Are you still there? Your claim ends unless you move."),
            },
        }

    def _why_not(self, actor: Actor, case: Case) -> str:
        if not is_open(case):
            return now_("This case is closed.")
        if not actor.has_role(Role.REVIEWER):
            return now_("Reviewers decide; you may read.")
        if case.status == CaseStatus.ON_HOLD:
            return now_("It is on hold. Take it up again to decide it now.")
        return ""

    def again(
        self, request: HttpRequest, case: Case, typed: dict[str, Any], refusal: Sequence[str], status: int
    ) -> HttpResponse:
        """The desk once more after a refusal, with what was typed."""
        # What is shown must be what is true now: it has just turned out to be another than the page said.
        request.__dict__.pop("_console_objects", None)
        case = self.object_or_404(request, str(case.pk))
        context = {
            **self.admin_site.each_context(request),
            "title": self.headline(case),
            "opts": self.opts,
            "original": case,
            "headline": self.headline(case),
            "badge": self.badge(case),
            "actions_detail": [],
            **self.desk(request, case, typed=typed, refusal=refusal),
        }
        return TemplateResponse(request, self.object_template, context, status=status)

    # --- addresses ----------------------------------------------------------------------------------------------
    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        return (
            *super().get_custom_urls(),
            ("mine/", "governance_case_mine", self.mine_view),
            ("team/", "governance_case_team", self.team_view),
            ("next/", "governance_case_next", self.next_view),
            ("<path:object_id>/decide/", "governance_case_decide", self.decide_view),
            ("<path:object_id>/note/", "governance_case_note", self.note_view),
            ("<path:object_id>/beat/", "governance_case_beat", self.beat_view),
        )

    def _reviewer(self, request: HttpRequest) -> Actor:
        """The actor, who is a reviewer; else 403."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        actor = self.actor(request)
        if not actor.has_role(Role.REVIEWER):
            raise PermissionDenied
        return actor

    def mine_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """What waits for this reviewer, in the order in which it is wanted."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": now_("My queue"),
            "opts": self.opts,
            **mine_context(self.actor(request), request),
            "acts": [spec for spec in map(self.spec, self.bulk_acts) if spec.offered(self.actor(request))],
        }
        return TemplateResponse(request, "admin/console/mine.html", context)

    def team_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """Where the work stands, for whoever gives it out."""
        if not self.has_view_permission(request) or not self.actor(request).has_role(*MAY_SEE_TEAM):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": now_("The team"),
            "opts": self.opts,
            "sections": team_sections(self.actor(request)),
        }
        return TemplateResponse(request, "admin/console/team.html", context)

    def next_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """Claim the next case and go there. `leave` names the one left behind, which is given back."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        actor = self._reviewer(request)
        left = request.POST.get("leave", "")
        before = cases_visible_to(actor).filter(pk=left).first() if left.isdecimal() else None
        if before is not None:
            leave(actor, before)
        url = on(actor, before)
        if url == reverse("admin:governance_case_mine"):
            messages.info(request, now_("Nothing else waits for you now."))
        return HttpResponseRedirect(url)

    def decide_view(self, request: HttpRequest, object_id: str, model_admin: Any = None) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        actor = self._reviewer(request)
        case = self.object_or_404(request, object_id)
        return decided(
            request,
            actor,
            case,
            again=lambda typed, refusal, status: self.again(request, case, typed, refusal, status),
            told=self.told,
        )

    def note_view(self, request: HttpRequest, object_id: str, model_admin: Any = None) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        actor, case = self.actor(request), self.object_or_404(request, object_id)
        if not actor.has_role(*MAY_NOTE):
            raise PermissionDenied
        try:
            note_add(actor=actor, case_id=case.pk, body=request.POST.get("body", ""))
        except DomainError as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(f"{admin_url(case)}#notes")
        return HttpResponseRedirect(f"{admin_url(case)}?noted=1#notes")

    def beat_view(self, request: HttpRequest, object_id: str, model_admin: Any = None) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        case = self.object_or_404(request, object_id)
        return pulse(request, self.actor(request), case)
