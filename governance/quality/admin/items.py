"""What was drawn, item by item, and what comes of those that an audit sees otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.quality.admin.words import about, opinion_badge
from governance.quality.models import SampleItem
from governance.quality.selectors import ASKED_BY, DRAWN_BY, items_visible_to
from governance.quality.services import item_settle, item_tell
from governance.review.enums import Opinion
from governance.review.models import Judgement
from governance.risks.models import Feedback
from governance.rules.models import Finding
from governance.violations.enums import ViolationStatus
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import of_guild
from guilds.console.page import Badge, Fact, Link, Prose, Section, Table, link_to, shown


class AnswerFilter(DropdownFilter):
    title = _("answer")
    parameter_name = "answer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return (
            ("disputed", _("Seen otherwise, to settle")),
            ("settled", _("Seen otherwise, settled")),
            ("agreed", _("Agreed with")),
            ("unclear", _("Cannot be told")),
        )

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "disputed":
            return queryset.disputed().filter(settled_at__isnull=True)
        if self.value() == "settled":
            return queryset.filter(settled_at__isnull=False)
        if self.value() == "agreed":
            return queryset.with_answers().filter(right=True)
        if self.value() == "unclear":
            return queryset.filter(case__judgement__opinion=Opinion.UNCLEAR)
        return queryset


def judgement_of(item: SampleItem) -> Judgement | None:
    return getattr(item.case, "judgement", None) if item.case is not None else None


def differs(item: SampleItem) -> bool:
    """Whether the audit sees it otherwise, as `SampleItemQuerySet.disputed` has it, of an item at hand."""
    found = judgement_of(item)
    if found is None or found.opinion == Opinion.UNCLEAR:
        return False
    return (found.opinion == Opinion.CONFIRM) != item.was_confirmed


def to_settle(item: SampleItem) -> bool:
    return item.settled_at is None and differs(item)


def to_tell(item: SampleItem) -> bool:
    return to_settle(item) and item.day is not None


@admin.register(SampleItem)
class SampleItemAdmin(ConsoleAdmin[SampleItem]):
    intro = _(
        "What audits said of what was drawn. Where they see it otherwise somebody who took no part looks again: a decision is put"
        " right on the violation’s own page; a violation that no rule found leads to a finding or to the register of risks."
    )
    list_display = (
        "about_shown",
        "sample",
        "stratum",
        "decided_shown",
        "audit_shown",
        "state_shown",
    )
    list_select_related = ("sample", "violation", "guild", "case__judgement")
    list_filter = (
        AnswerFilter,
        ("sample", RelatedDropdownFilter),
        ("sample__kind", ChoicesDropdownFilter),
    )
    search_fields = ("guild",)
    search_help_text = _("A guild's id or name")
    object_related = (
        "sample",
        "violation__rule",
        "guild__market",
        "case__judgement__reviewer",
    )
    export_columns = ("probability",)
    ordering = ("-id",)
    actions_detail = ("settle", "tell")

    def visible(self, actor: Actor) -> QuerySet[SampleItem]:
        return items_visible_to(actor)

    def matching(self, term: str) -> Q:
        return of_guild(term)

    # --- the list -----------------------------------------------------------------------------------------------
    @display(description=_("about"))
    def about_shown(self, item: SampleItem) -> str:
        return about(item)

    @display(description=_("decision"), ordering="decided")
    def decided_shown(self, item: SampleItem) -> str:
        return str(ViolationStatus(item.decided).label) if item.decided else str(_("nothing found"))

    @display(description=_("audit"))
    def audit_shown(self, item: SampleItem) -> str:
        found = judgement_of(item)
        return shown(opinion_badge(found.opinion) if found else Badge(_("not judged yet")))

    @display(description=_("state"))
    def state_shown(self, item: SampleItem) -> str:
        return shown(self.badge(item))

    # --- the page -----------------------------------------------------------------------------------------------
    def headline(self, item: SampleItem) -> str:
        return about(item)

    def badge(self, item: SampleItem) -> Badge | None:
        if not differs(item):
            return None
        return Badge(_("settled"), "success") if item.settled_at else Badge(_("seen otherwise"), "warning")

    def facts(self, item: SampleItem, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Sample"), link_to(item.sample)),
            Fact(_("Part"), item.stratum),
            Fact(_("Chance of being drawn"), f"{100 * item.probability:.2f} %"),
            Fact(_("Guild"), link_to(item.guild)),
            Fact(_("Day"), item.day),
            Fact(_("Violation"), link_to(item.violation)),
            Fact(_("Decision when drawn"), self.decided_shown(item)),
            Fact(_("Now"), item.violation.get_status_display() if item.violation else None),
            Fact(_("Settled"), item.settled_at),
            Fact(_("Led to"), _led_to(item)),
        )

    def sections(self, item: SampleItem, request: HttpRequest) -> Sequence[Section]:
        sections = [Section(_("The audit"), self._audit(item, request))]
        if item.violation is not None:
            sections.append(Section(_("The verdicts"), _verdicts(item)))
        if item.settlement:
            sections.append(Section(_("How it was settled"), Prose(item.settlement)))
        if to_settle(item):
            sections.append(Section(_("What can be done"), Prose(_what_can_be_done(item))))
        return sections

    def _audit(self, item: SampleItem, request: HttpRequest) -> Sequence[Fact]:
        found = judgement_of(item)
        if found is None:
            return (Fact(_("State"), Badge(_("not judged yet"))),)
        # Audits are blind both ways: those who judge do not learn who judged them.
        blind = Role.REVIEWER in self.actor(request).roles
        return (
            Fact(_("Opinion"), opinion_badge(found.opinion)),
            Fact(_("Code seen"), found.code),
            Fact(_("By"), None if blind else found.reviewer),
            Fact(_("When"), found.created_at),
            Fact(_("Why"), Prose(found.reason)),
        )

    # --- acts ---------------------------------------------------------------------------------------------------
    @act(
        label=_("Settle"),
        roles=ASKED_BY,
        question=_("Say what came of it: the decision has been put right, or it stands, and why."),
        done=_("It is settled."),
        when=to_settle,
        icon="check",
        variant=ActionVariant.PRIMARY,
    )
    def settle(self, actor: Actor, item: SampleItem, values: Mapping[str, Any]) -> Answer:
        item_settle(actor=actor, item_id=item.pk, reason=values["reason"])
        return None

    @act(
        label=_("Pass on to the register of risks"),
        roles=DRAWN_BY,
        question=_(
            "It becomes feedback in your name, with the words of the audit, for those who keep the register."
            " The item is settled by it."
        ),
        done=_("It is passed on."),
        when=to_tell,
        icon="forum",
    )
    def tell(self, actor: Actor, item: SampleItem, values: Mapping[str, Any]) -> Answer:
        item_tell(actor=actor, item_id=item.pk, reason=values["reason"])
        return None


def _led_to(item: SampleItem) -> Link | None:
    kind, _colon, key = item.led_to.partition(":")
    model: Any = {"finding": Finding, "feedback": Feedback}.get(kind)
    return link_to(model.objects.filter(public_id=key).first()) if model is not None else None


def _verdicts(item: SampleItem) -> Table:
    violation = item.violation
    rows = [
        [review.get_verdict_display(), Prose(review.reason), review.created_at]
        for review in (violation.reviews.order_by("pk") if violation is not None else ())
    ]
    headers = [_("Verdict"), _("Reason"), _("When")]
    return Table(headers, rows, empty=_("The rule decided alone; nobody was asked."))


def _what_can_be_done(item: SampleItem) -> str:
    if item.day is not None:
        return now_(
            "No rule that was live in this market looks for it, or the sweep has not been by yet. Pass it on to the register of"
            " risks, or settle it with the reason why it was none."
        )
    if item.was_confirmed:
        return now_(
            "If the audit is right, the violation was charged wrongly: it can be put right on its own page, penalties and points"
            " included. Then settle this with what was done. If the decision stands, settle it and say why."
        )
    return now_(
        "If the audit is right, a violation was let go. It is not taken up again against the guild; settle this with what the"
        " rule or its reviewers should learn from it."
    )
