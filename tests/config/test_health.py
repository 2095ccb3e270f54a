"""The probes: serving is one thing, ready is another."""

import pytest
from django.test import Client

from config import health
from tests.worker import Worker


def test_healthz_is_200_without_database_or_worker(client: Client) -> None:
    answer = client.get("/healthz", HTTP_HOST="10.0.0.7")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


@pytest.mark.slow
def test_readyz_is_200_once_a_worker_answers(worker: Worker, client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "failing": {}}


@pytest.mark.slow
def test_readyz_names_the_worker_after_it_stopped(worker: Worker, client: Client) -> None:
    worker.stop()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "unavailable",
        "failing": {"worker": "no worker has shown a heartbeat lately"},
    }


@pytest.mark.django_db
def test_readyz_names_the_broker_and_what_hangs_on_it(
    client: Client, settings: object, tmp_path: object
) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody-listens.sock?db=0"  # type: ignore[attr-defined]
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["failing"] == {
        "broker": "does not answer: ConnectionError",
        "worker": "cannot be asked: the broker does not answer",
    }


def test_readyz_names_the_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    class Gone:
        def cursor(self) -> None:
            raise OperationalError("the server closed the connection")

        def close(self) -> None:
            pass

    monkeypatch.setattr(health, "connection", Gone())
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["failing"]["database"] == "does not answer: OperationalError"
