"""Where a guild's notices go, as the registry's upsert sees it.

Contacts are kept by the notices, above this package, which may not be imported from here; they plug themselves in when Django
starts (governance/apps.py). What cannot be kept is refused, so without them a row with contacts raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from guilds.accounts.actor import Actor

MOST = 20
FIELDS = frozenset({"email", "name", "kinds"})


class Keeper(Protocol):
    """Makes these the contacts of these guilds, by their keys; what else was there is removed."""

    def __call__(self, *, actor: Actor, contacts: Mapping[int, Sequence[Mapping[str, Any]]]) -> None: ...


_plugged_in: list[tuple[Keeper, frozenset[str]]] = []


def use(keeper: Keeper, *, kinds: Sequence[str]) -> None:
    """Called once, by whoever keeps contacts; `kinds` are the notices that a contact may ask for."""
    _plugged_in[:] = [(keeper, frozenset(kinds))]


def replace(*, actor: Actor, contacts: Mapping[int, Sequence[Mapping[str, Any]]]) -> None:
    if not _plugged_in:
        raise RuntimeError("nothing keeps contacts: the governance app is not installed")
    _plugged_in[0][0](actor=actor, contacts=contacts)


def read(value: Any) -> list[dict[str, Any]]:
    """The contacts of a row. Raises ValueError whose message says what is wrong with which, and how to cure it."""
    if not isinstance(value, list):
        raise ValueError('Must be an array of contacts, such as [{"email": "legal@guild.test"}].')
    if len(value) > MOST:
        raise ValueError(f"Has {len(value)} contacts; a guild has {MOST} at most.")
    found = [_read_one(index, item) for index, item in enumerate(value)]
    emails = [contact["email"].lower() for contact in found]
    if twice := sorted({email for email in emails if emails.count(email) > 1}):
        raise ValueError(f"Names {', '.join(twice)} twice: send each address once.")
    return found


def _read_one(index: int, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ValueError(f"[{index}] must be an object with an email.")
    if unknown := sorted(str(name)[:60].encode("utf-8", "replace").decode() for name in item.keys() - FIELDS):
        raise ValueError(f"[{index}] has the unknown field {unknown[0]}; the fields are: email, kinds, name.")
    email, name, kinds = item.get("email"), item.get("name", ""), item.get("kinds", [])
    try:
        if not isinstance(email, str) or len(email) > 254:
            raise ValidationError("not an address")
        validate_email(email)
    except ValidationError:
        raise ValueError(f"[{index}].email must be an e-mail address.") from None
    if not isinstance(name, str) or len(name) > 120 or not name.isprintable():
        raise ValueError(f"[{index}].name must be printable text of at most 120 characters.")
    known = _plugged_in[0][1] if _plugged_in else frozenset()
    if not isinstance(kinds, list) or any(not isinstance(kind, str) or kind not in known for kind in kinds):
        raise ValueError(f"[{index}].kinds must be a list of: {', '.join(sorted(known))}.")
    return {"email": email, "name": name.strip(), "kinds": kinds}
