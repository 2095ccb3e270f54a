"""`Idempotency-Key`: a creating POST may be repeated safely, and the repetition is answered as the first one was.

The answer is stored in the transaction of the act, under a lock on (client, key) that ends with it: there is no moment in
which the act stands and its answer does not, and a request that died leaves nothing behind that would block the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any

import orjson
from django.db import connection, transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from guilds.accounts.api_auth import client_of
from guilds.accounts.models import IdempotentAnswer
from guilds.errors import Conflict, DomainError, InvalidInput

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
LONGEST_KEY = 255
KEPT_FOR = timedelta(hours=24)

#: For the schema of every view with `@idempotent`.
IDEMPOTENCY_PARAMETERS = [
    OpenApiParameter(
        HEADER,
        {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": r"^[!-~]([ -~]*[!-~])?$"},
        OpenApiParameter.HEADER,
        description="Repeating the request with the same key within a day returns the first answer instead of acting again.",
    ),
    OpenApiParameter(
        REPLAYED,
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        description="`true` on an answer that was stored before.",
        response=[200, 201, 202],
    ),
]

Handler = Callable[..., Response]


def idempotent(handler: Handler) -> Handler:
    """Wrap the POST of an API view. Without the header it acts as ever.

    Same key and same request: the stored answer. Same key, another request: 422. The first still at work: 409. Answers
    below 500 are kept for a day, per client: nobody is ever served somebody else's.
    """

    @wraps(handler)
    def post(view: APIView, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return handler(view, request, *args, **kwargs)
        if not 1 <= len(key) <= LONGEST_KEY or not (key.isascii() and key.isprintable()):
            message = _("Give 1 to %(longest)s visible ASCII characters.") % {"longest": LONGEST_KEY}
            raise ValidationError({HEADER: [message]})
        client_id, fingerprint = client_of(request), _fingerprint(request)
        with transaction.atomic():
            _lock(client_id, key)
            stored = IdempotentAnswer.objects.filter(client_id=client_id, key=key).first()
            if stored and stored.created_at > timezone.now() - KEPT_FOR:
                return _replay(stored, fingerprint)
            try:
                with transaction.atomic():
                    response = handler(view, request, *args, **kwargs)
            except (DomainError, APIException, Http404) as refusal:
                response = view.handle_exception(refusal)
            if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                IdempotentAnswer.objects.update_or_create(
                    client_id=client_id,
                    key=key,
                    defaults={
                        "fingerprint": fingerprint,
                        "status": response.status_code,
                        "body": _storable(view, response),
                        "created_at": timezone.now(),
                    },
                )
        return response

    return post


def _fingerprint(request: Request) -> str:
    """SHA-256 of what was asked: method, path with query, media type, body."""
    asked = hashlib.sha256()
    for part in (request.method or "", request.get_full_path(), request.content_type or ""):
        asked.update(part.encode() + b"\n")
    asked.update(request._request.body)
    return asked.hexdigest()


def _lock(client_id: int, key: str) -> None:
    """Take the key until the transaction ends, or raise Conflict because somebody has it."""
    digest = hashlib.sha256(f"{client_id} {key}".encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], signed=True)])
        if not cursor.fetchone()[0]:
            raise Conflict(
                _("The first request with this key is still at work. Repeat it later."),
                code="request_in_progress",
            )


def _replay(stored: IdempotentAnswer, fingerprint: str) -> Response:
    if stored.fingerprint != fingerprint:
        raise InvalidInput(
            _("This key was used for another request. A new request needs a new key."),
            code="idempotency_key_reused",
            field=HEADER,
        )
    if stored.status is None:
        raise Conflict(
            _("The first request with this key is still at work. Repeat it later."),
            code="request_in_progress",
        )
    problem = stored.status >= HTTPStatus.BAD_REQUEST
    return Response(
        stored.body,
        status=stored.status,
        headers={REPLAYED: "true"},
        content_type="application/problem+json" if problem else None,
    )


def _storable(view: APIView, response: Response) -> Any:
    """The body as plain JSON. jsonb has no place for the NUL character, which a refused value may have contained."""
    rendered = view.get_renderers()[0].render(response.data)
    text = rendered.decode() if isinstance(rendered, bytes) else rendered
    return orjson.loads(text.replace("\\u0000", "\\ufffd"))


def answers_forget() -> int:
    """Delete the answers older than KEPT_FOR and return how many there were."""
    return IdempotentAnswer.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()[0]
