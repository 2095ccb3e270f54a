"""What the OpenAPI document says of every operation alike: the scope it needs and the problems it may answer with."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from drf_spectacular.contrib.django_oauth_toolkit import DjangoOAuthToolkitScheme
from drf_spectacular.openapi import AutoSchema

from config.problems import CONTENT_TYPE
from guilds.accounts.api_auth import scope_for
from guilds.accounts.enums import Scope

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail", "code", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": ["urn:guildhall:problem:insufficient_scope"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "For people: what is wrong and what to do."},
        "code": {"type": "string", "description": "For machines; stable."},
        "errors": {
            "type": "array",
            "description": "One entry per fault of a field; empty when no field is to blame.",
            "items": {"$ref": "#/components/schemas/ProblemError"},
        },
    },
}
PROBLEM_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["field", "message"],
    "properties": {
        "field": {"type": "string", "description": "Path, such as memberships[3].starts_at."},
        "message": {"type": "string"},
    },
}

#: Status → what it means here. Which operation may answer which: `_statuses`.
PROBLEMS = {
    HTTPStatus.BAD_REQUEST: "A parameter or the body cannot be understood; `errors` names the field.",
    HTTPStatus.UNAUTHORIZED: "No token, or one that is unknown or has expired.",
    HTTPStatus.FORBIDDEN: "The token lacks the scope, or the client may not do this.",
    HTTPStatus.NOT_FOUND: "There is no such object, or not for this client.",
    HTTPStatus.CONFLICT: "The state of the object does not allow this, or the same request is at work already.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "More than one request may carry.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of a type not listed here.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Understood, and refused by a rule; or an Idempotency-Key used for another request.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests by this client; Retry-After says when to come back.",
}


class BearerScheme(DjangoOAuthToolkitScheme):  # type: ignore[no-untyped-call]
    """Bearer tokens by client credentials, as security scheme `oauth2`, with the scope each operation needs."""

    target_class = "guilds.accounts.api_auth.BearerToken"

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, list[str]]:
        scope = scope_for(auto_schema.view, auto_schema.method)
        return {self.name: [str(scope)] if scope else []}

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        definition: dict[str, Any] = super().get_security_definition(auto_schema)  # type: ignore[no-untyped-call]
        definition["flows"]["clientCredentials"]["scopes"] = {
            scope.value: str(scope.label) for scope in Scope
        }
        return definition


def add_problems(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Postprocessing hook: give every operation its problem responses."""
    result["components"]["schemas"] |= {"Problem": PROBLEM, "ProblemError": PROBLEM_ERROR}
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            for status in _statuses(path, method, operation):
                operation["responses"][str(int(status))] = _response(status)
    return result


def _statuses(path: str, method: str, operation: dict[str, Any]) -> list[HTTPStatus]:
    takes_body = "requestBody" in operation
    writes = method != "get"
    may = {
        HTTPStatus.NOT_FOUND: "{" in path or writes,
        HTTPStatus.CONFLICT: writes,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: writes,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: takes_body,
        HTTPStatus.UNPROCESSABLE_ENTITY: writes,
    }
    return [status for status in PROBLEMS if may.get(status, True)]


def _response(status: HTTPStatus) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": PROBLEMS[status],
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    header = {
        HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate", "The challenge of RFC 6750."),
        HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After", "Seconds to wait."),
    }.get(status)
    if header:
        response["headers"] = {header[0]: {"description": header[1], "schema": {"type": "string"}}}
    return response
