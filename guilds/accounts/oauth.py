"""The token endpoint, narrowed to what Guildhall offers: client credentials (RFC 6749 §4.4) and nothing else.

Which scopes a client may ask for is in config/scopes.py.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from oauth2_provider.models import get_access_token_model
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.views import TokenView
from oauthlib.oauth2 import BackendApplicationServer

from guilds.accounts.models import Client


class ClientCredentialsServer(BackendApplicationServer):
    """Knows one grant; every other is an unsupported_grant_type, so no password or code is ever looked at."""


class ClientValidator(OAuth2Validator):
    def _load_application(self, client_id: str, request: Any) -> Client | None:
        # PostgreSQL refuses the character, where this means that there is no such client.
        return None if "\0" in client_id else super()._load_application(client_id, request)


class ClientTokenView(TokenView):
    """POST client credentials, get a token; errors in the form of RFC 6749 §5.2."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # The library would first look for the grant of devices, which it knows by a field of its own.
        answer: HttpResponse = self.authorization_flow_token_response(request)
        return answer


def tokens_forget() -> int:
    """Delete the tokens that have expired and return how many there were."""
    deleted: int = get_access_token_model().objects.filter(expires__lt=timezone.now()).delete()[0]
    return deleted
