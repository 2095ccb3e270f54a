"""What every page of the portal needs first: who is here, for which guild, in which time zone, and what they may do."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec
from zoneinfo import ZoneInfo

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from governance.notices.selectors import notices_of
from guilds.accounts.actor import Actor
from guilds.accounts.models import GuildUser
from guilds.accounts.selectors import seats_of
from guilds.errors import DomainError
from guilds.models import Guild

P = ParamSpec("P")

#: The session's key for the guild a person with several seats is working for.
GUILD_KEY = "portal_guild"


@dataclass(frozen=True)
class Visit:
    """One request by a person with a seat in a guild."""

    request: HttpRequest
    seat: GuildUser
    seats: int

    @functools.cached_property
    def actor(self) -> Actor:
        return Actor.guild_user(self.seat)

    @property
    def guild(self) -> Guild:
        return self.seat.guild

    def render(
        self, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200
    ) -> HttpResponse:
        """A page with the guild's header around it."""
        frame = {
            "seat": self.seat,
            "guild": self.guild,
            "several_guilds": self.seats > 1,
            "may_act": self.actor.may_act_for_guild(),
            "unread": notices_of(self.guild.pk).filter(read_at__isnull=True).count(),
            "zone_name": self.guild.market.timezone,
        }
        response = render(self.request, f"portal/{template}", {**frame, **(context or {})}, status=status)
        add_never_cache_headers(response)
        return response

    def refuse(self, reason: str, *, status: int, back: str = "") -> HttpResponse:
        """A page that says why not."""
        titles = {
            403: _("This is not yours to do"),
            404: _("There is no such page"),
            405: _("This page cannot be used that way"),
        }
        title = titles.get(status, _("This cannot be done now"))
        return self.render("refused.html", {"title": title, "reason": reason, "back": back}, status=status)


Page = Callable[Concatenate[Visit, P], HttpResponse]
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def page(*methods: str) -> Callable[[Page[P]], View[P]]:
    """Make a view of a function of a `Visit`: signed in, seated, in the market's time zone, with these methods only.

    A DomainError becomes a page with its reason and status. Nobody without a seat gets further than a page that says so.
    """

    def decorate(view: Page[P]) -> View[P]:
        def serve(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path() if request.method == "GET" else "/portal/")
            seats = list(seats_of(request.user))
            if not seats:
                return no_seat(request)
            chosen = request.session.get(GUILD_KEY)
            seat = next(
                (seat for seat in seats if seat.guild_id == chosen), seats[0] if len(seats) == 1 else None
            )
            if seat is None:
                return redirect("portal:choose_guild")
            visit = Visit(request, seat, len(seats))
            with timezone.override(ZoneInfo(seat.guild.market.timezone)):
                if request.method not in {*methods, "HEAD" if "GET" in methods else ""}:
                    response = visit.refuse(_("Go back and use the buttons of the page."), status=405)
                    response["Allow"] = ", ".join(methods)
                    return response
                try:
                    return view(visit, *args, **kwargs)
                except DomainError as refusal:
                    return visit.refuse(refusal.message, status=refusal.status)

        return functools.update_wrapper(serve, view)

    return decorate


def no_seat(request: HttpRequest) -> HttpResponse:
    """For staff, and for people whose seat was closed: signed in, but in no guild."""
    response = render(request, "portal/no_seat.html", {}, status=403)
    add_never_cache_headers(response)
    return response
