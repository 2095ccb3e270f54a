"""An integration from outside, over a socket: standard OAuth client, plain HTTP client, the contract and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.core.management import call_command
from oauthlib.oauth2 import BackendApplicationClient
from pytest_django.live_server_helper import LiveServer

from governance.models import Penalty
from governance.penalties.services import penalties_apply_due, sanctions_decide_due
from guilds.models import Guild
from tests import factories
from tests.api.caller import PROBLEM

pytestmark = pytest.mark.django_db(transaction=True)

Call = Callable[..., requests.Response]


@pytest.fixture(autouse=True)
def _plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # the test's own server has no certificate


def connect(live_server: LiveServer, *scopes: str, guild: str | None = None) -> Call:
    """A client made by command, its token got by oauthlib; returns how it calls."""
    printed = io.StringIO()
    bound = ["--guild", guild] if guild else []
    call_command("create_client", "outsider", "--scope", *scopes, *bound, stdout=printed)
    secrets = dict(line.split("=") for line in printed.getvalue().splitlines())
    oauth = BackendApplicationClient(secrets["client_id"])
    answer = requests.post(
        f"{live_server.url}/oauth/token/",
        data=oauth.prepare_request_body(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        auth=(secrets["client_id"], secrets["client_secret"]),
        timeout=10,
    )
    oauth.parse_request_body_response(answer.text, scope=list(scopes))
    session = requests.Session()

    def call(method: str, address: str, **options: Any) -> requests.Response:
        url, headers, _body = oauth.add_token(f"{live_server.url}/api/v1/{address}", method)
        return session.request(
            method, url, headers={**headers, **options.pop("headers", {})}, timeout=10, **options
        )

    return call


def test_from_registry_to_withdrawn_appeal(live_server: LiveServer) -> None:
    factories.market("FR", regime=factories.regime(appeal_days=15))
    platform = connect(
        live_server,
        *(
            "registry:write",
            "signals:write",
            "violations:read",
            "penalties:read",
            "penalties:ack",
            "events:read",
        ),
    )

    assert platform("PUT", "guilds/aurora", json={"name": "Aurora", "market": "FR"}).status_code == 201
    sent = platform(
        "POST",
        "signals",
        json={
            "specversion": "1.0",
            "id": "1",
            "source": "/detectors/gifts",
            "type": "test.signal",
            "time": "2026-03-01T12:00:00Z",
            "guild": "aurora",
            "data": {"bad": True},
        },
        headers={"Idempotency-Key": "first"},
    )
    assert (sent.status_code, sent.json()["accepted"]) == (202, 1)

    # What detection makes of signals is tested elsewhere; here it has found something.
    guild = Guild.objects.get(external_id="aurora")
    factories.violation(guild, status="confirmed")
    sanctions_decide_due(limit=10)
    penalties_apply_due()
    penalty = Penalty.objects.get()

    [violation] = platform("GET", "violations", params={"guild": "aurora", "status": "confirmed"}).json()[
        "results"
    ]
    [seen] = platform("GET", "penalties", params={"status": "in_force"}).json()["results"]
    standing = platform("GET", "guilds/aurora/standing").json()
    assert (seen["id"], seen["violation"]) == (str(penalty.public_id), violation["id"])
    assert (standing["score"], [entry["points"] for entry in standing["points"]]) == (90, [10])
    acknowledged = platform("POST", f"penalties/{seen['id']}/acknowledge")
    assert (acknowledged.status_code, acknowledged.json()["acknowledged_at"] is None) == (200, False)

    own = connect(live_server, "appeals:read", "appeals:write", guild="aurora")
    filing = {
        "penalty": seen["id"],
        "grounds": "facts_wrong",
        "statement": "The gifts came from viewers of another country.",
    }
    filed = own("POST", "appeals", json=filing)
    assert (filed.status_code, filed.json()["status"]) == (201, "open")
    assert own("POST", "appeals", json=filing).status_code == 409
    withdrawn = own("POST", f"appeals/{filed.json()['id']}/withdraw")
    assert (withdrawn.status_code, withdrawn.json()["status"]) == (200, "withdrawn")
    assert [appeal["status"] for appeal in own("GET", "appeals").json()["results"]] == ["withdrawn"]

    acts = [event["act"] for event in platform("GET", "events", params={"limit": 1000}).json()["results"]]
    told = [
        "penalty.scheduled",
        "penalty.applied",
        "penalty.acknowledged",
        "appeal.filed",
        "appeal.withdrawn",
    ]
    assert [act for act in acts if act in told] == told


def test_faults_over_the_socket_are_problems(live_server: LiveServer) -> None:
    call = connect(live_server, "signals:write")

    unauthorised = requests.get(f"{live_server.url}/api/v1/penalties", timeout=10)
    answers = {
        401: unauthorised,
        403: call("GET", "penalties"),
        404: call("GET", "nowhere"),
        405: call("GET", "signals"),
        400: call("POST", "signals", data=b"{", headers={"Content-Type": "application/json"}),
        415: call("POST", "signals", data=b"a,b", headers={"Content-Type": "text/csv"}),
        413: call("POST", "signals", data=b" " * (11 << 20), headers={"Content-Type": "application/json"}),
    }

    for status, answer in answers.items():
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM)
        assert answer.json()["status"] == status
