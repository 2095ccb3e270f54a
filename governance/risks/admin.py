"""The register of risks: what each harm is, who owns it, how great it is market by market, and what answers it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.risks.explained import parts_table, priority_badge, rate_in_words, trend_badge
from governance.risks.forms import RiskChangeForm, RiskCreateForm, RiskReviewForm
from governance.risks.models import Assessment, Feedback, Risk
from governance.risks.selectors import (
    assessments_visible_to,
    feedback_visible_to,
    latest_assessments,
    overall,
)
from governance.risks.services import risk_change, risk_create, risk_restore, risk_retire, risk_review
from governance.risks.services.register import CHANGEABLE
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
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
    shown,
)

#: Rows of a table on a risk's page; the lists have the rest.
SHOWN = 12
SOON = dt.timedelta(days=30)
RULE_VARIANTS: dict[str, Variant] = {"live": "success", "paused": "warning", "shadow": "info"}


class ReviewFilter(DropdownFilter):
    title = _("review")
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return (("overdue", _("Overdue")), ("soon", _("Within 30 days")), ("none", _("No day set")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Risk]) -> QuerySet[Risk]:
        today = timezone.now().date()
        asked = {
            "overdue": Q(review_on__lte=today, retired_at__isnull=True),
            "soon": Q(review_on__gt=today, review_on__lte=today + SOON, retired_at__isnull=True),
            "none": Q(review_on__isnull=True, retired_at__isnull=True),
        }
        return queryset.filter(asked.get(self.value() or "", Q()))


class RuleFilter(DropdownFilter):
    title = _("rules")
    parameter_name = "rules"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return (
            ("none", _("Without a rule")),
            ("not_live", _("Without a live rule")),
            ("live", _("With a live rule")),
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Risk]) -> QuerySet[Risk]:
        live = Risk.objects.filter(rules__versions__status="live").values("pk")
        if self.value() == "none":
            return queryset.filter(rules__isnull=True)
        if self.value() == "not_live":
            return queryset.exclude(pk__in=live)
        return queryset.filter(pk__in=live) if self.value() == "live" else queryset


class StandingFilter(DropdownFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return (("standing", _("On the register")), ("retired", _("Retired")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Risk]) -> QuerySet[Risk]:
        asked = {"standing": True, "retired": False}.get(self.value() or "")
        return queryset if asked is None else queryset.filter(retired_at__isnull=asked)


def is_standing(risk: Risk) -> bool:
    return risk.retired_at is None


def is_retired(risk: Risk) -> bool:
    return risk.retired_at is not None


def review_badge(risk: Risk) -> Any:
    """The day, coloured when it is past."""
    if risk.review_on is None or risk.retired_at is not None:
        return risk.review_on
    overdue = risk.review_on <= timezone.now().date()
    return Badge(f"{risk.review_on:%d %b %Y}", "danger") if overdue else risk.review_on


@admin.register(Risk)
class RiskAdmin(ConsoleAdmin[Risk]):
    intro = _("Harms worth governing, scored and owned. Every rule answers to one of them.")
    list_display = (
        "code",
        "name",
        "category",
        "register_shown",
        "greatest_shown",
        "treatment_shown",
        "owner",
        "review_shown",
        "rules_shown",
    )
    list_filter = (
        ("category", ChoicesDropdownFilter),
        ("treatment", ChoicesDropdownFilter),
        ReviewFilter,
        RuleFilter,
        StandingFilter,
    )
    search_fields = ("code",)
    search_help_text = _("Code or part of the name")
    ordering = ("code",)
    actions_list = ("create",)
    actions_detail = ("revise", "review", "retire", "restore")
    bulk_acts = ("review",)

    def visible(self, actor: Actor) -> QuerySet[Risk]:
        newest = assessments_visible_to(actor).filter(risk=OuterRef("pk")).order_by("-on", "-priority", "pk")
        return Risk.objects.annotate(
            rules_all=Count("rules", distinct=True),
            rules_live=Count("rules", filter=Q(rules__versions__status="live"), distinct=True),
            greatest=Subquery(newest.values("priority")[:1]),
            greatest_in=Subquery(newest.values("market__code")[:1]),
        )

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term) | Q(name__icontains=term)

    # --- the list -------------------------------------------------------------------------------------------------
    @display(description=_("harm × likelihood"), ordering=F("harm") * F("likelihood"))
    def register_shown(self, risk: Risk) -> str:
        return f"{risk.harm} × {risk.likelihood} = {risk.priority}"

    @display(description=_("greatest priority"), ordering="greatest")
    def greatest_shown(self, risk: Any) -> str:
        return shown([priority_badge(risk.greatest), risk.greatest_in] if risk.greatest is not None else None)

    @display(description=_("treatment"), ordering="treatment")
    def treatment_shown(self, risk: Risk) -> str:
        return shown(_treatment(risk) if risk.treatment == "undecided" else risk.get_treatment_display())

    @display(description=_("review"), ordering="review_on")
    def review_shown(self, risk: Risk) -> str:
        return shown(review_badge(risk))

    @display(description=_("rules live"))
    def rules_shown(self, risk: Any) -> str:
        if is_retired(risk):
            return shown(Badge(_("Retired")))
        said = _("%(live)s of %(all)s") % {"live": risk.rules_live, "all": risk.rules_all}
        return shown(said if risk.rules_live else Badge(said, "warning"))

    # --- the page -------------------------------------------------------------------------------------------------
    def headline(self, risk: Risk) -> str:
        return f"{risk.code} · {risk.name}"

    def badge(self, risk: Risk) -> Badge:
        if is_retired(risk):
            return Badge(_("Retired"))
        variant: Variant = "danger" if risk.priority >= 15 else "warning" if risk.priority >= 8 else "default"
        return Badge(_("Harm × likelihood %(score)s") % {"score": risk.priority}, variant)

    def facts(self, risk: Risk, request: HttpRequest) -> Sequence[Fact]:
        said = [
            Fact(_("Category"), risk.get_category_display()),
            Fact(_("Harm"), _("%(score)s of 5") % {"score": risk.harm}),
            Fact(_("Likelihood, as registered"), _("%(score)s of 5") % {"score": risk.likelihood}),
            Fact(_("Owning team"), risk.owner),
            Fact(_("Treatment"), _treatment(risk)),
            Fact(_("To be looked at again"), review_badge(risk)),
            Fact(_("Looked at last"), risk.reviewed_at),
            Fact(_("Registered"), risk.created_at),
        ]
        if risk.retired_at:
            said.append(Fact(_("Retired"), risk.retired_at))
        if risk.treatment_note:
            said.append(Fact(_("Why this treatment"), Prose(risk.treatment_note)))
        return said

    def sections(self, risk: Risk, request: HttpRequest) -> Sequence[Section]:
        actor = self.actor(request)
        rows = list(latest_assessments(actor).filter(risk=risk).order_by("-priority", "market__code"))
        definition = Prose(risk.definition) if risk.definition else Prose(str(_("Not written yet.")))
        return (
            Section(_("Definition"), definition),
            *_over_all(risk, rows),
            Section(
                _("Market by market"),
                _assessments(rows),
                note=_("From data, the greatest first. Rates are upheld violations per 1,000 live hours."),
            ),
            Section(_("Rules against it"), _rules(risk)),
            Section(_("What people told us"), _messages(risk, actor)),
        )

    # --- acts -----------------------------------------------------------------------------------------------------
    @act(
        label=_("New risk"),
        roles=(Role.ANALYST,),
        form=RiskCreateForm,
        done=_("On the register."),
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def create(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        return admin_url(risk_create(actor=actor, **values))

    @act(
        label=_("Change"),
        roles=(Role.ANALYST,),
        form=RiskChangeForm,
        when=is_standing,
        done=_("Changed."),
        icon="edit",
        variant=ActionVariant.PRIMARY,
    )
    def revise(self, actor: Actor, risk: Risk, values: Mapping[str, Any]) -> Answer:
        changes = {name: values[name] for name in CHANGEABLE}
        risk_change(actor=actor, risk_id=risk.pk, changes=changes, reason=values["reason"])
        return None

    @act(
        label=_("Looked at again"),
        question=_("You say that it stands as described, and when it is to be looked at next."),
        roles=(Role.ANALYST,),
        form=RiskReviewForm,
        when=is_standing,
        done=_("Noted."),
        icon="event_available",
    )
    def review(self, actor: Actor, risk: Risk, values: Mapping[str, Any]) -> Answer:
        risk_review(actor=actor, risk_id=risk.pk, review_on=values["review_on"], reason=values["reason"])
        return None

    @act(
        label=_("Retire"),
        question=_("It is assessed no more. Rules that name it go on, and show on the coverage page."),
        roles=(Role.ANALYST,),
        when=is_standing,
        done=_("Retired."),
        icon="inventory_2",
    )
    def retire(self, actor: Actor, risk: Risk, values: Mapping[str, Any]) -> Answer:
        risk_retire(actor=actor, risk_id=risk.pk, reason=values["reason"])
        return None

    @act(
        label=_("Put back"),
        roles=(Role.ANALYST,),
        when=is_retired,
        done=_("On the register again."),
        icon="undo",
    )
    def restore(self, actor: Actor, risk: Risk, values: Mapping[str, Any]) -> Answer:
        risk_restore(actor=actor, risk_id=risk.pk, reason=values["reason"])
        return None


def _treatment(risk: Risk) -> Badge:
    return Badge(risk.get_treatment_display(), "warning" if risk.treatment == "undecided" else "default")


def _over_all(risk: Risk, rows: Sequence[Assessment]) -> list[Section]:
    """How great it is over all markets of the reader; nothing before the first assessment."""
    whole = overall(rows).get(risk.pk)
    if whole is None:
        return []
    title = _("Over %(count)s markets: %(priority).0f of 100") % {
        "count": whole.markets,
        "priority": whole.score.priority,
    }
    note = _("All markets within your reach as one; how this was reached. %(rate)s.") % {
        "rate": rate_in_words(whole.score.rate)
    }
    return [Section(title, parts_table(whole.score.parts, together=True), note=note)]


def _assessments(rows: Sequence[Assessment]) -> Table:
    table = [
        [
            Link(f"{row.market.name} ({row.market.code})", admin_url(row)),
            priority_badge(row.priority),
            trend_badge(row.trend),
            f"{row.upheld} / {row.violations}",
            _("%(upheld)s of %(all)s") % {"upheld": row.guilds_upheld, "all": row.guilds},
            None if row.rate is None else f"{row.rate:.2f}",
            f"{row.live_hours:,.0f}",
            row.feedback,
        ]
        for row in rows
    ]
    headers = [
        _("Market"),
        _("Priority"),
        _("Trend"),
        _("Upheld / found"),
        _("Guilds"),
        _("Rate"),
        _("Live hours"),
        _("Messages"),
    ]
    return Table(
        headers, table, empty=_("Not assessed yet: that is done every day, and at a press on the heat map.")
    )


def _rules(risk: Risk) -> Table:
    rows = []
    for rule in risk.rules.prefetch_related("versions").order_by("code"):
        versions = sorted(rule.versions.all(), key=lambda version: -version.number)
        current = [version for version in versions if version.status in RULE_VARIANTS]
        states = [
            Badge(f"v{version.number} {version.get_status_display()}", RULE_VARIANTS[version.status])
            for version in current
        ]
        rows.append([link_to(rule), rule.name, states or Badge(_("Not live"), "warning")])
    return Table([_("Rule"), _("Name"), _("State")], rows, empty=_("No rule answers to this risk."))


def _messages(risk: Risk, actor: Actor) -> Table:
    linked = feedback_visible_to(actor).filter(Q(risk=risk) | Q(merged_into__risk=risk))
    rows = [
        [
            Link(str(message), admin_url(message)),
            message.get_source_display(),
            message.market.code if message.market else None,
            Badge(message.get_status_display()),
            message.created_at,
        ]
        for message in linked.order_by("-pk")[:SHOWN]
    ]
    headers = [_("Message"), _("From"), _("Market"), _("Status"), _("When")]
    more = Link(_("All messages about this risk"), list_url(Feedback, f"risk__id__exact={risk.pk}"))
    return Table(headers, rows, empty=_("Nobody has told us anything about it."), more=more)
