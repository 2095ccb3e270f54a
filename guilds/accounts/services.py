"""The writers of people's accounts: staff, seats in guilds, and the one-time links that let them in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from guilds.accounts.actor import Actor, ActorKind
from guilds.accounts.enums import GuildRole, Role
from guilds.accounts.models import GuildUser, StaffRole, User
from guilds.accounts.policy import reach_refusal, roles_refusal, seat_refusal, staff_account_refusal
from guilds.accounts.selectors import user_of_link, user_with_email
from guilds.errors import InvalidInput, NotFound
from guilds.recording import record
from guilds.registry.models import Guild, Market

LONGEST_EMAIL = 254


def one_time_link(user: User) -> str:
    """An absolute address under which the person sets a password and is let in.

    Good once, and for settings.PASSWORD_RESET_TIMEOUT seconds: setting a password or signing in spends it.
    """
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return f"{settings.SITE_URL}/portal/welcome/{uid}/{default_token_generator.make_token(user)}/"


@transaction.atomic
def link_accept(*, uid: str, token: str, password: str) -> User:
    """Set the password of the person a one-time link belongs to. The link itself is the proof of who acts.

    The account is locked, so of two posts of one link the second raises NotFound, as for any link that is not good (any more).
    Records user.password_set.
    """
    person = user_of_link(uid, token, lock=True)
    if person is None:
        raise NotFound(_("This link has been used or has expired."), code="link_spent")
    person.set_password(password)
    person.save(update_fields=["password"])
    kind: ActorKind = "staff" if person.is_staff else "guild_user"
    actor = Actor(kind=kind, id=str(person.pk), label=person.email, user_id=person.pk)
    record(actor=actor, act="user.password_set", obj=person)
    return person


@transaction.atomic
def staff_create(
    *,
    actor: Actor,
    email: str,
    roles: Iterable[str],
    markets: Sequence[Market] = (),
    name: str = "",
    password: str | None = None,
) -> User:
    """Make a staff account, or give an existing one more roles and markets. Without markets a new account reaches all.

    Raises InvalidInput (address, role), Conflict (the person sits in a guild), NotAllowed (not an administrator, or
    markets beyond the actor's own). Records staff.created or staff.extended; nothing when nothing changed.
    """
    actor.require_role(Role.ADMIN)
    wanted = list(dict.fromkeys(str(role) for role in roles))
    address = _checked(email)
    person = _locked(user_with_email(address))
    everywhere = not markets and person is None
    refusal = (
        roles_refusal(wanted)
        or staff_account_refusal(holds_seat=person is not None and person.guild_seats.exists())
        or reach_refusal(actor, [market.pk for market in markets], everywhere=everywhere)
    )
    if refusal:
        raise refusal
    created = person is None
    if person is None:
        person = _new_account(address, name=name, password=password, is_staff=True, all_markets=everywhere)
    before = _staff_as_recorded(person)
    if not person.is_staff:
        person.is_staff = True
        person.save(update_fields=["is_staff"])
    held = set(person.staff_roles.values_list("role", flat=True))
    StaffRole.objects.bulk_create(StaffRole(user=person, role=role) for role in wanted if role not in held)
    if markets and not person.all_markets:
        person.markets.add(*markets)
    after = _staff_as_recorded(person)
    if created:
        record(actor=actor, act="staff.created", obj=person, after=after)
    elif after != before:
        record(actor=actor, act="staff.extended", obj=person, before=before, after=after)
    return person


@transaction.atomic
def guild_user_invite(
    *,
    actor: Actor,
    email: str,
    guild: Guild,
    role: str | None = None,
    name: str = "",
    password: str | None = None,
) -> GuildUser:
    """Give a person a seat in a guild's portal; the account is made when the address is new.

    Without a role the first person of a guild becomes owner and everybody after a manager. Inviting somebody who has the
    seat already changes nothing but a role named explicitly or a seat that was closed.
    Raises InvalidInput (address, role), Conflict (member of staff), NotAllowed (not an administrator of the market).
    Locks the guild row, so that two first invitations do not both make an owner. Records guild_user.invited.
    """
    actor.require_role(Role.ADMIN, market_id=guild.market_id)
    if role is not None and role not in GuildRole.values:
        raise InvalidInput(
            _("There is no role “%(role)s”. Roles: %(roles)s.")
            % {"role": role, "roles": ", ".join(GuildRole.values)},
            code="unknown_role",
            field="role",
        )
    address = _checked(email)
    Guild.objects.select_for_update(of=("self",)).get(pk=guild.pk)
    person = _locked(user_with_email(address))
    refusal = seat_refusal(is_staff=person is not None and (person.is_staff or person.is_superuser))
    if refusal:
        raise refusal
    person = person or _new_account(address, name=name, password=password)
    seat = GuildUser.objects.filter(user=person, guild=guild).first()
    if seat and seat.is_active and role in {None, seat.role}:
        return seat
    before = {"role": seat.role, "is_active": seat.is_active} if seat else {}
    if seat is None:
        first = not GuildUser.objects.filter(guild=guild, is_active=True).exists()
        seat = GuildUser(user=person, guild=guild, role=GuildRole.OWNER if first else GuildRole.MANAGER)
    seat.role = role or seat.role
    seat.is_active = True
    seat.full_clean(validate_unique=False)
    seat.save()
    record(
        actor=actor,
        act="guild_user.invited",
        obj=person,
        before=before,
        after={"guild": guild.external_id, "role": str(seat.role), "is_active": True},
        guild_id=guild.pk,
        market_id=guild.market_id,
    )
    return seat


def _checked(email: str) -> str:
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError as error:
        raise InvalidInput(
            _("“%(email)s” is not an e-mail address.") % {"email": address}, field="email"
        ) from error
    if len(address) > LONGEST_EMAIL:
        raise InvalidInput(_("This e-mail address is too long."), field="email")
    return address


def _locked(person: User | None) -> User | None:
    """The same account under a lock: whether it is staff or sits in a guild must not change while we decide."""
    return User.objects.select_for_update(of=("self",)).get(pk=person.pk) if person else None


def _new_account(
    address: str, *, name: str, password: str | None, is_staff: bool = False, all_markets: bool = False
) -> User:
    try:
        with transaction.atomic():
            return User.objects.create_user(
                address, password, name=name.strip(), is_staff=is_staff, all_markets=all_markets
            )
    except (ValidationError, IntegrityError) as error:
        raise InvalidInput(
            _("This account was made by somebody else just now, or its fields are not valid. Try again."),
            field="email",
        ) from error


def _staff_as_recorded(person: User) -> dict[str, object]:
    return {
        "is_staff": person.is_staff,
        "roles": sorted(person.staff_roles.values_list("role", flat=True)),
        "markets": "*" if person.all_markets else sorted(person.markets.values_list("code", flat=True)),
    }
