"""GET events: the ledger as a feed, for systems that catch up after being away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from governance.ledger.models import Event, EventQuerySet
from governance.ledger.selectors import events_visible_to
from guilds.accounts.actor import Actor
from guilds.accounts.api_auth import actor_of
from guilds.accounts.api_lists import RowSerializer, VisibleList
from guilds.accounts.enums import Scope

HIGHEST_ID = 2**63 - 1


class EventSerializer(RowSerializer):
    id = serializers.IntegerField(min_value=1)
    at = serializers.DateTimeField()
    act = serializers.CharField(help_text="noun.verb, such as penalty.applied.")
    object_type = serializers.CharField()
    object_id = serializers.CharField(help_text="Public id of the object.")
    actor_kind = serializers.ChoiceField(choices=Event.ActorKind.choices)
    actor_id = serializers.CharField(allow_blank=True)
    actor_label = serializers.CharField(allow_blank=True)
    guild = serializers.CharField(source="guild__external_id", allow_null=True)
    market = serializers.CharField(source="market__code", allow_null=True)
    before = serializers.DictField(help_text="The changed fields as they were.")
    after = serializers.DictField(help_text="The changed fields as they became.")
    reason = serializers.CharField(allow_blank=True)
    request_id = serializers.CharField(allow_blank=True)

    place = ("transaction",)

    def complete(self, rows: Sequence[dict[str, Any]], actor: Actor) -> None:
        """A guild learns what was decided, not which colleague decided it or what colleagues told each other."""
        if actor.guild_id is None:
            return
        for row in rows:
            if row["actor_kind"] == Event.ActorKind.STAFF:
                row |= {"actor_id": "", "actor_label": "", "reason": ""}


class EventIdFilter(django_filters.Filter):
    field_class = forms.IntegerField


class EventFilters(django_filters.FilterSet):
    act = django_filters.CharFilter()
    object_type = django_filters.CharFilter()
    object_id = django_filters.CharFilter()
    guild = django_filters.CharFilter(field_name="guild__external_id")
    market = django_filters.CharFilter(field_name="market__code")
    after = extend_schema_field({"type": "integer", "minimum": 1, "maximum": HIGHEST_ID})(
        EventIdFilter(
            method="following",
            label="Id of the last event already seen; those after it follow.",
            min_value=1,
            max_value=HIGHEST_ID,
        )
    )

    def following(self, queryset: EventQuerySet, name: str, event_id: int) -> QuerySet[Event]:
        seen = events_visible_to(actor_of(self.request)).filter(pk=event_id).first()
        if seen is None:
            raise ValidationError({name: [_("There is no such event in your feed.")]})
        return queryset.after(seen.transaction, seen.pk)


@extend_schema_view(
    get=extend_schema(
        operation_id="events_list",
        summary="Follow the ledger",
        description=(
            "Oldest first, in the order of the sealed chain; an event appears once every transaction before it has ended, "
            "so none ever appears behind one already read. To catch up, follow `next` to the end, and come back later with "
            "`after` and the id of the last event read."
        ),
        tags=["events"],
    )
)
class EventsView(VisibleList[Event]):
    required_scopes = {"GET": Scope.EVENTS_READ}
    queryset = Event.objects.none()
    visible_to = staticmethod(events_visible_to)
    page_order = ("transaction", "id")
    serializer_class = EventSerializer
    filterset_class = EventFilters
