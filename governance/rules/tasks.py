"""The days of rules: what expires by itself."""

from __future__ import annotations

from celery import shared_task

from governance.rules.services import versions_expire_due


@shared_task(name="governance.rules.expire")
def expire() -> int:
    """Retire the versions whose expiry has come."""
    return versions_expire_due()
