"""What is dear to find out and may be some seconds old."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache
from redis.exceptions import RedisError

Kept = TypeVar("Kept")


def remembered(key: str, seconds: int, make: Callable[[], Kept]) -> Kept:
    """What the cache has, or what is made now. Without a cache everything is slower, not gone."""
    try:
        known: Kept | None = cache.get(key)
        if known is None:
            known = make()
            cache.set(key, known, seconds)
    except RedisError:
        return make()
    return known
