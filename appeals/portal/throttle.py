"""How often somebody may try to sign in: per account and address, so that nobody can lock another person out."""

from __future__ import annotations

import hashlib

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

ATTEMPTS = 10
WINDOW_SECONDS = 15 * 60


def _key(account: str, address: str) -> str:
    # Hashed, so that the cache holds no list of who signs in from where.
    return "sign-in:" + hashlib.sha256(f"{account.strip().lower()}\n{address}".encode()).hexdigest()


def attempt(account: str, address: str) -> bool:
    """Count an attempt; False when there were too many within the window. Without a cache nobody is kept out."""
    key = _key(account, address)
    try:
        cache.add(key, 0, WINDOW_SECONDS)
        return cache.incr(key) <= ATTEMPTS
    except ValueError:  # expired between the two calls
        return True
    except RedisError as error:
        log.warning("sign_in_not_throttled", error=str(error))
        return True


def forget(account: str, address: str) -> None:
    """After a success the count starts anew."""
    try:
        cache.delete(_key(account, address))
    except RedisError as error:
        log.warning("sign_in_not_throttled", error=str(error))
