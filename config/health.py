"""Probes. They answer before every other middleware: asked by address and over plain HTTP, and not worth a log line."""

from __future__ import annotations

from collections.abc import Callable

import redis
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from config.celery import valkey, workers_alive


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"does not answer: {type(error).__name__}"
    return ""


def _broker() -> str:
    try:
        valkey().ping()
    except redis.RedisError as error:
        return f"does not answer: {type(error).__name__}"
    return ""


def _worker() -> str:
    try:
        alive = workers_alive()
    except redis.RedisError:
        return "cannot be asked: the broker does not answer"
    return "" if alive else "no worker has shown a heartbeat lately"


#: Part → what is wrong with it, empty when it answers.
PARTS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("database", _database),
    ("broker", _broker),
    ("worker", _worker),
)


def readiness() -> dict[str, str]:
    """The parts that do not answer, each with the reason."""
    return {name: wrong for name, probe in PARTS if (wrong := probe())}


class HealthMiddleware:
    """`/healthz`: 200 once the process serves. `/readyz`: 200 once every part answers, else 503 naming the failing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
        if request.path == "/readyz":
            failing = readiness()
            body = {"status": "unavailable" if failing else "ok", "failing": failing}
            if "database" in failing:
                connection.close()
            return JsonResponse(body, status=503 if failing else 200, headers={"Cache-Control": "no-store"})
        return self.get_response(request)
