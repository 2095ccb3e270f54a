"""Replays: how far each has come, and the button that stops it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from governance.ledger.models import Event
from governance.webhooks.admin.badges import delivery_table, replay_badge
from governance.webhooks.enums import DeliveryStatus
from governance.webhooks.models import Replay
from governance.webhooks.services import replay_cancel
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column
from guilds.console.page import Badge, Fact, Prose, Section, link_to, shown


@admin.register(Replay)
class ReplayAdmin(ConsoleAdmin[Replay]):
    intro = _(
        "What happened in a period, sent to an endpoint once more under the ids of the first time. Begun on the endpoint's page."
    )
    list_display = (
        "endpoint",
        "state_shown",
        moment_column("since", _("since")),
        moment_column("until", _("until")),
        "queued",
        "asked_by",
        moment_column("asked_at", _("asked")),
    )
    list_select_related = ("endpoint", "asked_by")
    list_filter = (("endpoint", RelatedDropdownFilter),)
    search_fields = ("public_id",)
    search_help_text = _("The replay's id, or words of its endpoint's name")
    object_related = ("endpoint", "asked_by")
    ordering = ("-id",)
    actions_detail = ("cancel",)

    def matching(self, term: str) -> Q:
        return by_public_id(term) | Q(endpoint__name__icontains=term)

    @display(description=_("state"))
    def state_shown(self, replay: Replay) -> str:
        return shown(self.badge(replay))

    def badge(self, replay: Replay) -> Badge:
        return replay_badge(replay)

    def facts(self, replay: Replay, request: HttpRequest) -> Sequence[Fact]:
        counts = {
            row["status"]: row["found"]
            for row in replay.deliveries.order_by().values("status").annotate(found=Count("pk"))
        }
        reached = Event.objects.filter(pk=replay.last_event).values_list("at", flat=True).first()
        facts = [
            Fact(_("Endpoint"), link_to(replay.endpoint)),
            Fact(_("Since"), replay.since),
            Fact(_("Until"), replay.until),
            Fact(_("Types"), [Badge(kind) for kind in replay.types]),
            Fact(_("Why"), Prose(replay.reason)),
            Fact(_("Asked by"), replay.asked_by),
            Fact(_("Asked"), replay.asked_at),
            Fact(_("Reached"), replay.until if replay.finished_at else reached),
            Fact(_("Queued"), f"{replay.queued:,}"),
        ]
        facts += [
            Fact(DeliveryStatus(status).label, f"{counts[status]:,}")
            for status in DeliveryStatus.values
            if counts.get(status)
        ]
        return [
            *facts,
            Fact(_("Queued to its end"), replay.finished_at),
            Fact(_("Cancelled"), replay.cancelled_at),
        ]

    def sections(self, replay: Replay, request: HttpRequest) -> Sequence[Section]:
        latest = replay.deliveries.select_related("event").order_by("-id")[:20]
        return [Section(_("Latest deliveries"), delivery_table(latest, empty=_("Nothing is queued yet.")))]

    @act(
        label=_("Cancel"),
        question=_("Nothing more of it is queued, and what waits is not sent. What was sent stays sent."),
        done=_("The replay is cancelled."),
        roles=(Role.ADMIN,),
        when=lambda replay: (
            replay.cancelled_at is None
            and (
                replay.finished_at is None or replay.deliveries.filter(status=DeliveryStatus.PENDING).exists()
            )
        ),
        icon="cancel",
    )
    def cancel(self, actor: Actor, replay: Replay, values: Mapping[str, Any]) -> Answer:
        replay_cancel(actor=actor, replay_id=replay.pk, reason=values["reason"])
        return None
