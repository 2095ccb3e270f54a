"""Who has a case open right now: a few seconds' knowledge in Valkey, lost without harm."""

from __future__ import annotations

import time
from functools import lru_cache

import redis
import structlog
from django.conf import settings

from governance.review.models import Case
from guilds.models import User

log = structlog.get_logger(__name__)

#: A page that has not said so for this long is closed.
LOOKING_SECONDS = 45


def look(case: Case, user: User) -> None:
    """The user has the page open. Called by the page every few seconds; without Valkey nobody is seen."""
    key, now = _key(case), time.time()
    try:
        with _valkey().pipeline(transaction=False) as batch:
            batch.zadd(key, {str(user): now})
            batch.zremrangebyscore(key, "-inf", now - LOOKING_SECONDS)
            batch.expire(key, LOOKING_SECONDS)
            batch.execute()
    except redis.RedisError as error:
        log.warning("presence_not_noted", error=str(error))


def looking_at(case: Case, *, besides: User | None = None) -> list[str]:
    """The names of who has the case open, in alphabetical order, without `besides`."""
    try:
        found = _valkey().zrangebyscore(_key(case), time.time() - LOOKING_SECONDS, "+inf")
    except redis.RedisError as error:
        log.warning("presence_not_read", error=str(error))
        return []
    names = {str(name) for name in found}
    return sorted(names - {str(besides)} if besides else names)


def _key(case: Case) -> str:
    return f"guildhall:looking:{case.public_id}"


@lru_cache(maxsize=1)
def _valkey() -> redis.Redis:
    return redis.Redis.from_url(
        str(settings.CACHES["default"]["LOCATION"]),
        socket_connect_timeout=1,
        socket_timeout=1,
        decode_responses=True,
    )
