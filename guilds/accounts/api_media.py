"""How the API reads and writes JSON: strictly, fast, and in no other format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import IO, Any

import orjson
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

MOST_BYTES = 10 * 1024 * 1024


class TooLarge(APIException):
    """More than one request may carry."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = _("The request body is larger than 10 MiB.")


class JsonOnly(BaseContentNegotiation):
    """Every answer is JSON, whatever the client says it accepts (RFC 9110 §12.4.1 allows that); bodies are parsed by type."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class StrictJsonParser(BaseParser):
    """RFC 8259 to the letter: UTF-8, no NaN, no lone surrogates, nesting bounded; at most MOST_BYTES."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        # Through `body`, which unlike the stream stops reading beyond DATA_UPLOAD_MAX_MEMORY_SIZE.
        body = parser_context["request"].body if parser_context else stream.read()
        if len(body) > MOST_BYTES:
            raise TooLarge
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(
                _("The body is not JSON: %(why)s.") % {"why": error}, code="malformed_json"
            ) from error


class JsonRenderer(JSONRenderer):
    """DRF's renderer behind a faster one, which refuses integers of more than 64 bits; PostgreSQL stores them."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        try:
            return orjson.dumps(data, default=_plain, option=orjson.OPT_UTC_Z)
        except orjson.JSONEncodeError:
            return bytes(super().render(data, accepted_media_type, renderer_context))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Promise | Decimal) else list(value)


def body_of(request: Request) -> Any:
    """The parsed body; ParseError when there is none, which DRF would take for an empty object."""
    if not request._request.body:
        raise ParseError(_("The request has no body."), code="malformed_request")
    return request.data
