from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from guilds.accounts.actor import Actor
from guilds.accounts.enums import GuildRole
from guilds.accounts.selectors import guild_named
from guilds.accounts.services import guild_user_invite, one_time_link
from guilds.errors import DomainError


class Command(BaseCommand):
    help = "Give a person a seat in a guild's portal and print a one-time link to set the password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--guild", required=True, metavar="G", help="the guild's external id")
        parser.add_argument(
            "--role",
            metavar="R",
            help=f"{', '.join(GuildRole.values)}; default owner for a guild's first person, manager after",
        )
        parser.add_argument("--name", default="", help="shown to colleagues")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            seat = guild_user_invite(
                actor=Actor.system("invite_guild_user"),
                email=options["email"],
                guild=guild_named(options["guild"]),
                role=options["role"],
                name=options["name"],
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(one_time_link(seat.user))
