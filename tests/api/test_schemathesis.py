"""The OpenAPI document against the API: whatever it allows or forbids, no server error and no undocumented answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from guilds.accounts.enums import Scope
from tests.api.caller import Caller
from tests.api.world import World

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    ignored_auth,
]


def document() -> dict[str, Any]:
    """The document as /api/schema/ serves it."""
    generated = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    read: dict[str, Any] = json.loads(OpenApiJsonRenderer().render(generated, renderer_context={}))
    return read


schema = schemathesis.openapi.from_dict(document())
schema.app = WSGIHandler()


@pytest.fixture
def caller(db: None) -> Iterator[Caller]:
    """Every request here runs in the transaction of the test, whose connection Django would close after the first."""
    caller = Caller.with_scopes(*Scope)  # Django's test client connects these again when it is done
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield caller
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


def point_at_real_things(case: schemathesis.Case[Any], world: World) -> None:
    """Let every other generated id name an object that exists, or nothing beyond the 404 would ever be reached."""
    real = {
        "violations": world.ours.violation.public_id,
        "penalties": world.ours.penalty.public_id,
        "appeals": world.ours.appeal.public_id,
        "guilds": world.ours.guild.external_id,
        "creators": "aurora-creator",
        "insights": world.ours.violation.rule.code,
    }
    collection = case.operation.path.removeprefix("/api/v1/").partition("/")[0]
    for name, generated in (case.path_parameters or {}).items():
        if len(str(generated)) % 2 == 0 and collection in real:
            case.path_parameters[name] = str(real[collection])


@schema.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.slow
def test_the_api_keeps_to_its_document(case: schemathesis.Case[Any], world: World, caller: Caller) -> None:
    point_at_real_things(case, world)

    response = case.call(headers=caller.headers)

    case.validate_response(response, checks=CHECKS, headers=caller.headers)
