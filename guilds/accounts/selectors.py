"""Questions about people: who they are, where they sit, what a name on the command line stands for."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.http import urlsafe_base64_decode
from django.utils.translation import gettext as _

from guilds.accounts.models import GuildUser, User
from guilds.errors import InvalidInput, NotFound
from guilds.registry.models import Guild, Market


def user_with_email(email: str) -> User | None:
    """The account of an address, whatever its capitals."""
    return User.objects.filter(email__iexact=email.strip()).first()


def user_of_link(uid: str, token: str, *, lock: bool = False) -> User | None:
    """Whose one-time link this is; None when it is spent, expired or made up, or the account is closed."""
    try:
        pk = int(urlsafe_base64_decode(uid))
        people = User.objects.select_for_update(of=("self",)) if lock else User.objects.all()
        user = people.filter(pk=pk, is_active=True).first()
    except (ValueError, OverflowError, ValidationError):
        return None
    return user if user and default_token_generator.check_token(user, token) else None


def seats_of(user: User) -> QuerySet[GuildUser]:
    """The guilds a person may act in or read, by name; with guild, market and user at hand. Empty for inactive accounts."""
    return (
        GuildUser.objects.filter(user=user, user__is_active=True, is_active=True)
        .select_related("guild__market", "user")
        .order_by("guild__name", "guild_id")
    )


def guild_named(external_id: str) -> Guild:
    """Raise NotFound when the registry does not know the guild."""
    guild = Guild.objects.filter(external_id=external_id).select_related("market").first()
    if guild is None:
        raise NotFound(
            _("There is no guild “%(guild)s”.") % {"guild": external_id}, code="unknown_guild", field="guild"
        )
    return guild


def markets_named(codes: Sequence[str]) -> list[Market]:
    """Raise InvalidInput naming every code that is no market."""
    found = {market.code: market for market in Market.objects.filter(code__in=codes)}
    unknown = sorted(set(codes) - found.keys())
    if unknown:
        raise InvalidInput(
            _("There is no market “%(codes)s”.") % {"codes": ", ".join(unknown)},
            code="unknown_market",
            field="market",
        )
    return [found[code] for code in dict.fromkeys(codes)]
