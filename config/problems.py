"""Every error of the API as `application/problem+json` (RFC 9457), whoever raised it.

Members: `type` (a URN per code), `title`, `status`, `detail`, `code` (stable, for machines) and `errors`, a list of
`{"field", "message"}` that is empty when no single field is to blame. Errors of /oauth/token/ keep the form of RFC 6749.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.utils.translation import gettext as _
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from guilds.accounts.api_media import TooLarge
from guilds.errors import DomainError

CONTENT_TYPE = "application/problem+json"
API_PREFIX = "/api/"

Fault = dict[str, Any]


def problem(status: int, code: str, detail: str, errors: Sequence[Fault] = ()) -> dict[str, Any]:
    """The body of a problem. The title depends on the code alone, as the RFC asks."""
    return {
        "type": f"urn:guildhall:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": int(status),
        "detail": detail,
        "code": code,
        "errors": list(errors),
    }


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """The problem for an exception of a view; None for one that nobody foresaw, which becomes a 500."""
    exc = _as_rest(exc)
    if isinstance(exc, DomainError):
        return _response(exc.status, exc.code, exc.message, exc.errors)
    if isinstance(exc, exceptions.ValidationError):
        faults = list(faults_in(exc.detail))
        named = [fault["field"] for fault in faults if fault["field"]]
        detail = (
            _("Not valid: %(fields)s.") % {"fields": ", ".join(dict.fromkeys(named))}
            if named
            else " ".join(fault["message"] for fault in faults)
        )
        return _response(exc.status_code, "invalid_request", detail, faults)
    if isinstance(exc, exceptions.APIException):
        return _response(exc.status_code, _code_of(exc), str(exc.detail), headers=_headers_of(exc))
    return None


def _as_rest(exc: Exception) -> Exception:
    """Django's own refusals in the terms of the framework above it."""
    if isinstance(exc, Http404):
        return exceptions.NotFound()
    if isinstance(exc, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(exc, RequestDataTooBig):
        return TooLarge()
    if isinstance(exc, SuspiciousOperation | BadRequest | UnreadablePostError):
        return exceptions.ParseError()
    return exc


def faults_in(detail: Any, path: str = "") -> Iterator[Fault]:
    """The messages of a validation error, each with the dotted path of its field: `memberships[3].starts_at`."""
    if isinstance(detail, Mapping):
        for name, part in detail.items():
            step = "" if name == "non_field_errors" else str(name)
            yield from faults_in(part, ".".join(filter(None, (path, step))))
    elif isinstance(detail, list | tuple):
        for index, part in enumerate(detail):
            nested = isinstance(part, Mapping | list | tuple)
            if part or not nested:  # a list of rows has an empty entry for every good one
                yield from faults_in(part, f"{path}[{index}]" if nested else path)
    else:
        yield {"field": path, "message": str(detail)}


def _code_of(exc: exceptions.APIException) -> str:
    """The exception's own code, in our words where DRF's says little."""
    code = exc.get_codes()
    renamed = {"error": "server_error", "throttled": "too_many_requests", "parse_error": "malformed_request"}
    return renamed.get(str(code), str(code))


def _headers_of(exc: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(exc, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    return headers


def _response(
    status: int, code: str, detail: str, errors: Sequence[Fault] = (), headers: dict[str, str] | None = None
) -> Response:
    return Response(
        problem(status, code, detail, errors), status=status, headers=headers, content_type=CONTENT_TYPE
    )


# --- errors outside of API views, such as an address nobody answers ---------------------------------------------------
def _plain(status: HTTPStatus, code: str, detail: str) -> JsonResponse:
    return JsonResponse(problem(status, code, detail), status=status, content_type=CONTENT_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not request.path_info.startswith(API_PREFIX):
        return defaults.bad_request(request, exception)
    return _plain(HTTPStatus.BAD_REQUEST, "malformed_request", _("The request cannot be understood."))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not request.path_info.startswith(API_PREFIX):
        return defaults.page_not_found(request, exception)
    return _plain(HTTPStatus.NOT_FOUND, "not_found", _("There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    if not request.path_info.startswith(API_PREFIX):
        return defaults.server_error(request)
    detail = _("Something went wrong on our side; it has been logged. The request may be repeated.")
    return _plain(HTTPStatus.INTERNAL_SERVER_ERROR, "server_error", detail)
