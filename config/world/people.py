"""The accounts of the demo world, and the actors they act as."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.contrib.auth.hashers import make_password

from config.world.spec import Person, World
from guilds.accounts.actor import Actor
from guilds.accounts.enums import GuildRole, Role
from guilds.accounts.services import guild_user_invite, staff_create
from guilds.models import Guild, User

SYSTEM = Actor.system("seed_demo")
CONSOLE, PORTAL = "/admin/", "/portal/"


@dataclass
class People:
    """Actors by role, reviewers with their error rates, and a seat per guild that has one."""

    staff: dict[str, Actor] = field(default_factory=dict)
    reviewers: list[tuple[Actor, Person]] = field(default_factory=list)
    owners: dict[str, Actor] = field(default_factory=dict)
    accounts: list[User] = field(default_factory=list)
    logins: list[dict[str, str]] = field(default_factory=list)

    def owner(self, guild: Guild) -> Actor:
        """Somebody who may act for the guild; invited when there is nobody yet, without a password."""
        if guild.external_id not in self.owners:
            seat = guild_user_invite(
                actor=SYSTEM,
                email=f"owner@{guild.external_id}.demo.guildhall.test",
                guild=guild,
                role=GuildRole.OWNER.value,
            )
            self.owners[guild.external_id] = Actor.guild_user(seat)
        return self.owners[guild.external_id]


def staff_hire(world: World) -> People:
    """The staff of world.yaml; accounts without a password until `passwords_set`."""
    people = People()
    for person in world.staff:
        user = staff_create(actor=SYSTEM, email=person.email, roles=[person.role], name=person.name)
        actor = Actor.staff(user)
        people.staff.setdefault(person.role, actor)
        if person.role == Role.REVIEWER:
            people.reviewers.append((actor, person))
        people.accounts.append(user)
        people.logins.append({"role": person.role, "email": person.email, "where": CONSOLE})
    return people


def portal_people_invite(world: World, people: People, guilds: Mapping[str, Guild]) -> None:
    """The people of the portal's guilds, in their languages."""
    for entry in world.portal:
        for person in entry.people:
            seat = guild_user_invite(
                actor=SYSTEM,
                email=person.email,
                guild=guilds[entry.guild],
                role=person.role,
                name=f"{entry.name}, {person.role}",
            )
            seat.user.language = person.language
            people.accounts.append(seat.user)
            if person.role == GuildRole.OWNER:
                people.owners[entry.guild] = Actor.guild_user(seat)
            people.logins.append(
                {"role": f"{person.role} of {entry.name}", "email": person.email, "where": PORTAL}
            )


def passwords_set(people: People) -> list[dict[str, str]]:
    """One password for all, drawn for this installation; returns the logins with it, as demo-logins.json has them."""
    password = secrets.token_urlsafe(9)
    # Hashed once: hashing is slow on purpose, and there are many of them.
    hashed = make_password(password)
    for user in people.accounts:
        user.password = hashed
    User.objects.bulk_update(people.accounts, ["password", "language"])
    return [{**login, "password": password} for login in people.logins]


def write_private(path: Path, content: object) -> None:
    """A JSON file for the owner of this installation only, replaced as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, ensure_ascii=False, indent=1)
    draft.replace(path)
