"""Samples: what was drawn with which chance, how far it has been judged, and what that says about all the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.quality.admin.doing import doing_sections, intro_of
from governance.quality.admin.forms import DrawForm, HandOutForm, PlanForm, midnight
from governance.quality.admin.words import about, estimate_shown, opinion_badge
from governance.quality.enums import SampleKind, SampleStatus
from governance.quality.models import Sample, SampleItem
from governance.quality.selectors import (
    DRAWN_BY,
    Found,
    found_in,
    items_visible_to,
    progress_of,
    reviewers_seen_by,
    samples_visible_to,
    weekly_size,
)
from governance.quality.services import plan_set, sample_close, sample_draw, sample_hand_out
from governance.violations.enums import ViolationStatus
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, csv_response, moment_column, named, plain_cell
from guilds.console.page import (
    Badge,
    Fact,
    Link,
    Prose,
    Section,
    Table,
    admin_url,
    link_to,
    list_url,
    shown,
)

DIFFERENCES_SHOWN = 15


def is_open(sample: Sample) -> bool:
    return sample.status == SampleStatus.DRAWN


@admin.register(Sample)
class SampleAdmin(ConsoleAdmin[Sample]):
    intro = _(
        "Drawn at random and judged blind, so that a few items speak for all: of decisions, to know how many are right; of days"
        " on which nothing was found, to know how much is missed."
    )
    list_display = (
        "name",
        "kind",
        "status_shown",
        "period",
        "markets_shown",
        "progress",
        moment_column("created_at", _("drawn")),
    )
    list_filter = (("kind", ChoicesDropdownFilter), ("status", ChoicesDropdownFilter))
    search_fields = ("name",)
    search_help_text = _("Words of its name, or the beginning of its id")
    object_related = ("created_by",)
    ordering = ("-id",)
    actions_list = ("draw", "plan")
    actions_detail = ("hand_out", "close")

    def visible(self, actor: Actor) -> QuerySet[Sample]:
        return samples_visible_to(actor)

    def matching(self, term: str) -> Q:
        return by_public_id(term) | named(term)

    # --- the list -----------------------------------------------------------------------------------------------
    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list with how far each of its samples is, read at once."""
        found = super().get_changelist_instance(request)
        rows = found.result_list if hasattr(found, "result_list") else []
        told = progress_of([sample.pk for sample in rows])
        for sample in rows:
            sample.told = told.get(sample.pk)
        return found

    @display(description=_("status"), ordering="status")
    def status_shown(self, sample: Sample) -> str:
        return shown(self.badge(sample))

    @display(description=_("period"), ordering="since")
    def period(self, sample: Sample) -> str:
        last = sample.until - dt.timedelta(microseconds=1)
        return f"{sample.since.astimezone(dt.UTC):%d %b %Y} – {last.astimezone(dt.UTC):%d %b %Y}"

    @display(description=_("markets"))
    def markets_shown(self, sample: Sample) -> str:
        return ", ".join(sample.markets) or str(_("all"))

    @display(description=_("judged"))
    def progress(self, sample: Sample) -> str:
        told = getattr(sample, "told", None) or progress_of([sample.pk]).get(sample.pk) or (0, 0, 0)
        return f"{told[2]} / {told[0]}"

    # --- the page -----------------------------------------------------------------------------------------------
    def badge(self, sample: Sample) -> Badge:
        return Badge(sample.get_status_display(), "info" if is_open(sample) else "success")

    def facts(self, sample: Sample, request: HttpRequest) -> Sequence[Fact]:
        facts = [
            Fact(_("Of what"), sample.get_kind_display()),
            Fact(_("Period, UTC"), self.period(sample)),
            Fact(_("Markets"), self.markets_shown(sample)),
            Fact(_("Items asked for"), sample.size),
            Fact(_("Shared out"), sample.get_allocation_display()),
            Fact(_("Drawn by"), _("the clock") if sample.automatic else sample.created_by),
            Fact(_("Drawn"), sample.created_at),
            Fact(_("Closed"), sample.closed_at),
            Fact(_("Items and their chances"), Link(_("CSV"), admin_url(sample, "items"))),
        ]
        # With the seed one can tell what was drawn, which is nothing for those who judge it.
        if not is_open(sample) or Role.REVIEWER not in self.actor(request).roles:
            facts.append(Fact(_("Seed"), sample.seed))
        return facts

    def sections(self, sample: Sample, request: HttpRequest) -> Sequence[Section]:
        found = found_in(sample)
        return (
            Section(_("What it says"), _says(sample, found), note=_("Of the whole population, 95 %.")),
            Section(
                _("Part by part"),
                _strata(sample, found),
                note=_("The chance of each item to be drawn makes its weight."),
            ),
            Section(_("Where the audit differs"), self._differences(sample, self.actor(request))),
        )

    def _differences(self, sample: Sample, actor: Actor) -> Table:
        differing = (
            items_visible_to(actor)
            .disputed()
            .filter(sample=sample)
            .select_related("violation", "guild", "case__judgement")
        )
        rows = [
            [
                link_to(item, about(item)),
                ViolationStatus(item.decided).label if item.decided else None,
                opinion_badge(item.case.judgement.opinion) if item.case else None,
                Prose(item.case.judgement.reason) if item.case else None,
                Badge(_("settled"), "success") if item.settled_at else Badge(_("open"), "warning"),
            ]
            for item in differing.order_by("settled_at", "-pk")[:DIFFERENCES_SHOWN]
        ]
        headers = [_("About"), _("Decision"), _("Audit"), _("Why"), _("State")]
        every = Link(_("All items you may see"), list_url(SampleItem, f"sample__id__exact={sample.pk}"))
        return Table(headers, rows, empty=_("Nowhere so far."), more=every)

    # --- pages of its own -----------------------------------------------------------------------------------------
    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        return (
            *super().get_custom_urls(),
            ("doing/", "governance_sample_doing", self.doing_view),
            ("<path:object_id>/items.csv", "governance_sample_items", self.items_view),
        )

    def items_view(self, request: HttpRequest, object_id: str, model_admin: Any = None) -> HttpResponseBase:
        """Every item the reader may see, with its chance and what was said of it."""
        sample = self.object_or_404(request, object_id)
        rows = items_visible_to(self.actor(request)).filter(sample=sample)
        return csv_response(f"sample-{sample.public_id}", _item_rows(rows))

    def doing_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """One's own figures; an administrator may open those of each reviewer."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        actor = self.actor(request)
        people = reviewers_seen_by(actor)
        asked = request.GET.get("person", "")
        chosen = people.filter(pk=int(asked) if asked.isdecimal() else actor.user_id or 0).first()
        if chosen is None:
            raise PermissionDenied
        mine = chosen.pk == actor.user_id
        context = {
            **self.admin_site.each_context(request),
            "title": now_("How I am doing") if mine else now_("How %(who)s is doing") % {"who": chosen},
            "intro": intro_of(mine=mine),
            "sections": doing_sections(chosen, actor),
            "people": people if Role.ADMIN in actor.roles else (),
            "chosen": chosen,
        }
        return TemplateResponse(request, "admin/console/doing.html", context)

    # --- acts ---------------------------------------------------------------------------------------------------
    @act(
        label=_("Draw a sample"),
        roles=DRAWN_BY,
        form=DrawForm,
        question=_("First you see what would be drawn. Nobody is asked anything before you hand it out."),
        done=_("The sample is drawn. Hand it out when reviewers have room for it."),
        icon="casino",
        variant=ActionVariant.PRIMARY,
    )
    def draw(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        sample = sample_draw(
            actor=actor,
            kind=values["kind"],
            name=values["name"],
            since=midnight(values["since"]),
            until=midnight(values["until"]) + dt.timedelta(days=1),
            size=values["size"],
            markets=values["markets"],
            allocation=values["allocation"],
        )
        return admin_url(sample)

    @act(
        label=_("Weekly samples"),
        roles=DRAWN_BY,
        form=PlanForm,
        question=_("Each Monday the clock draws so many items of the week before, and hands them out."),
        done=_("From the next week on."),
        icon="event_repeat",
    )
    def plan(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        for kind in SampleKind:
            if values[kind.value] != weekly_size(kind):
                plan_set(actor=actor, kind=kind, weekly=values[kind.value], reason=values["reason"])
        return None

    @act(
        label=_("Hand out"),
        roles=DRAWN_BY,
        form=HandOutForm,
        question=_(
            "They become cases among the others. Whoever has judged a violation before is not asked about it again."
        ),
        done=_("They are in the queue."),
        when=is_open,
        icon="outbox",
        variant=ActionVariant.PRIMARY,
    )
    def hand_out(self, actor: Actor, sample: Sample, values: Mapping[str, Any]) -> Answer:
        sample_hand_out(actor=actor, sample_id=sample.pk, limit=values["items"])
        return None

    @act(
        label=_("Close"),
        roles=DRAWN_BY,
        question=_("What has been judged counts; what waits is taken out of the queue."),
        done=_("The sample is closed."),
        when=is_open,
        icon="lock",
    )
    def close(self, actor: Actor, sample: Sample, values: Mapping[str, Any]) -> Answer:
        sample_close(actor=actor, sample_id=sample.pk, reason=values["reason"])
        return None


def _says(sample: Sample, found: Found) -> Sequence[Fact]:
    judged = sum(stratum.judged for stratum in found.strata)
    unclear = sum(stratum.unclear for stratum in found.strata)
    told = Fact(
        _("Judged"),
        now_("%(judged)s of %(drawn)s, %(unclear)s of them could not be told")
        % {
            "judged": judged,
            "drawn": sum(stratum.drawn for stratum in found.strata),
            "unclear": unclear,
        },
    )
    population = Fact(_("Population"), f"{sum(stratum.population for stratum in found.strata):,}")
    if sample.kind == SampleKind.COVERAGE:
        return (
            Fact(_("Days with a violation nobody found"), estimate_shown(found.prevalence)),
            told,
            population,
        )
    return (
        Fact(_("Confirmed and right (precision)"), estimate_shown(found.precision)),
        Fact(_("Dismissed, yet a violation"), estimate_shown(found.missed)),
        Fact(_("Right of all decisions"), estimate_shown(found.accuracy)),
        told,
        population,
    )


def _strata(sample: Sample, found: Found) -> Table:
    of_days = sample.kind == SampleKind.COVERAGE
    rows = [
        [
            stratum.key,
            f"{stratum.population:,}",
            stratum.drawn,
            f"{100 * stratum.probability:.2f} %",
            stratum.handed,
            stratum.judged,
            stratum.right,
            stratum.wrong,
            stratum.unclear,
        ]
        for stratum in found.strata
    ]
    headers = [
        _("Part"),
        _("There are"),
        _("Drawn"),
        _("Chance of each"),
        _("Handed out"),
        _("Judged"),
        _("Nothing there") if of_days else _("Right"),
        _("A violation") if of_days else _("Wrong"),
        _("Cannot be told"),
    ]
    return Table(headers, rows)


def _item_rows(rows: QuerySet[SampleItem]) -> Iterator[Sequence[str]]:
    yield (
        *("sample", "stratum", "probability", "violation", "code", "guild", "day", "decided"),
        *("opinion", "code_seen", "judged_at", "settled_at", "led_to"),
    )
    columns = (
        *("sample__public_id", "stratum", "probability", "violation__public_id", "violation__code"),
        *("guild__external_id", "day", "decided", "case__judgement__opinion", "case__judgement__code"),
        *("case__judgement__created_at", "settled_at", "led_to"),
    )
    for row in rows.order_by("pk").values_list(*columns).iterator(chunk_size=2_000):
        yield [plain_cell(value) for value in row]
