"""Signing in and out, the first password, and the choice between several guilds."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from appeals.portal import throttle
from appeals.portal.forms import SignInForm
from appeals.portal.visit import GUILD_KEY, no_seat
from guilds.accounts.models import User
from guilds.accounts.selectors import seats_of, user_of_link
from guilds.accounts.services import link_accept
from guilds.errors import NotFound

P = ParamSpec("P")
Unseated = Callable[Concatenate[HttpRequest, P], HttpResponse]

BACKEND = "django.contrib.auth.backends.ModelBackend"


def answers(*methods: str) -> Callable[[Unseated[P]], Unseated[P]]:
    """For pages that need no seat: anything but these methods gets a page that says so."""

    def decorate(view: Unseated[P]) -> Unseated[P]:
        def serve(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method in methods or (request.method == "HEAD" and "GET" in methods):
                return view(request, *args, **kwargs)
            response = plain_page(request, "wrong_method.html", {}, status=405)
            response["Allow"] = ", ".join(methods)
            return response

        return functools.update_wrapper(serve, view)

    return decorate


@sensitive_post_parameters("password")
@answers("GET", "POST")
def sign_in(request: HttpRequest) -> HttpResponse:
    """One answer to every wrong pair, whether or not the account exists."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if request.method != "POST":
        if request.user.is_authenticated:
            return redirect(_landing(request, request.user, wanted))
        return plain_page(request, "login.html", {"form": SignInForm(), "next": wanted})
    form = SignInForm(request.POST)
    account, address = str(request.POST.get("email", ""))[:254], request.META.get("REMOTE_ADDR", "")
    if not throttle.attempt(account, address):
        form.full_clean()
        form.add_error(None, _("Too many attempts. Wait 15 minutes, then try again."))
        response = plain_page(request, "login.html", {"form": form, "next": wanted}, status=429)
        response["Retry-After"] = str(throttle.WINDOW_SECONDS)
        return response
    user = (
        authenticate(request, username=account.strip(), password=form.cleaned_data["password"])
        if form.is_valid()
        else None
    )
    if not isinstance(user, User):
        form.errors.clear()
        form.add_error(None, _("E-mail and password do not match an account."))
        return plain_page(request, "login.html", {"form": form, "next": wanted}, status=422)
    throttle.forget(account, address)
    login(request, user)
    return redirect(_landing(request, user, wanted))


def _landing(request: HttpRequest, user: User, wanted: str) -> str:
    """Where the person wanted to go, if it is ours; else the console for staff and the portal for guilds."""
    if wanted and url_has_allowed_host_and_scheme(
        wanted, {request.get_host()}, require_https=request.is_secure()
    ):
        return wanted
    return reverse("admin:index") if user.is_staff else reverse("portal:home")


@answers("POST")
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("portal:login")


@sensitive_post_parameters("new_password1", "new_password2")
@answers("GET", "POST")
def welcome(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """The one-time link of an invitation: sets the password and signs in. Used, expired and made-up links look alike."""
    user = user_of_link(uid, token)
    if user is None:
        return _link_spent(request)
    form = SetPasswordForm(user, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            user = link_accept(uid=uid, token=token, password=form.cleaned_data["new_password1"])
        except NotFound:
            return _link_spent(request)
        login(request, user, backend=BACKEND)
        return redirect("admin:index" if user.is_staff else "portal:home")
    status = 422 if form.errors else 200
    return plain_page(request, "welcome.html", {"form": form, "person": user}, status=status)


def _link_spent(request: HttpRequest) -> HttpResponse:
    return plain_page(request, "link_spent.html", {}, status=410)


@answers("GET", "POST")
def choose_guild(request: HttpRequest) -> HttpResponse:
    """For people with several seats. Only a POST changes the guild they work for."""
    if not isinstance(request.user, User):
        return redirect("portal:login")
    seats = list(seats_of(request.user))
    if not seats:
        return no_seat(request)
    if request.method == "POST":
        wanted = request.POST.get("guild", "")
        seat = next((seat for seat in seats if seat.guild.external_id == wanted), None)
        if seat is None:
            return plain_page(
                request,
                "choose_guild.html",
                {"seats": seats, "error": _("Choose one of your guilds.")},
                status=422,
            )
        request.session[GUILD_KEY] = seat.guild_id
        return redirect("portal:home")
    return plain_page(request, "choose_guild.html", {"seats": seats})


def plain_page(
    request: HttpRequest, template: str, context: dict[str, object], *, status: int = 200
) -> HttpResponse:
    """A page without a guild around it."""
    response = render(request, f"portal/{template}", context, status=status)
    add_never_cache_headers(response)
    return response
