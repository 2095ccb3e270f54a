"""Backtests in the console: asked for, watched, cancelled, gone on with, read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDateWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from governance.backtests.enums import BacktestStatus
from governance.backtests.models import Backtest
from governance.backtests.page import progress, sections_of
from governance.backtests.selectors import AT_WORK, backtests_visible_to, market_codes_of, versions_to_test
from governance.backtests.services import ROLES, backtest_cancel, backtest_go_on, backtest_request
from governance.rules.models import RuleVersion
from guilds.accounts.actor import Actor
from guilds.console.acts import Act, Answer, DialogForm, act, perform
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, csv_response, moment_column, plain_cell
from guilds.console.page import Badge, Fact, Prose, Section, Variant, admin_url, link_to, shown
from guilds.models import Market

STATUS_VARIANTS: dict[str, Variant] = {
    BacktestStatus.QUEUED: "default",
    BacktestStatus.RUNNING: "info",
    BacktestStatus.DONE: "success",
    BacktestStatus.CANCELLED: "warning",
    BacktestStatus.FAILED: "danger",
}
#: What is offered at first: the last three months.
USUAL_DAYS = 90


class NewBacktestForm(DialogForm):
    version = forms.ModelChoiceField(
        label=_("Version"), queryset=RuleVersion.objects.none(), widget=UnfoldAdminSelectWidget()
    )
    since = forms.DateField(label=_("First day"), widget=UnfoldAdminDateWidget())
    until = forms.DateField(
        label=_("Last day"), widget=UnfoldAdminDateWidget(), help_text=_("Included. UTC.")
    )
    markets = forms.MultipleChoiceField(
        label=_("Markets"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=_("None chosen: every market of yours in which the version holds."),
    )
    compare = forms.BooleanField(
        label=_("Compare with the version in force"),
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget(),
    )

    def __init__(self, *args: Any, version: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        codes = market_codes_of(self.actor)
        markets = Market.objects.order_by("name").values_list("code", "name")
        versions = cast("forms.ModelChoiceField[RuleVersion]", self.fields["version"])
        versions.queryset = versions_to_test(self.actor)
        cast("forms.MultipleChoiceField", self.fields["markets"]).choices = [
            (code, f"{name} ({code})") for code, name in markets if codes is None or code in codes
        ]
        today = timezone.now().date()
        self.fields["since"].initial = today - dt.timedelta(days=USUAL_DAYS)
        self.fields["until"].initial = today
        if version and version.isdigit():
            versions.initial = int(version)


class StopForm(DialogForm):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=2_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


def _prefilled(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The act with its form filled in from the address: `?version=` is the key of a rule version."""
    spec: Act = view.act  # type: ignore[attr-defined]

    def prefilled(self: BacktestAdmin, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        form = partial(spec.form, version=request.GET.get("version"))
        return perform(self, request, replace(spec, form=cast("type[DialogForm]", form)), object_id)

    prefilled.__name__ = view.__name__
    prefilled.__dict__.update(view.__dict__)
    return prefilled


@admin.register(Backtest)
class BacktestAdmin(ConsoleAdmin[Backtest]):
    intro = _(
        "What a wording would have found in the past, beside the one in force. Nothing is opened and nobody is told."
    )
    object_template = "admin/console/backtest.html"
    object_related = ("version__rule", "compared_with__rule", "requested_by")
    list_display = (
        "shown_version",
        "shown_status",
        moment_column("since", _("from")),
        moment_column("until", _("to")),
        "shown_markets",
        "shown_matches",
        "requested_by",
        moment_column("created_at", _("asked for")),
    )
    list_filter = (("status", ChoicesDropdownFilter),)
    search_fields = ("version__rule__code",)
    search_help_text = _("A rule's code, or the beginning of a backtest's id")
    ordering = ("-id",)
    actions_list = ("new",)
    actions_detail = ("go_on", "cancel")

    def visible(self, actor: Actor) -> QuerySet[Backtest]:
        return backtests_visible_to(actor)

    def matching(self, term: str) -> Q:
        return Q(version__rule__code__iexact=term) | by_public_id(term)

    # --- the list -----------------------------------------------------------------------------------------------
    @display(description=_("version"), ordering="version__rule__code")
    def shown_version(self, backtest: Backtest) -> str:
        return str(backtest.version)

    @display(description=_("status"), ordering="status")
    def shown_status(self, backtest: Backtest) -> str:
        return shown(self.badge(backtest))

    @display(description=_("markets"))
    def shown_markets(self, backtest: Backtest) -> str:
        return ", ".join(backtest.markets) or str(_("all"))

    @display(description=_("found"))
    def shown_matches(self, backtest: Backtest) -> str:
        return f"{backtest.result['totals']['tested']['matches']:,}" if backtest.result else "–"

    # --- the page -----------------------------------------------------------------------------------------------
    def badge(self, backtest: Backtest) -> Badge:
        return Badge(backtest.get_status_display(), STATUS_VARIANTS[backtest.status])

    def facts(self, backtest: Backtest, request: HttpRequest) -> Sequence[Fact]:
        last = backtest.until - dt.timedelta(seconds=1)
        facts = [
            Fact(_("Version"), link_to(backtest.version)),
            Fact(
                _("Compared with"),
                link_to(backtest.compared_with) or _("nothing: no other version is in force"),
            ),
            Fact(_("Span"), f"{backtest.since:%d %b %Y} – {last:%d %b %Y}"),
            Fact(_("Markets"), self.shown_markets(backtest)),
            Fact(_("Asked for by"), backtest.requested_by),
            Fact(_("Asked for"), backtest.created_at),
            Fact(_("Ended"), backtest.finished_at),
        ]
        if backtest.seconds:
            rate = backtest.signals_done / backtest.seconds
            facts.append(Fact(_("Signals a second"), f"{rate:,.0f}"))
        if backtest.spec != backtest.version.spec:
            facts.append(
                Fact(
                    _("Wording"),
                    Prose(
                        str(_("The version has been changed since. This was run:\n")) + backtest.spec["when"]
                    ),
                )
            )
        if backtest.error:
            facts.append(Fact(_("What went wrong"), Prose(backtest.error)))
        return facts

    def sections(self, backtest: Backtest, request: HttpRequest) -> Sequence[Section]:
        return sections_of(backtest, request.GET.get("samples", ""))

    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        return (
            *super().get_custom_urls(),
            ("<path:object_id>/progress/", "governance_backtest_progress", self.progress_view),
            ("<path:object_id>/hits.csv", "governance_backtest_hits", self.hits_view),
        )

    def progress_view(self, request: HttpRequest, object_id: str, model_admin: Any = None) -> HttpResponse:
        """The progress bar alone, for htmx; a run that has ended loads the page anew."""
        backtest = self.object_or_404(request, object_id)
        if backtest.status not in AT_WORK:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "admin/console/backtest_progress.html", progress(backtest))

    def hits_view(self, request: HttpRequest, object_id: str, model_admin: Any = None) -> HttpResponseBase:
        """Every hit of both sides as CSV, in order of time."""
        backtest = self.object_or_404(request, object_id)
        return csv_response(f"backtest-{backtest.public_id}", _hit_rows(backtest))

    # --- acts ---------------------------------------------------------------------------------------------------
    @_prefilled
    @act(
        label=_("New backtest"),
        roles=ROLES,
        form=NewBacktestForm,
        question=_("It runs in the background over the signals of these days and changes nothing."),
        done=_("The backtest is queued."),
        icon="history",
        variant=ActionVariant.PRIMARY,
    )
    def new(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        backtest = backtest_request(
            actor=actor,
            version_id=values["version"].pk,
            since=_midnight(values["since"]),
            until=_midnight(values["until"]) + dt.timedelta(days=1),
            markets=values["markets"],
            compare=values["compare"],
        )
        return admin_url(backtest)

    @act(
        label=_("Cancel"),
        roles=ROLES,
        form=StopForm,
        question=_("It stops at once and can go on later from where it was."),
        done=_("The backtest is cancelled."),
        when=lambda backtest: backtest.status in (*AT_WORK, BacktestStatus.FAILED),
        icon="stop_circle",
    )
    def cancel(self, actor: Actor, backtest: Backtest, values: Mapping[str, Any]) -> Answer:
        backtest_cancel(actor=actor, backtest_id=backtest.pk, reason=values["reason"])
        return None

    @act(
        label=_("Go on"),
        roles=ROLES,
        form=StopForm,
        question=_("It goes on from where it stopped."),
        done=_("The backtest goes on."),
        when=lambda backtest: backtest.status in (BacktestStatus.CANCELLED, BacktestStatus.FAILED),
        icon="play_circle",
        variant=ActionVariant.PRIMARY,
    )
    def go_on(self, actor: Actor, backtest: Backtest, values: Mapping[str, Any]) -> Answer:
        backtest_go_on(actor=actor, backtest_id=backtest.pk, reason=values["reason"])
        return None


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)


def _hit_rows(backtest: Backtest) -> Iterator[Sequence[str]]:
    yield ("side", "occurred_at", "guild", "creator", "market", "signal")
    rows = backtest.hits.order_by("occurred_at", "id").values_list(
        "side", "occurred_at", "guild__external_id", "creator__external_id", "market__code", "signal_id"
    )
    for side, moment, guild, creator, market, signal_id in rows.iterator(chunk_size=5_000):
        yield [plain_cell(value) for value in (side, moment, guild, creator, market, signal_id)]
