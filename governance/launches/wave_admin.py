"""The pages and acts of single waves; after an act the reader is back on the page of the launch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.launches import services
from governance.launches.enums import WaveStatus
from governance.launches.forms import DecideForm, WaveForm, WidenForm, pks
from governance.launches.gating import start_blocks
from governance.launches.models import Wave
from governance.launches.panels import wave_badge
from governance.launches.selectors import OPEN_WAVES
from governance.launches.services.rollback import MAY_ROLL_BACK
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, DialogForm, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import moment_column
from guilds.console.page import Badge, Fact, Link, Prose, Section, Table, admin_url, link_to, shown


class Sure(DialogForm):
    """Nothing to fill in: the question is enough."""


def is_coming(wave: Wave) -> bool:
    return wave.status in OPEN_WAVES


def is_live(wave: Wave) -> bool:
    return wave.status == WaveStatus.LIVE


@admin.register(Wave)
class WaveAdmin(ConsoleAdmin[Wave]):
    intro = _("The steps of launches: which markets start together, when, and for how many guilds.")
    list_display = (
        "title_shown",
        "status_shown",
        "markets_shown",
        moment_column("planned_at", _("planned start")),
        "share_shown",
        moment_column("live_at", _("live since")),
    )
    list_select_related = ("launch__version__rule",)
    list_filter = (("status", ChoicesDropdownFilter), ("markets", RelatedDropdownFilter))
    search_fields = ("launch__title",)
    search_help_text = _("Code of the rule")
    object_related = ("launch__version__rule__risk", "decided_by")
    ordering = ("-planned_at",)
    actions_detail = (
        "announce",
        "go",
        "no_go",
        "replan",
        "remove",
        "start",
        "widen",
        "end_holdout",
        "roll_back",
    )

    def visible(self, actor: Actor) -> QuerySet[Wave]:
        return Wave.objects.none() if actor.guild_id is not None else Wave.objects.prefetch_related("markets")

    def matching(self, term: str) -> Q:
        return Q(launch__version__rule__code__istartswith=term)

    @display(description=_("wave"))
    def title_shown(self, wave: Wave) -> str:
        return f"{wave.launch.version} · {wave.number}"

    @display(description=_("status"), ordering="status")
    def status_shown(self, wave: Wave) -> str:
        return shown(wave_badge(wave))

    @display(description=_("markets"))
    def markets_shown(self, wave: Wave) -> str:
        return ", ".join(sorted(market.code for market in wave.markets.all()))

    @display(description=_("share"))
    def share_shown(self, wave: Wave) -> str:
        return f"{wave.share} %"

    def headline(self, wave: Wave) -> str:
        return f"{wave.launch.version} · " + str(_("wave %(number)d") % {"number": wave.number})

    def badge(self, wave: Wave) -> Badge:
        return wave_badge(wave)

    def onward(self, wave: Wave, request: HttpRequest) -> Link | None:
        return Link(_("The launch"), admin_url(wave.launch), key="l")

    def facts(self, wave: Wave, request: HttpRequest) -> Sequence[Fact]:
        facts = [
            Fact(_("Launch"), link_to(wave.launch)),
            Fact(_("Markets"), self.markets_shown(wave)),
            Fact(_("Planned start"), wave.planned_at),
            Fact(_("Share of guilds"), f"{wave.share} %"),
            Fact(_("Holdout"), f"{wave.holdout} %"),
            Fact(_("Guilds told"), wave.announced_at),
            Fact(_("Decided by"), wave.decided_by),
            Fact(_("Live since"), wave.live_at),
            Fact(_("Ended"), wave.ended_at),
        ]
        if wave.reason:
            facts.append(Fact(_("Reason"), Prose(wave.reason)))
        if wave.blocked_reason:
            facts.append(Fact(_("Why it did not start"), Prose(wave.blocked_reason)))
        return facts

    def sections(self, wave: Wave, request: HttpRequest) -> Sequence[Section]:
        announcements = [
            [
                one.market.code,
                one.get_kind_display(),
                one.told_at,
                one.notice_days,
                f"{one.guilds_told} / {max(one.guilds, one.guilds_told)}",
                one.asked_at,
                one.sent_at or Badge(_("Being sent"), "info"),
            ]
            for one in wave.announcements.select_related("market").order_by("-id")[:100]
        ]
        headers = [_("Market"), _("What"), _("Start told"), _("Days"), _("Guilds"), _("Asked"), _("All told")]
        sections = [
            Section(_("What guilds were told"), Table(headers, announcements, empty=_("Nothing yet.")))
        ]
        if is_coming(wave):
            blocks = [[block.message] for block in start_blocks(wave, timezone.now())]
            sections.insert(
                0,
                Section(
                    _("What keeps it from starting now"),
                    Table([_("What")], blocks, empty=_("Nothing: it starts with the next sweep.")),
                ),
            )
        return sections

    # --- acts ---------------------------------------------------------------------------------------------------
    @act(
        label=_("Announce"),
        roles=(Role.LAUNCHER,),
        form=Sure,
        question=_(
            "Every guild of its markets gets a notice in its language: what the rule says, what a breach costs and from when; "
            "and the rule's lessons. The notice period counts from the day the last guild was told."
        ),
        done=_("Guilds are being told."),
        when=is_coming,
        icon="campaign",
        variant=ActionVariant.PRIMARY,
    )
    def announce(self, actor: Actor, wave: Wave, values: Mapping[str, Any]) -> Answer:
        services.wave_announce(actor=actor, wave_id=wave.pk)
        return admin_url(wave.launch)

    @act(
        label=_("Go"),
        roles=(Role.LAUNCHER,),
        form=DecideForm,
        question=_(
            "It starts by itself at its time, if by then the notice has run out and the lesson is learnt."
        ),
        done=_("It is a go."),
        when=lambda wave: wave.status in {WaveStatus.PLANNED, WaveStatus.NO_GO},
        icon="check",
        variant=ActionVariant.PRIMARY,
    )
    def go(self, actor: Actor, wave: Wave, values: Mapping[str, Any]) -> Answer:
        services.wave_decide(actor=actor, wave_id=wave.pk, decision="go", reason=values["reason"])
        return admin_url(wave.launch)

    @act(
        label=_("No go"),
        roles=(Role.LAUNCHER,),
        form=DecideForm,
        question=_("It does not start, whatever its time. It can be planned anew."),
        done=_("It is a no go."),
        when=lambda wave: wave.status in {WaveStatus.PLANNED, WaveStatus.GO},
        icon="block",
    )
    def no_go(self, actor: Actor, wave: Wave, values: Mapping[str, Any]) -> Answer:
        services.wave_decide(actor=actor, wave_id=wave.pk, decision="no_go", reason=values["reason"])
        return admin_url(wave.launch)

    @act(
        label=_("Change"),
        roles=(Role.LAUNCHER,),
        form=WaveForm,
        question=_(
            "Whatever was decided about it is open again. A date earlier than guilds were told is announced anew."
        ),
        done=_("The wave is changed."),
        when=is_coming,
        icon="edit",
    )
    def replan(self, actor: Actor, wave: Wave, values: Mapping[str, Any]) -> Answer:
        services.wave_change(
            actor=actor,
            wave_id=wave.pk,
            market_ids=pks(values["markets"]),
            planned_at=values["planned_at"],
            share=values["share"],
            holdout=values["holdout"] or 0,
            name=values["name"],
        )
        return admin_url(wave.launch)

    @act(
        label=_("Take out"),
        roles=(Role.LAUNCHER,),
        question=_("It leaves the plan. Guilds that were told hear that the change does not come."),
        done=_("The wave is taken out."),
        when=is_coming,
        icon="delete",
    )
    def remove(self, actor: Actor, wave: Wave, values: Mapping[str, Any]) -> Answer:
        services.wave_remove(actor=actor, wave_id=wave.pk, reason=values["reason"])
        return admin_url(wave.launch)

    @act(
        label=_("Start"),
        roles=(Role.LAUNCHER,),
        form=Sure,
        question=_(
            "Everything is asked anew. If anything is in the way, you are told, and it does not start."
        ),
        done=_("The wave is live."),
        when=lambda wave: wave.status == WaveStatus.GO,
        icon="play_arrow",
    )
    def start(self, actor: Actor, wave: Wave, values: Mapping[str, Any]) -> Answer:
        services.wave_start(actor=actor, wave_id=wave.pk)
        return admin_url(wave.launch)

    @act(
        label=_("Widen"),
        roles=(Role.LAUNCHER,),
        form=WidenForm,
        question=_("More guilds are governed from now on. A share never shrinks."),
        done=_("More guilds are governed."),
        when=lambda wave: is_live(wave) and wave.share < 100,
        icon="open_in_full",
        variant=ActionVariant.PRIMARY,
    )
    def widen(self, actor: Actor, wave: Wave, values: Mapping[str, Any]) -> Answer:
        services.wave_widen(actor=actor, wave_id=wave.pk, share=values["share"], reason=values["reason"])
        return admin_url(wave.launch)

    @act(
        label=_("End the holdout"),
        roles=(Role.LAUNCHER,),
        question=_("The guilds spared for comparison are governed as well from now on."),
        done=_("The holdout has ended."),
        when=lambda wave: is_live(wave) and wave.holdout > 0,
        icon="group_add",
    )
    def end_holdout(self, actor: Actor, wave: Wave, values: Mapping[str, Any]) -> Answer:
        services.holdout_end(actor=actor, wave_id=wave.pk, reason=values["reason"])
        return admin_url(wave.launch)

    @act(
        label=_("Roll back"),
        roles=MAY_ROLL_BACK,
        question=_(
            "At once the version is out of force in these markets, and what it replaced is in force again."
        ),
        done=_("Rolled back in these markets."),
        when=is_live,
        icon="undo",
        variant=ActionVariant.DANGER,
    )
    def roll_back(self, actor: Actor, wave: Wave, values: Mapping[str, Any]) -> Answer:
        services.wave_rollback(actor=actor, wave_id=wave.pk, reason=values["reason"])
        return admin_url(wave.launch)
