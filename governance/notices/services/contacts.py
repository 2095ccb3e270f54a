"""Where a guild wants its notices to go by mail, beside the portal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from governance.ledger.services import Entry, record, record_many
from governance.notices.enums import DispatchStatus, NoticeKind
from governance.notices.models import Contact, Dispatch
from guilds.accounts.actor import Actor
from guilds.accounts.enums import GuildRole, Role
from guilds.errors import Conflict, InvalidInput, NotAllowed, NotFound
from guilds.models import Guild

#: Addresses one guild can have at a time.
MOST_CONTACTS = 20


def _locked_guild(actor: Actor, guild_id: int) -> Guild:
    """The guild, locked, when the actor may say where its notices go: its owner, or an administrator of its market."""
    guild = Guild.objects.select_for_update(of=("self",)).select_related("market").filter(pk=guild_id).first()
    if guild is None or (actor.guild_id is not None and actor.guild_id != guild_id):
        raise NotFound("There is no such guild.")
    if actor.kind == "guild_user":
        if not actor.has_role(GuildRole.OWNER):
            raise NotAllowed("Only an owner of the guild says where its notices go.", code="role_required")
    else:
        actor.require_role(Role.ADMIN, market_id=guild.market_id)
    return guild


def _locked_contact(actor: Actor, contact_id: int) -> tuple[Contact, Guild]:
    found = Contact.objects.filter(pk=contact_id, is_active=True)
    guild_id = found.values_list("guild_id", flat=True).first()
    if guild_id is None or (actor.guild_id is not None and actor.guild_id != guild_id):
        raise NotFound("There is no such contact.")
    guild = _locked_guild(actor, guild_id)
    contact = found.select_for_update(of=("self",)).first()
    if contact is None:
        raise NotFound("This contact was removed meanwhile.")
    return contact, guild


def _clean(contact: Contact) -> None:
    unknown = sorted(set(contact.kinds) - set(NoticeKind.values))
    if unknown:
        raise InvalidInput(f"There are no notices of the kind {', '.join(unknown)}.", field="kinds")
    try:
        contact.full_clean(validate_constraints=False)
    except ValidationError as error:
        faults = [{"field": field, "message": " ".join(words)} for field, words in error.message_dict.items()]
        raise InvalidInput("The contact has faults.", errors=faults) from error


def _state(contact: Contact) -> dict[str, Any]:
    return {"email": contact.email, "name": contact.name, "kinds": list(contact.kinds)}


def _entry(act: str, contact: Contact, guild: Guild, before: dict[str, Any], after: dict[str, Any]) -> Entry:
    return Entry(
        act=act,
        object_type=Contact.ledger_type,
        object_id=contact.public_id,
        before=before,
        after=after,
        guild_id=guild.pk,
        market_id=guild.market_id,
    )


def _cancel_pending(contact_ids: Sequence[int]) -> None:
    """What has not been sent yet to an address that no longer stands for the guild is not sent to it any more."""
    Dispatch.objects.filter(contact_id__in=contact_ids, status=DispatchStatus.PENDING).update(
        status=DispatchStatus.CANCELLED, next_attempt_at=None, error="The contact was removed."
    )


@transaction.atomic
def contact_add(
    *, actor: Actor, guild_id: int, email: str, name: str = "", kinds: Sequence[str] = ()
) -> Contact:
    """An address that gets the guild's notices from now on: of these kinds, or with none named of all. Records contact.added.

    An address that was removed before comes back as it is given now. Raises InvalidInput, Conflict for one the guild has.
    """
    guild = _locked_guild(actor, guild_id)
    email = email.strip()
    known = Contact.objects.filter(guild=guild, email__iexact=email).first()
    if known is not None and known.is_active:
        raise Conflict("The guild has this address already.", code="contact_exists", field="email")
    if Contact.objects.filter(guild=guild, is_active=True).count() >= MOST_CONTACTS:
        raise Conflict(f"A guild has {MOST_CONTACTS} contacts at most: remove one first.", code="too_many")
    contact = known or Contact(guild=guild)
    contact.email, contact.name, contact.kinds = email, name.strip(), sorted(set(kinds))
    contact.is_active = True
    _clean(contact)
    contact.save()
    record_many(actor=actor, entries=[_entry("contact.added", contact, guild, {}, _state(contact))])
    return contact


@transaction.atomic
def contact_change(
    *, actor: Actor, contact_id: int, email: str, name: str = "", kinds: Sequence[str] = ()
) -> Contact:
    """Change an address, what it stands for, or which kinds it gets. Mails under way go where they were sent.

    Records contact.changed.
    """
    contact, guild = _locked_contact(actor, contact_id)
    before, email = _state(contact), email.strip()
    others = Contact.objects.filter(guild=guild, email__iexact=email).exclude(pk=contact.pk)
    if others.exists():
        raise Conflict(
            "The guild has or had this address already: add it.", code="contact_exists", field="email"
        )
    contact.email, contact.name, contact.kinds = email, name.strip(), sorted(set(kinds))
    _clean(contact)
    if _state(contact) != before:
        contact.save()
        record_many(actor=actor, entries=[_entry("contact.changed", contact, guild, before, _state(contact))])
    return contact


@transaction.atomic
def contact_remove(*, actor: Actor, contact_id: int, reason: str = "") -> Contact:
    """Send nothing to the address any more; what it got stays on record. Records contact.removed."""
    contact, guild = _locked_contact(actor, contact_id)
    contact.is_active = False
    contact.save(update_fields=["is_active"])
    _cancel_pending([contact.pk])
    record(
        actor=actor,
        act="contact.removed",
        obj=contact,
        before=_state(contact),
        reason=reason,
        guild_id=guild.pk,
        market_id=guild.market_id,
    )
    return contact


@transaction.atomic
def contacts_replace(*, actor: Actor, contacts: Mapping[int, Sequence[Mapping[str, Any]]]) -> None:
    """Make these the contacts of these guilds (by key): {email, name?, kinds?} each; whatever else was there is removed.

    The caller has decided that the actor may write these guilds, has locked them, and has read the values: the registry's
    own upsert. Records contact.added, contact.changed and contact.removed where something changed.
    """
    stored: dict[tuple[int, str], Contact] = {
        (contact.guild_id, contact.email.lower()): contact
        for contact in Contact.objects.select_for_update(of=("self",))
        .filter(guild_id__in=contacts)
        .order_by("pk")
    }
    guilds = Guild.objects.in_bulk(list(contacts))
    entries: list[Entry] = []
    wanted: set[tuple[int, str]] = set()
    for guild_id, given in contacts.items():
        for one in given:
            key = (guild_id, one["email"].lower())
            wanted.add(key)
            contact = stored.get(key) or Contact(guild_id=guild_id, is_active=False)
            known = contact.is_active
            before = _state(contact) if known else {}
            contact.email, contact.name = one["email"], one.get("name", "")
            contact.kinds, contact.is_active = sorted(set(one.get("kinds") or ())), True
            after = _state(contact)
            if before == after:
                continue
            _clean(contact)
            contact.save()
            act = "contact.changed" if known else "contact.added"
            entries.append(_entry(act, contact, guilds[guild_id], before, after))
    gone = [contact for key, contact in stored.items() if contact.is_active and key not in wanted]
    entries += [
        _entry("contact.removed", contact, guilds[contact.guild_id], _state(contact), {}) for contact in gone
    ]
    if gone:
        Contact.objects.filter(pk__in=[contact.pk for contact in gone]).update(is_active=False)
        _cancel_pending([contact.pk for contact in gone])
    record_many(actor=actor, entries=entries)
