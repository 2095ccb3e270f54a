"""The bodies of deliveries by the rules of CloudEvents 1.0, for every type that may leave.

Typed from the specification (github.com/cloudevents/spec, v1.0.2): required attributes, naming, types and, for HTTP, the
structured content mode.
"""

from __future__ import annotations

import json
import re
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

import pytest

from governance.models import Endpoint
from governance.webhooks.enums import WebhookType
from tests import factories
from tests.governance.webhooks.receiver import Receiver, deliver, happen

pytestmark = pytest.mark.django_db(transaction=True)

REQUIRED = {"id", "source", "specversion", "type"}
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def faults(event: dict[str, Any]) -> list[str]:
    found = [f"{name} is missing or empty" for name in sorted(REQUIRED) if not event.get(name)]
    found += [f"{name} is no name" for name in event if not re.fullmatch(r"[a-z0-9]{1,20}", name)]
    found += [f"{name} is no string" for name in event if name != "data" and not isinstance(event[name], str)]
    if event.get("specversion") != "1.0":
        found.append("specversion is not 1.0")
    if any(char.isspace() for char in str(event.get("source", ""))) or urlsplit(event["source"]).fragment:
        found.append("source is no URI reference")
    if "time" in event and not RFC3339.fullmatch(event["time"]):
        found.append("time is not RFC 3339")
    if "subject" in event and not event["subject"]:
        found.append("subject is empty")
    return found


@pytest.mark.parametrize("kind", WebhookType.values)
def test_every_type_leaves_as_a_cloudevent_in_structured_mode(
    kind: str, endpoint: Endpoint, receiver: Receiver
) -> None:
    Endpoint.objects.update(types=[kind])
    happen(kind, factories.guild("guild-é"))
    deliver()
    [(headers, body)] = receiver.requests
    event = json.loads(body.decode("utf-8"))
    assert faults(event) == []
    assert event["type"] == kind
    assert event["data"]["guild"] == "guild-é"
    message = Message()
    message["content-type"] = headers["content-type"]
    assert message.get_content_type() == "application/cloudevents+json"
    assert not [name for name in headers if name.startswith("ce-")], "that would be the binary mode"


def test_the_check_itself_finds_faults() -> None:
    good = {
        "specversion": "1.0",
        "id": "1",
        "source": "/guildhall",
        "type": "a.b",
        "time": "2026-01-01T00:00:00Z",
    }
    assert faults(good) == []
    for bad in (
        {"id": ""},
        {"specversion": "0.3"},
        {"time": "yesterday"},
        {"camelCase": "x"},
        {"id": 1},
        {"source": "a b"},
        {"subject": ""},
    ):
        assert faults(good | bad), bad
