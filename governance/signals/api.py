"""POST signals: CloudEvents in, one or many, each judged by itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.signals.services import BATCH_EVENTS, signals_ingest
from guilds.accounts.api_auth import actor_of
from guilds.accounts.api_media import StrictJsonParser, TooLarge, body_of
from guilds.accounts.enums import Scope
from guilds.accounts.idempotency import IDEMPOTENCY_PARAMETERS, idempotent


class CloudEventParser(StrictJsonParser):
    media_type = "application/cloudevents+json"


class CloudEventBatchParser(StrictJsonParser):
    media_type = "application/cloudevents-batch+json"


class CloudEventSerializer(serializers.Serializer[Any]):
    """A CloudEvent 1.0 in structured JSON form, with our extension attributes. For the schema only: the service judges
    events itself, thousands at a time."""

    specversion = serializers.ChoiceField(choices=[("1.0", "1.0")])
    id = serializers.CharField(help_text="Unique within the source; sending it again is free.")
    source = serializers.CharField(help_text="URI-reference of the detector, integration, report or audit.")  # type: ignore[assignment]
    type = serializers.CharField(help_text="What happened; rules name the types they watch.")
    time = serializers.DateTimeField(
        required=False, help_text="When it happened, RFC 3339; default: on receipt."
    )
    guild = serializers.CharField(required=False, help_text="The platform's id of the guild.")
    creator = serializers.CharField(
        required=False, help_text="The platform's id of the creator; the guild holding it then is charged."
    )
    market = serializers.CharField(
        required=False, help_text="Market code; registers an unknown guild provisionally."
    )
    data = serializers.DictField(required=False, help_text="The facts; `signal` in the conditions of rules.")  # type: ignore[assignment]


class EventFaultSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(allow_blank=True)
    message = serializers.CharField()


class RejectedEventSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="Place in the request, from 0.")
    id = serializers.CharField(allow_null=True, help_text="The event's id, where it had one.")
    errors = EventFaultSerializer(many=True)  # type: ignore[assignment]


class IngestReportSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField(help_text="New, stored, to be evaluated.")
    duplicates = serializers.IntegerField(help_text="Known by source and id; nothing was changed.")
    quarantined = serializers.IntegerField(
        help_text="Stored, waiting for the registry to know whom they are about."
    )
    rejected = RejectedEventSerializer(many=True)


INSPECTION = {
    "specversion": "1.0",
    "id": "citation-50071-3",
    "source": "/inspections/field",
    "type": "inspection.citation",
    "time": "2026-11-20T18:30:00Z",
    "guild": "g-1042",
    "creator": "c-88310",
    "market": "US-NY-MN",
    "data": {"critical": True, "action": "closed", "points": 28},
}
REPORT = {
    "accepted": 1,
    "duplicates": 0,
    "quarantined": 0,
    "rejected": [
        {"index": 1, "id": "citation-50071-4", "errors": [{"field": "time", "message": "Not a time."}]}
    ],
}


class SignalsView(APIView):
    required_scopes = {"POST": Scope.SIGNALS_WRITE}
    parser_classes = [StrictJsonParser, CloudEventParser, CloudEventBatchParser]

    @extend_schema(
        operation_id="signals_ingest",
        summary="Send signals",
        description=(
            "One CloudEvent or an array of up to 5,000, at most 10 MiB. Each event is judged by itself: one that is "
            "refused stands in `rejected` and never spoils the others, so the answer is 202 even if none was accepted. "
            "Sending an event again is free: (source, id) counts once."
        ),
        tags=["signals"],
        parameters=IDEMPOTENCY_PARAMETERS,
        request={
            "application/json": OpenApiTypes.ANY,
            "application/cloudevents+json": CloudEventSerializer,
            "application/cloudevents-batch+json": CloudEventSerializer(many=True),
        },
        responses={202: IngestReportSerializer},
        examples=[
            OpenApiExample("One event", INSPECTION, request_only=True),
            OpenApiExample(
                "One CloudEvent", INSPECTION, request_only=True, media_type="application/cloudevents+json"
            ),
            OpenApiExample(
                "A batch",
                [INSPECTION, {**INSPECTION, "id": "citation-50071-4"}],
                request_only=True,
                media_type="application/cloudevents-batch+json",
            ),
            OpenApiExample("One accepted, one refused", REPORT, response_only=True, status_codes=["202"]),
        ],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        events = _events(body_of(request), media_type)
        if len(events) > BATCH_EVENTS:
            asked = {"most": BATCH_EVENTS, "count": len(events)}
            raise TooLarge(_("One request may carry %(most)s events; this one has %(count)s.") % asked)
        report = signals_ingest(actor=actor_of(request), events=events)
        return Response(
            {
                "accepted": report.accepted,
                "duplicates": report.duplicates,
                "quarantined": report.quarantined,
                "rejected": list(report.rejected),
            },
            status=HTTPStatus.ACCEPTED,
        )


def _events(body: Any, media_type: str) -> list[Any]:
    """The events of a body; what is in each is the service's affair."""
    if isinstance(body, list) and media_type != CloudEventParser.media_type:
        return body
    if isinstance(body, dict) and media_type != CloudEventBatchParser.media_type:
        return [body]
    wanted = {
        CloudEventParser.media_type: _("one event, a JSON object"),
        CloudEventBatchParser.media_type: _("a JSON array of events"),
    }.get(media_type, _("an event or a JSON array of events"))
    raise ParseError(_("The body must be %(wanted)s.") % {"wanted": wanted})
