from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from guilds.accounts.actor import Actor
from guilds.accounts.clients import client_create
from guilds.accounts.enums import Scope
from guilds.accounts.selectors import guild_named, markets_named
from guilds.errors import DomainError


class Command(BaseCommand):
    help = "Make a machine client and print its client_id and client_secret, the secret for the only time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--scope",
            action="extend",
            nargs="+",
            required=True,
            metavar="S",
            help=f"one or more of: {', '.join(Scope.values)}",
        )
        parser.add_argument(
            "--market",
            action="extend",
            nargs="+",
            default=[],
            metavar="M",
            help="market codes; none: every market",
        )
        parser.add_argument(
            "--guild", metavar="G", help="external id: the client sees and acts for this guild only"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            client, secret = client_create(
                actor=Actor.system("create_client"),
                name=options["name"],
                scopes=options["scope"],
                markets=markets_named(options["market"]),
                guild=guild_named(options["guild"]) if options["guild"] else None,
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"client_id={client.client_id}")
        self.stdout.write(f"client_secret={secret}")
