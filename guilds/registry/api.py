"""PUT guilds, PUT creators, POST registry: the platform tells who is who, and who held whom when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from guilds.accounts.actor import Actor
from guilds.accounts.api_auth import actor_of
from guilds.accounts.api_lists import one_named
from guilds.accounts.api_media import body_of
from guilds.accounts.enums import Scope
from guilds.accounts.idempotency import IDEMPOTENCY_PARAMETERS, idempotent
from guilds.errors import DomainError, InvalidInput
from guilds.registry.enums import GuildStatus, GuildTier
from guilds.registry.models import Activity, Creator, Guild, Membership
from guilds.registry.selectors import creators_visible_to, guilds_visible_to
from guilds.registry.services import registry_upsert

M = TypeVar("M", Guild, Creator)
COLLECTIONS = ("guilds", "creators", "memberships", "activity")


class ContactSerializer(serializers.Serializer[Any]):
    """An address that gets the guild's notices by mail."""

    email = serializers.EmailField(max_length=254)
    name = serializers.CharField(
        max_length=120, required=False, allow_blank=True, help_text="Desk or function, such as legal."
    )
    kinds = serializers.ListField(
        child=serializers.CharField(max_length=24),
        required=False,
        help_text="Kinds of notices it gets, such as penalty_imposed; none named: all.",
    )


class GuildFieldsSerializer(serializers.Serializer[Guild]):
    """What is left out stays as it is."""

    name = serializers.CharField(max_length=200, required=False)
    market = serializers.CharField(
        source="market.code", max_length=20, required=False, help_text="Market code; a new guild needs it."
    )
    tier = serializers.ChoiceField(choices=GuildTier.choices, required=False)
    status = serializers.ChoiceField(choices=GuildStatus.choices, required=False)
    onboarded_at = serializers.DateTimeField(required=False, allow_null=True)
    contacts = ContactSerializer(
        many=True, required=False, write_only=True, help_text="Replace those the guild had; at most 20."
    )


class GuildRowSerializer(GuildFieldsSerializer):
    external_id = serializers.CharField(max_length=120, help_text="The platform's own id.")


class GuildSerializer(GuildRowSerializer):
    provisional = serializers.BooleanField(help_text="True while the guild is known from signals only.")


class CreatorFieldsSerializer(serializers.Serializer[Creator]):
    name = serializers.CharField(max_length=200, required=False)
    market = serializers.CharField(
        source="market.code", default=None, allow_null=True, max_length=20, help_text="Market code."
    )


class CreatorSerializer(CreatorFieldsSerializer):
    external_id = serializers.CharField(max_length=120, help_text="The platform's own id.")


class MembershipSerializer(serializers.Serializer[Membership]):
    """The period in which the guild holds the creator; the end is exclusive, null or left out while it lasts."""

    guild = serializers.CharField()
    creator = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(required=False, allow_null=True)


class ActivitySerializer(serializers.Serializer[Activity]):
    """One guild-day of exposure, by the date in the guild's market."""

    guild = serializers.CharField()
    date = serializers.DateField()
    live_hours = serializers.DecimalField(max_digits=10, decimal_places=2, min_value=0)
    active_creators = serializers.IntegerField(min_value=0, max_value=2**31 - 1)
    gift_revenue = serializers.DecimalField(max_digits=14, decimal_places=2, min_value=0, required=False)


class RegistryBatchSerializer(serializers.Serializer[Any]):
    """Rows of any of the four kinds, applied in this order: guilds, creators, memberships, activity; all or nothing."""

    guilds = GuildRowSerializer(many=True, required=False)
    creators = CreatorSerializer(many=True, required=False)
    memberships = MembershipSerializer(many=True, required=False)
    activity = ActivitySerializer(many=True, required=False)


class UpsertReportSerializer(serializers.Serializer[Any]):
    """Rows created or changed; rows that said nothing new are not counted, save for activity, which is always written."""

    guilds = serializers.IntegerField()
    creators = serializers.IntegerField()
    memberships = serializers.IntegerField()
    activity = serializers.IntegerField()
    transfers = serializers.IntegerField(
        help_text="Memberships that ended because another guild took the creator over."
    )


BATCH_EXAMPLE = {
    "guilds": [{"external_id": "g-1042", "name": "Aurora Talent", "market": "US-NY-MN", "tier": "gold"}],
    "creators": [{"external_id": "c-88310", "market": "US-NY-MN"}],
    "memberships": [{"guild": "g-1042", "creator": "c-88310", "starts_at": "2026-11-01T00:00:00Z"}],
    "activity": [{"guild": "g-1042", "date": "2026-11-20", "live_hours": 412.5, "active_creators": 37}],
}


class RegistryView(APIView):
    required_scopes = {"POST": Scope.REGISTRY_WRITE}

    @extend_schema(
        operation_id="registry_upsert",
        summary="Upsert a batch",
        description=(
            "Guilds, creators, memberships and activity, up to 5,000 rows of each, by their outside keys; rows may refer to "
            "others of the same batch. Everything is written, or nothing and every fault is named. What a row leaves out "
            "stays as it is. A membership that starts while another guild holds the creator ends that one."
        ),
        tags=["registry"],
        parameters=IDEMPOTENCY_PARAMETERS,
        request=RegistryBatchSerializer,
        responses={200: UpsertReportSerializer},
        examples=[OpenApiExample("A batch", BATCH_EXAMPLE, request_only=True)],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        body = _object(body_of(request))
        unknown = [
            {
                "field": name,
                "message": _("Is not known; the fields are: %(known)s.") % {"known": ", ".join(COLLECTIONS)},
            }
            for name in body.keys() - set(COLLECTIONS)
        ]
        misshapen = [
            {"field": name, "message": _("Must be an array of rows.")}
            for name in COLLECTIONS
            if not isinstance(body.get(name, []), list)
        ]
        if unknown or misshapen:
            raise InvalidInput(_("The batch is faulty; nothing was written."), errors=[*unknown, *misshapen])
        report = registry_upsert(actor=actor_of(request), **body)
        return Response(asdict(report))


class GuildView(APIView):
    required_scopes = {"PUT": Scope.REGISTRY_WRITE}

    @extend_schema(
        operation_id="guilds_upsert",
        summary="Create or change a guild",
        tags=["registry"],
        request=GuildFieldsSerializer,
        responses={200: GuildSerializer, 201: GuildSerializer},
    )
    def put(self, request: Request, external_id: str) -> Response:
        guild, created = _upsert_one(request, "guilds", external_id, Guild.objects.all(), guilds_visible_to)
        return Response(GuildSerializer(guild).data, status=HTTPStatus.CREATED if created else HTTPStatus.OK)


class CreatorView(APIView):
    required_scopes = {"PUT": Scope.REGISTRY_WRITE}

    @extend_schema(
        operation_id="creators_upsert",
        summary="Create or change a creator",
        tags=["registry"],
        request=CreatorFieldsSerializer,
        responses={200: CreatorSerializer, 201: CreatorSerializer},
    )
    def put(self, request: Request, external_id: str) -> Response:
        creator, created = _upsert_one(
            request, "creators", external_id, Creator.objects.all(), creators_visible_to
        )
        return Response(
            CreatorSerializer(creator).data, status=HTTPStatus.CREATED if created else HTTPStatus.OK
        )


def _upsert_one(
    request: Request,
    kind: str,
    external_id: str,
    rows: QuerySet[M],
    visible_to: Callable[[Actor], QuerySet[M]],
) -> tuple[M, bool]:
    """The row after the upsert, and whether it is new. One that exists out of the caller's reach is NotFound."""
    actor, body = actor_of(request), _object(body_of(request))
    if body.get("external_id", external_id) != external_id:
        raise InvalidInput(_("Is another id than the address names."), field="external_id")
    row = {**body, "external_id": external_id}
    with transaction.atomic():
        exists = "\0" not in external_id and rows.filter(external_id=external_id).exists()
        if exists:
            one_named(visible_to(actor), external_id=external_id)
        try:
            registry_upsert(actor=actor, **{kind: [row]})
        except DomainError as refusal:
            # The service speaks of a batch; here there is one row, the body.
            for fault in refusal.errors:
                fault["field"] = fault["field"].removeprefix(f"{kind}[0]").removeprefix(".")
            raise
        return rows.select_related("market").get(external_id=external_id), not exists


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ParseError(_("The body must be a JSON object."))
    return body
