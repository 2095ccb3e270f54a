"""The writer of machine clients: each with the scopes, markets or guild it is bound to, and a secret shown once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.utils.translation import gettext as _
from oauth2_provider.generators import generate_client_secret

from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role, Scope
from guilds.accounts.models import Client
from guilds.accounts.policy import reach_refusal
from guilds.errors import InvalidInput
from guilds.recording import record
from guilds.registry.models import Guild, Market

LONGEST_NAME = 255


@transaction.atomic
def client_create(
    *,
    actor: Actor,
    name: str,
    scopes: Iterable[str],
    markets: Sequence[Market] = (),
    guild: Guild | None = None,
) -> tuple[Client, str]:
    """Make a machine client and return it with its secret, which is kept hashed and cannot be shown again.

    Without markets and guild it reaches everything its scopes allow. Raises InvalidInput (name, scope), NotAllowed (not an
    administrator, or reach beyond the actor's own). Records client.created.
    """
    actor.require_role(Role.ADMIN, market_id=guild.market_id if guild else None)
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME or "\0" in name:
        raise InvalidInput(
            _("Give a name of 1 to %(longest)s characters.") % {"longest": LONGEST_NAME}, field="name"
        )
    wanted = _checked(scopes)
    refusal = reach_refusal(
        actor, [market.pk for market in markets], everywhere=not markets and guild is None
    )
    if refusal:
        raise refusal
    secret = generate_client_secret()
    client = Client.objects.create(
        name=name,
        client_secret=secret,
        client_type=Client.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Client.GRANT_CLIENT_CREDENTIALS,
        allowed_scopes=wanted,
        guild=guild,
    )
    client.markets.set(markets)
    record(
        actor=actor,
        act="client.created",
        obj=client,
        after={
            "name": name,
            "scopes": wanted,
            "markets": sorted(market.code for market in markets) or "*",
            "guild": guild.external_id if guild else None,
        },
        guild_id=guild.pk if guild else None,
        market_id=guild.market_id if guild else None,
    )
    return client, secret


def _checked(scopes: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(str(scope) for scope in scopes))
    known = ", ".join(Scope.values)
    if not wanted:
        raise InvalidInput(_("Name at least one scope: %(scopes)s.") % {"scopes": known}, field="scope")
    for scope in wanted:
        if scope not in Scope.values:
            raise InvalidInput(
                _("There is no scope “%(scope)s”. Scopes: %(scopes)s.") % {"scope": scope, "scopes": known},
                code="unknown_scope",
                field="scope",
            )
    return wanted
