"""Wordings of notices: what every market's guilds would read, and the page on which ops write their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.enums import ActionVariant

from governance.ledger.models import Event
from governance.notices.coverage import coverage
from governance.notices.enums import NoticeKind
from governance.notices.models import Template
from governance.notices.preview import preview
from governance.notices.services import template_reset, template_write
from governance.notices.services.wordings import WRITERS
from governance.notices.wording import PLACEHOLDERS, REQUIRED, Origin, Text, Wordings, shipped
from guilds.accounts.actor import Actor
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import moment_column
from guilds.console.page import (
    Badge,
    Fact,
    Link,
    Prose,
    Section,
    Table,
    Variant,
    admin_url,
    link_to,
    list_url,
)
from guilds.errors import DomainError
from guilds.models import Regime

ORIGINS: Mapping[Origin, tuple[Any, Variant]] = {
    Origin.REGIME_WRITTEN: (_("Ours, for the regime"), "success"),
    Origin.REGIME_SHIPPED: (_("Shipped, for the regime"), "success"),
    Origin.WRITTEN: (_("Ours"), "success"),
    Origin.SHIPPED: (_("Shipped"), "default"),
}
MISSING: tuple[Any, Variant] = (_("Missing"), "warning")
#: Characters of a language tag and of a body.
LONGEST_TAG, LONGEST_BODY = 20, 20_000
LAST_CHANGES = 10


def edit_url(kind: str, language: str, regime: str = "") -> str:
    query = urlencode({"kind": kind, "language": language, **({"regime": regime} if regime else {})})
    return f"{reverse('admin:governance_template_edit')}?{query}"


@admin.register(Template)
class TemplateAdmin(ConsoleAdmin[Template]):
    intro = _(
        "Ops' own wordings, by kind, language and regime. Where there is none, the wording we ship is used; where a language has "
        "neither, the next language of the market, and English last."
    )
    list_display = ("kind", "language", "regime", "subject", moment_column("updated_at", _("changed")))
    list_select_related = ("regime",)
    list_filter = (("kind", ChoicesDropdownFilter),)
    search_fields = ("language",)
    ordering = ("kind", "language")
    object_related = ("regime",)
    change_list_template = "admin/console/wordings.html"
    actions_detail = ("reset",)

    def matching(self, term: str) -> Q:
        return Q(language__iexact=term) | Q(subject__icontains=term)

    def visible(self, actor: Actor) -> QuerySet[Template]:
        return Template.objects.select_related("regime")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"coverage": self._coverage(request)} if self.has_view_permission(request) else {}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def _coverage(self, request: HttpRequest) -> Section:
        """Every language and regime of a market against every kind; what is missing leads to the page that fills it."""
        may_write = self.actor(request).has_role(*WRITERS)
        rows = []
        for place in coverage():
            cells: list[Any] = [f"{place.language} · {place.regime.name}", ", ".join(place.markets)]
            for kind, origin in place.found.items():
                words, variant = ORIGINS[origin] if origin else MISSING
                url = edit_url(kind, place.language, place.regime.code)
                cells.append(Link(words, url) if may_write else Badge(words, variant))
            rows.append(cells)
        headers = [_("Language and regime"), _("Markets"), *(kind.value for kind in NoticeKind)]
        return Section(
            _("What there is and what is missing"),
            Table(headers, rows, empty=_("There is no market yet.")),
            note=_("In the first language of each market. Missing: its guilds read another language."),
        )

    def onward(self, template: Template, request: HttpRequest) -> Link | None:
        if not self.actor(request).has_role(*WRITERS):
            return None
        regime = template.regime.code if template.regime else ""
        return Link(_("Edit"), edit_url(template.kind, template.language, regime), key="e")

    def facts(self, template: Template, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Kind"), template.get_kind_display()),
            Fact(_("Language"), template.language),
            Fact(_("Regime"), link_to(template.regime) or _("every regime")),
            Fact(_("Changed"), template.updated_at),
        )

    def sections(self, template: Template, request: HttpRequest) -> Sequence[Section]:
        return (Section(_("Subject"), Prose(template.subject)), Section(_("Body"), Prose(template.body)))

    @act(
        label=_("Back to the shipped wording"),
        question=_(
            "Ops' own wording is given up. Notices that were sent keep their words, the ledger keeps these."
        ),
        done=_("The shipped wording is used again."),
        roles=WRITERS,
        icon="restart_alt",
        variant=ActionVariant.DANGER,
    )
    def reset(self, actor: Actor, template: Template, values: Mapping[str, Any]) -> Answer:
        template_reset(actor=actor, template_id=template.pk, reason=values["reason"])
        return list_url(Template)

    # --- writing --------------------------------------------------------------------------------------------------
    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        return (*super().get_custom_urls(), ("edit/", "governance_template_edit", self.edit_view))

    def edit_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """One wording with its preview. Previewing posts the form and writes nothing; saving calls the service."""
        if not self.has_view_permission(request) or not self.actor(request).has_role(*WRITERS):
            raise PermissionDenied
        if request.method not in {"GET", "POST"}:
            return HttpResponseNotAllowed(["GET", "POST"])
        kind, language, regime = _place(request)
        actor, place = self.actor(request), Regime.objects.filter(code=regime).first() if regime else None
        stored = Template.objects.filter(kind=kind, language=language, regime=place).first()
        errors: list[dict[str, Any]] = []
        status, reason = 200, ""
        text, seen = _start(kind, language, place), stored.updated_at.isoformat() if stored else ""
        if request.method == "POST":
            text = Text(
                request.POST.get("subject", "")[:400],
                request.POST.get("body", "").replace("\r\n", "\n")[:LONGEST_BODY],
            )
            reason, seen = request.POST.get("reason", ""), request.POST.get("seen", "")
            if request.POST.get("do") == "save":
                try:
                    saved = template_write(
                        actor=actor,
                        kind=kind,
                        language=language,
                        regime=regime,
                        subject=text.subject,
                        body=text.body,
                        reason=reason,
                        seen=seen,
                    )
                except DomainError as refusal:
                    errors = refusal.errors or [{"field": "", "message": refusal.message}]
                    status = refusal.status
                else:
                    messages.success(request, now_("The wording is saved. Later notices use it."))
                    return HttpResponseRedirect(admin_url(saved))
        context = {
            **self.admin_site.each_context(request),
            "title": now_("Wording: %s") % NoticeKind(kind).label,
            "opts": self.opts,
            "kind": kind,
            "language": language,
            "regime": place,
            "text": text,
            "seen": seen,
            "reason": reason,
            "preview": preview(actor, kind, text),
            "required": sorted(REQUIRED[kind]),
            "known": sorted(PLACEHOLDERS[kind] - REQUIRED[kind]),
            "errors": errors,
            "wrong": {error.get("field") for error in errors},
            "shipped": shipped(kind, language, regime) or shipped(kind, language) or shipped(kind, "en"),
            "history": _history(kind, language, regime),
            "back": admin_url(stored) if stored else list_url(Template),
        }
        return TemplateResponse(request, "admin/console/wording_editor.html", context, status=status)


def _place(request: HttpRequest) -> tuple[str, str, str]:
    """(kind, language, code of the regime or nothing) of the address; 404 for what cannot be."""
    kind, language = request.GET.get("kind", ""), request.GET.get("language", "")
    regime = request.GET.get("regime", "")
    if kind not in NoticeKind.values or not 0 < len(language) <= LONGEST_TAG:
        raise Http404
    if not language.replace("-", "").isalnum() or not language.isascii():
        raise Http404
    if regime and not Regime.objects.filter(code=regime).exists():
        raise Http404
    return kind, language, regime


def _start(kind: str, language: str, regime: Regime | None) -> Text:
    """What the writer begins with: the wording used there now, in whatever language there is."""
    return Wordings().find(kind, [language], regime.pk if regime else None)[1]


def _history(kind: str, language: str, regime: str) -> Section:
    """Who changed the wording when and why, from the ledger; it outlives a reset."""
    public_id = "/".join(part for part in (kind, language, regime) if part)
    events = Event.objects.filter(object_type=Template.ledger_type, object_id=public_id).order_by("-pk")
    rows = [
        [event.at, event.actor_label, event.act, event.reason, Prose(event.after.get("body", ""))]
        for event in events[:LAST_CHANGES]
    ]
    return Section(
        _("What happened to it"),
        Table(
            [_("When"), _("Who"), _("Act"), _("Why"), _("Body")], rows, empty=_("Nobody has changed it yet.")
        ),
    )
