"""Who reads a page of the console."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest

from guilds.accounts.actor import Actor
from guilds.accounts.models import User


def staff_actor(request: HttpRequest) -> Actor:
    """Who is asking, with roles and markets as they are now; read once a request."""
    known = getattr(request, "_console_actor", None)
    if known is None:
        known = Actor.staff(cast("User", request.user))
        request._console_actor = known  # type: ignore[attr-defined]
    return cast("Actor", known)
