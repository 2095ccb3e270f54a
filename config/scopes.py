"""Which OAuth scopes a client may ask for, and which it gets when it asks for none."""

from __future__ import annotations

from typing import Any

from oauth2_provider.scopes import SettingsScopes


class ClientScopes(SettingsScopes):
    """A client's own allowed scopes, in both cases. Without a client: every scope there is, or none."""

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        if application is None:
            return list(super().get_available_scopes(application, request, *args, **kwargs))
        known = self.get_all_scopes()
        return [scope for scope in application.allowed_scopes if scope in known]

    def get_default_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        return [] if application is None else self.get_available_scopes(application, request)
