"""Which pages may do more than the site's content security policy allows."""

from __future__ import annotations

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

#: Path prefix → directives that replace the site's. No page may run inline scripts.
PAGE_POLICIES: tuple[tuple[str, dict[str, list[str]]], ...] = (
    # The console's widgets (Alpine) compile their expressions in the page and set styles on elements.
    ("/admin/", {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}),
    # The API browser carries one inline style sheet.
    ("/api/docs/", {"style-src": [SELF, UNSAFE_INLINE]}),
)


class PathPolicyMiddleware(CSPMiddleware):
    """The site's policy, with the additions of PAGE_POLICIES; a view's own decorator wins over both."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not hasattr(response, "_csp_update"):
            for prefix, directives in PAGE_POLICIES:
                if request.path_info.startswith(prefix):
                    response._csp_update = directives  # type: ignore[attr-defined]
        return super().process_response(request, response)
