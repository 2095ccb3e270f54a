"""Launches: the plan, the gates and who answers for them, the waves, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Min, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.launches import services
from governance.launches.calendar_grid import Month
from governance.launches.enums import LaunchStatus
from governance.launches.forms import LaunchForm, PlanForm, WaveForm, pks
from governance.launches.models import Launch
from governance.launches.owed import Standing, owed, standing_of, standings
from governance.launches.panels import (
    LAUNCH_VARIANTS,
    GateRow,
    WaveRow,
    blocks_of,
    gate_rows,
    launch_badge,
    wave_badge,
    wave_rows,
)
from governance.launches.selectors import OPEN_LAUNCHES, OPEN_WAVES, launches_visible_to, waves_between
from governance.launches.services.rollback import MAY_ROLL_BACK
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column
from guilds.console.page import (
    Badge,
    Fact,
    Link,
    Prose,
    Section,
    Table,
    Template,
    admin_url,
    link_to,
    list_url,
    severity_badge,
    shown,
)

#: Finished launches on the board, per column.
FINISHED_SHOWN = 12


def is_open(launch: Launch) -> bool:
    return launch.status in OPEN_LAUNCHES


@admin.register(Launch)
class LaunchAdmin(ConsoleAdmin[Launch]):
    intro = _(
        "A rule goes live by a launch and by nothing else: approved, announced, taught, signed by every team, market by market."
    )
    object_template = "admin/console/launch.html"
    list_display = (
        "title",
        "status_shown",
        "version",
        "owner",
        "waves_shown",
        "next_shown",
        moment_column("created_at", _("planned on")),
    )
    list_select_related = ("version__rule", "owner")
    list_filter = (("status", ChoicesDropdownFilter), ("waves__markets", RelatedDropdownFilter))
    search_fields = ("title",)
    search_help_text = _("Code of the rule, part of the title, or the launch's id")
    object_related = ("version__rule__risk", "owner")
    ordering = ("-id",)
    actions_list = ("plan",)
    actions_detail = ("add_wave", "change_plan", "cancel", "roll_back")

    def visible(self, actor: Actor) -> QuerySet[Launch]:
        return launches_visible_to(actor).annotate(
            wave_count=Count("waves", distinct=True),
            next_at=Min("waves__planned_at", filter=Q(waves__status__in=OPEN_WAVES)),
        )

    def matching(self, term: str) -> Q:
        return Q(version__rule__code__istartswith=term) | Q(title__icontains=term) | by_public_id(term)

    @display(description=_("status"), ordering="status")
    def status_shown(self, launch: Launch) -> str:
        return shown(launch_badge(launch))

    @display(description=_("waves"))
    def waves_shown(self, launch: Any) -> int:
        return int(launch.wave_count)

    @display(description=_("next wave"))
    def next_shown(self, launch: Any) -> str:
        return shown(launch.next_at)

    # --- the page -----------------------------------------------------------------------------------------------
    def badge(self, launch: Launch) -> Badge:
        return launch_badge(launch)

    def facts(self, launch: Launch, request: HttpRequest) -> Sequence[Fact]:
        version = launch.version
        facts = [
            Fact(_("Rule version"), link_to(version)),
            Fact(_("Severity"), severity_badge(version.severity)),
            Fact(_("Review"), version.get_review_display()),
            Fact(_("Status of the version"), version.get_status_display()),
            Fact(_("Owner"), launch.owner),
            Fact(
                _("Lesson completed by"), _("%(percent)d %% of guilds") % {"percent": launch.lesson_percent}
            ),
            Fact(_("Planned on"), launch.created_at),
        ]
        if launch.finished_at:
            facts.append(Fact(_("Finished"), launch.finished_at))
        if launch.finished_reason:
            facts.append(Fact(_("Why"), Prose(launch.finished_reason)))
        if launch.notes:
            facts.append(Fact(_("Notes"), Prose(launch.notes)))
        return facts

    def sections(self, launch: Launch, request: HttpRequest) -> Sequence[Section]:
        actor = self.actor(request)
        standing = standing_of(launch)
        waves: list[WaveRow] = wave_rows(launch, actor)
        gates: list[GateRow] = gate_rows(standing, actor, timezone.now().date())
        return (
            Section(
                _("In the way of the next wave"),
                Template("admin/console/launch_blocks.html", blocks_of(standing)),
            ),
            Section(
                _("Waves"),
                Template(
                    "admin/console/launch_waves.html",
                    {"rows": waves, "sending": any(row.sending for row in waves)},
                ),
                note=_("Each starts by itself at its time, if it has a go and nothing is in the way."),
            ),
            Section(
                _("Gates"),
                Template("admin/console/launch_gates.html", {"rows": gates}),
                note=_("%(passed)d of %(all)d passed")
                % {"passed": standing.passed, "all": len(standing.states)},
            ),
        )

    # --- acts ---------------------------------------------------------------------------------------------------
    @act(
        label=_("Plan a launch"),
        roles=(Role.LAUNCHER,),
        form=LaunchForm,
        question=_("It gets a gate for every team. Then you add waves: which markets, and when."),
        done=_("The launch is planned."),
        icon="rocket_launch",
        variant=ActionVariant.PRIMARY,
    )
    def plan(self, actor: Actor, _none: None, values: Mapping[str, Any]) -> Answer:
        launch = services.launch_create(
            actor=actor,
            version_id=values["version"].pk,
            title=values["title"],
            lesson_percent=values["lesson_percent"],
            notes=values["notes"],
        )
        return admin_url(launch)

    @act(
        label=_("Add a wave"),
        roles=(Role.LAUNCHER,),
        form=WaveForm,
        question=_(
            "Markets that start together. Guilds must be told in time: the notice of each market counts."
        ),
        done=_("The wave is planned."),
        when=lambda launch: is_open(launch) or launch.status == LaunchStatus.COMPLETED,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def add_wave(self, actor: Actor, launch: Launch, values: Mapping[str, Any]) -> Answer:
        services.wave_add(
            actor=actor,
            launch_id=launch.pk,
            market_ids=pks(values["markets"]),
            planned_at=values["planned_at"],
            share=values["share"],
            holdout=values["holdout"] or 0,
            name=values["name"],
        )
        return None

    @act(
        label=_("Change the plan"),
        roles=(Role.LAUNCHER,),
        form=PlanForm,
        done=_("Changed."),
        when=is_open,
        icon="edit",
    )
    def change_plan(self, actor: Actor, launch: Launch, values: Mapping[str, Any]) -> Answer:
        services.launch_change(
            actor=actor,
            launch_id=launch.pk,
            reason=values["reason"],
            title=values["title"],
            lesson_percent=values["lesson_percent"],
            notes=values["notes"],
            owner_id=values["owner"].pk,
        )
        return None

    @act(
        label=_("Give up"),
        roles=(Role.LAUNCHER,),
        question=_("None of its waves starts. Guilds that were told hear that the change does not come."),
        done=_("The launch is given up."),
        when=lambda launch: launch.status == LaunchStatus.PLANNING,
        icon="cancel",
    )
    def cancel(self, actor: Actor, launch: Launch, values: Mapping[str, Any]) -> Answer:
        services.launch_cancel(actor=actor, launch_id=launch.pk, reason=values["reason"])
        return None

    @act(
        label=_("Roll back"),
        roles=MAY_ROLL_BACK,
        question=_(
            "At once and in every market the version is out of force, and what it replaced is in force again. It is retired for "
            "good, waves to come are given up, and guilds that were told hear of it."
        ),
        done=_("Rolled back. What held before holds again."),
        when=lambda launch: launch.status in {LaunchStatus.RUNNING, LaunchStatus.COMPLETED},
        icon="undo",
        variant=ActionVariant.DANGER,
    )
    def roll_back(self, actor: Actor, launch: Launch, values: Mapping[str, Any]) -> Answer:
        services.launch_rollback(actor=actor, launch_id=launch.pk, reason=values["reason"])
        return None

    # --- pages beside the list ----------------------------------------------------------------------------------
    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        return (
            *super().get_custom_urls(),
            ("board/", "governance_launch_board", self.board_view),
            ("calendar/", "governance_launch_calendar", self.calendar_view),
            ("blockers/", "governance_launch_blockers", self.blockers_view),
        )

    def _page(self, request: HttpRequest, template: str, title: Any, context: dict[str, Any]) -> HttpResponse:
        context |= {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        return TemplateResponse(request, f"admin/console/{template}", context)

    def _require_reader(self, request: HttpRequest) -> Actor:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.actor(request)

    def board_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """Every launch as a card, in columns by status."""
        actor = self._require_reader(request)
        by_status: dict[str, list[Standing]] = {status: [] for status in LaunchStatus.values}
        for standing in standings(actor):
            by_status[standing.launch.status].append(standing)
        columns = [
            {
                "title": LaunchStatus(status).label,
                "variant": LAUNCH_VARIANTS[status],
                "open": status in OPEN_LAUNCHES,
                "cards": by_status[status] if status in OPEN_LAUNCHES else self._finished(actor, status),
                "more": list_url(Launch, f"status__exact={status}"),
            }
            for status in LaunchStatus.values
        ]
        return self._page(request, "launch_board.html", _("Board"), {"columns": columns})

    def _finished(self, actor: Actor, status: str) -> list[Launch]:
        found = launches_visible_to(actor).filter(status=status).select_related("version__rule", "owner")
        return list(found.order_by("-finished_at")[:FINISHED_SHOWN])

    def calendar_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """A month of waves, as a grid and as a list."""
        actor = self._require_reader(request)
        today = timezone.now().date()
        month = Month.asked(request.GET.get("month", ""), today)
        waves = list(waves_between(actor, month.since, month.until))
        rows = [
            [
                wave.live_at or wave.planned_at,
                link_to(wave.launch, f"{wave.launch.version} · {wave.launch.title}"),
                wave.number,
                ", ".join(market.code for market in wave.markets.all()),
                f"{wave.share} %",
                wave_badge(wave),
            ]
            for wave in waves
        ]
        headers = [_("When"), _("Launch"), _("Wave"), _("Markets"), _("Share"), _("Status")]
        return self._page(
            request,
            "launch_calendar.html",
            _("Calendar"),
            {
                "month": month,
                "weeks": [
                    [(day, [(wave, wave_badge(wave)) for wave in day.waves]) for day in week]
                    for week in month.weeks(waves, today)
                ],
                "table": Table(headers, rows, empty=_("No wave in these weeks.")),
            },
        )

    def blockers_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """One table: who owes what to which launch, overdue first."""
        actor = self._require_reader(request)
        today = timezone.now().date()
        found = owed(standings(actor), today)
        rows = [
            [
                Badge(_("Overdue"), "danger") if one.overdue else (one.due_on or ""),
                one.who or Badge(_("Nobody yet"), "warning"),
                one.team,
                link_to(one.launch, one.launch.version),
                one.what,
                one.why,
            ]
            for one in found
        ]
        headers = [_("Due"), _("Who"), _("Team"), _("Launch"), _("Owes"), _("Why it is not done")]
        return self._page(
            request,
            "launch_blockers.html",
            _("What blocks whom"),
            {
                "table": Table(headers, rows, empty=_("Nobody owes a launch anything.")),
                "overdue": sum(one.overdue for one in found),
                "unowned": sum(not one.who for one in found),
                "count": len(found),
            },
        )


def board_link() -> Link:
    return Link(_("Board"), reverse("admin:governance_launch_board"))
