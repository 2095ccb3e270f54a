"""Who calls the API and what the token lets it do: bearer token → Actor, scope per method, requests per minute."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import redis
import structlog
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.utils.translation import gettext as _
from oauth2_provider.models import get_access_token_model
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from guilds.accounts.actor import Actor
from guilds.accounts.models import Client

if TYPE_CHECKING:  # it imports the classes of this module
    from rest_framework.views import APIView

log = structlog.get_logger(__name__)

MINUTE_SECONDS = 60


def actor_of(request: Request) -> Actor:
    """The client behind an authenticated request."""
    if not isinstance(request.auth, Actor):
        raise TypeError("the view does not authenticate with BearerToken")
    return request.auth


def client_of(request: Request) -> int:
    """The primary key of the client behind an authenticated request."""
    client_id = actor_of(request).client_id
    assert client_id is not None  # BearerToken makes actors of clients only
    return client_id


class BearerToken(BaseAuthentication):
    """RFC 6750, header only. The actor's reach is read anew with each request: taking a scope or market away works at once."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Actor] | None:
        scheme, _space, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        checksum = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
        found = (
            get_access_token_model()
            .objects.filter(token_checksum=checksum, application__isnull=False)
            .select_related("application")
            .first()
        )
        if found is None or found.is_expired():
            raise AuthenticationFailed(_("The token is unknown or has expired."), code="invalid_token")
        client: Client = found.application
        return AnonymousUser(), Actor.client(client, scopes=found.scope.split())

    def authenticate_header(self, request: Request) -> str:
        tried = "HTTP_AUTHORIZATION" in request.META
        return 'Bearer realm="api", error="invalid_token"' if tried else 'Bearer realm="api"'


class HasScope(BasePermission):
    """The view's `required_scopes` names one scope per method; a method that has none is not served."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, Actor):
            return False
        scope = scope_for(view, request.method or "")
        if scope is None:
            raise MethodNotAllowed(request.method or "")
        if scope not in request.auth.scopes:
            raise PermissionDenied(
                _("This needs a token with the scope %(scope)s.") % {"scope": scope},
                code="insufficient_scope",
            )
        return True


def scope_for(view: Any, method: str) -> str | None:
    """The scope a method of a view asks for; HEAD asks for that of GET."""
    required: dict[str, str] = getattr(view, "required_scopes", {})
    return required.get("GET" if method == "HEAD" else method)


class ClientRate(BaseThrottle):
    """At most settings.API_REQUESTS_PER_MINUTE by one client in one minute of the clock, counted in the cache.

    Without the cache nobody is held back: the limit protects the platform, the platform must not depend on it.
    """

    def allow_request(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, Actor):
            return True
        window = int(time.time()) // MINUTE_SECONDS
        key = f"api-rate:{request.auth.client_id}:{window}"
        try:
            cache.add(key, 0, timeout=2 * MINUTE_SECONDS)
            return bool(cache.incr(key) <= settings.API_REQUESTS_PER_MINUTE)
        except (redis.RedisError, ValueError) as error:  # ValueError: the key left between the two calls
            log.warning("api_rate_not_counted", error=str(error))
            return True

    def wait(self) -> float:
        return MINUTE_SECONDS - time.time() % MINUTE_SECONDS + 1
