"""Addresses under /portal/ that lead nowhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render


def nowhere(request: HttpRequest, rest: str) -> HttpResponseBase:
    """404 in the portal's dress. A forgotten slash at the end is forgiven, which this catch-all hides from Django."""
    if rest and not rest.endswith("/") and request.method in {"GET", "HEAD"}:
        return redirect(f"{request.path}/", permanent=False)
    response: HttpResponse = render(request, "404.html", {}, status=404)
    return response
