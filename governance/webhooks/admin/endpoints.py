"""Endpoints: who is told about events, how each is doing, its secret and its replays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Avg, Case, DateTimeField, FloatField, OuterRef, Q, QuerySet, Subquery, When
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from governance.webhooks.admin.badges import delivery_table, endpoint_badge, replay_badge
from governance.webhooks.enums import DeliveryStatus, WebhookType
from governance.webhooks.models import Delivery, DeliveryAttempt, Endpoint, Replay
from governance.webhooks.selectors import endpoint_health
from governance.webhooks.services import (
    endpoint_create,
    endpoint_rotate,
    endpoint_set_active,
    replay_ask,
)
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, DialogForm, ReasonForm, Reveal, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import moment_column
from guilds.console.page import (
    Badge,
    Fact,
    Link,
    Section,
    Table,
    admin_url,
    link_to,
    list_url,
    shown,
)


class EndpointForm(DialogForm):
    name = forms.CharField(label=_("Name"), max_length=120, widget=UnfoldAdminTextInputWidget())
    url = forms.URLField(
        label=_("Address"), max_length=500, assume_scheme="https", widget=UnfoldAdminURLInputWidget()
    )
    types = forms.MultipleChoiceField(
        label=_("What it is told"),
        choices=WebhookType.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    allow_private = forms.BooleanField(
        label=_("May be a private address"), required=False, widget=UnfoldBooleanSwitchWidget()
    )


class RotateForm(ReasonForm):
    field_order = ("keep_hours", "reason")
    keep_hours = forms.IntegerField(
        label=_("Hours the present secret signs as well"),
        initial=24,
        min_value=0,
        max_value=168,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("0 ends it at once, for a secret that has leaked."),
    )


class ReplayForm(DialogForm):
    first_day = forms.DateField(label=_("First day (UTC)"), widget=UnfoldAdminDateWidget())
    last_day = forms.DateField(label=_("Last day (UTC)"), widget=UnfoldAdminDateWidget())
    types = forms.MultipleChoiceField(
        label=_("What it is told again"), widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=2_000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["types"]
        assert isinstance(field, forms.MultipleChoiceField)
        heard = self.obj.types if self.obj is not None else []
        field.choices = [(kind, WebhookType(kind).label) for kind in heard]
        field.initial = heard


@admin.register(Endpoint)
class EndpointAdmin(ConsoleAdmin[Endpoint]):
    intro = _("Receivers of events by Standard Webhooks. A secret is shown once, when it is made.")
    list_display = (
        "name",
        "url",
        "types_shown",
        "active_shown",
        "success_shown",
        "oldest_shown",
        moment_column("created_at", _("made")),
    )
    search_fields = ("name",)
    ordering = ("name",)
    actions_list = ("create",)
    actions_detail = ("pause", "resume", "rotate", "replay")

    def visible(self, actor: Actor) -> QuerySet[Endpoint]:
        """All of them, each with its last day's share of tries that succeeded and the oldest delivery that waits."""
        since = timezone.now() - dt.timedelta(days=1)
        good = Case(When(response_status__range=(200, 299), then=1.0), default=0.0)
        share = (
            DeliveryAttempt.objects.filter(delivery__endpoint=OuterRef("pk"), at__gt=since)
            .order_by()
            .values("delivery__endpoint")
            .annotate(share=Avg(good))
            .values("share")
        )
        waiting = Delivery.objects.filter(endpoint=OuterRef("pk"), status=DeliveryStatus.PENDING).order_by(
            "created_at"
        )
        return Endpoint.objects.annotate(
            success_share=Subquery(share, output_field=FloatField()),
            oldest_waiting=Subquery(waiting.values("created_at")[:1], output_field=DateTimeField()),
        )

    def matching(self, term: str) -> Q:
        return Q(name__icontains=term) | Q(url__icontains=term)

    @display(description=_("types"))
    def types_shown(self, endpoint: Endpoint) -> str:
        return shown([Badge(kind) for kind in endpoint.types])

    @display(description=_("active"), ordering="is_active")
    def active_shown(self, endpoint: Endpoint) -> str:
        return shown(self.badge(endpoint))

    @display(description=_("succeeded, last day"))
    def success_shown(self, endpoint: Endpoint) -> str:
        return shown(_percent(getattr(endpoint, "success_share", None)))

    @display(description=_("oldest waiting"))
    def oldest_shown(self, endpoint: Endpoint) -> str:
        return shown(getattr(endpoint, "oldest_waiting", None))

    def badge(self, endpoint: Endpoint) -> Badge:
        return endpoint_badge(endpoint)

    def facts(self, endpoint: Endpoint, request: HttpRequest) -> Sequence[Fact]:
        health = endpoint_health(endpoint, timezone.now())
        facts = [
            Fact(_("Address"), endpoint.url),
            Fact(_("Types"), [Badge(kind) for kind in endpoint.types]),
            Fact(_("May be a private address"), endpoint.allow_private),
            Fact(_("Succeeded within a day"), _percent(health.success_rate)),
            Fact(_("Tries within a day"), f"{health.tries:,}"),
            Fact(_("Waiting"), f"{health.pending:,}"),
            Fact(_("Oldest waiting"), health.oldest_pending),
            Fact(_("Reached in the ledger"), f"{endpoint.last_transaction} / {endpoint.last_event}"),
            Fact(_("Made"), endpoint.created_at),
        ]
        if endpoint.failures:
            facts.append(Fact(_("Failing since"), endpoint.failing_since))
            facts.append(Fact(_("Failed in a row"), endpoint.failures))
        if endpoint.quiet_until is not None and endpoint.quiet_until > timezone.now():
            facts.append(Fact(_("Asked for a rest until"), endpoint.quiet_until))
        if endpoint.former_secret_until is not None:
            facts.append(Fact(_("Signed with the former secret too until"), endpoint.former_secret_until))
        if endpoint.disabled_reason:
            facts.append(Fact(_("Why it is disabled"), endpoint.disabled_reason))
        return facts

    def sections(self, endpoint: Endpoint, request: HttpRequest) -> Sequence[Section]:
        latest = endpoint.deliveries.select_related("event").order_by("-id")[:20]
        more = Link(_("Every delivery"), list_url(Delivery, f"endpoint__id__exact={endpoint.pk}"))
        asked = [
            [
                link_to(row, f"{row.asked_at:%d %b %Y %H:%M}"),
                replay_badge(row),
                row.since,
                row.until,
                row.queued,
            ]
            for row in Replay.objects.filter(endpoint=endpoint).order_by("-id")[:10]
        ]
        headers = [_("Asked"), _("State"), _("Since"), _("Until"), _("Queued")]
        return [
            Section(
                _("Latest deliveries"), delivery_table(latest, more=more, empty=_("Nothing delivered yet."))
            ),
            Section(_("Replays"), Table(headers, asked, empty=_("None."))),
        ]

    @act(
        label=_("New endpoint"),
        question=_("It is told what happens from now on. Its signing secret is shown once."),
        roles=(Role.ADMIN,),
        form=EndpointForm,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def create(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        endpoint = endpoint_create(
            actor=actor,
            name=values["name"],
            url=values["url"],
            types=values["types"],
            allow_private=values["allow_private"],
        )
        return _secret_shown(endpoint, _("New endpoint"))

    @act(
        label=_("Pause"),
        question=_("Nothing is sent until it is resumed; what happens meanwhile waits in the ledger."),
        done=_("The endpoint is paused."),
        roles=(Role.ADMIN,),
        when=lambda endpoint: endpoint.is_active,
        icon="pause",
    )
    def pause(self, actor: Actor, endpoint: Endpoint, values: Mapping[str, Any]) -> Answer:
        endpoint_set_active(actor=actor, endpoint_id=endpoint.pk, active=False, reason=values["reason"])
        return None

    @act(
        label=_("Resume"),
        question=_("It is sent everything that happened since it was paused."),
        done=_("The endpoint is active again."),
        roles=(Role.ADMIN,),
        when=lambda endpoint: not endpoint.is_active,
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
    )
    def resume(self, actor: Actor, endpoint: Endpoint, values: Mapping[str, Any]) -> Answer:
        endpoint_set_active(actor=actor, endpoint_id=endpoint.pk, active=True, reason=values["reason"])
        return None

    @act(
        label=_("New secret"),
        question=_(
            "The new secret is shown once. Until the present one ends, every message bears a signature of each, so that"
            " the receiver can change over in its own time."
        ),
        roles=(Role.ADMIN,),
        form=RotateForm,
        icon="key",
    )
    def rotate(self, actor: Actor, endpoint: Endpoint, values: Mapping[str, Any]) -> Answer:
        rotated = endpoint_rotate(
            actor=actor, endpoint_id=endpoint.pk, keep_hours=values["keep_hours"], reason=values["reason"]
        )
        return _secret_shown(rotated, _("New secret"))

    @act(
        label=_("Replay"),
        question=_(
            "What happened in these days is sent once more, in order and under the ids of the first time, so that a receiver"
            " that has it already can pass over it."
        ),
        roles=(Role.ADMIN,),
        form=ReplayForm,
        icon="replay",
    )
    def replay(self, actor: Actor, endpoint: Endpoint, values: Mapping[str, Any]) -> Answer:
        since = dt.datetime.combine(values["first_day"], dt.time(), dt.UTC)
        until = dt.datetime.combine(values["last_day"], dt.time(), dt.UTC) + dt.timedelta(days=1)
        asked = replay_ask(
            actor=actor,
            endpoint_id=endpoint.pk,
            since=since,
            until=min(until, timezone.now()),
            types=values["types"],
            reason=values["reason"],
        )
        return admin_url(asked)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _secret_shown(endpoint: Endpoint, title: Any) -> Reveal:
    return Reveal(
        title=title,
        rows=[(_("Signing secret"), endpoint.secret)],
        note=_("Store the secret in the receiving system now: it is not shown again."),
        next_url=admin_url(endpoint),
    )
