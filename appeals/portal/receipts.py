"""The link in a mail that says it has arrived. No account is needed, and nothing about the guild is shown.

A GET changes nothing: mail scanners follow links. Made-up, expired and cancelled links look alike.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from appeals.portal.account import answers, plain_page
from governance.notices.mail import dispatch_id_of
from governance.notices.services import dispatch_confirm
from guilds.accounts.actor import Actor
from guilds.errors import NotFound


@answers("GET", "POST")
def receipt(request: HttpRequest, token: str) -> HttpResponse:
    if dispatch_id_of(token) is None:
        return _spent(request)
    if request.method != "POST":
        return plain_page(request, "receipt.html", {"confirmed": False})
    try:
        dispatch_confirm(actor=Actor.system("receipt link"), token=token)
    except NotFound:
        return _spent(request)
    return plain_page(request, "receipt.html", {"confirmed": True})


def _spent(request: HttpRequest) -> HttpResponse:
    return plain_page(request, "receipt.html", {"spent": True}, status=410)
