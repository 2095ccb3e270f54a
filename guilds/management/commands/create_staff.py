from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.accounts.selectors import markets_named
from guilds.accounts.services import one_time_link, staff_create
from guilds.errors import DomainError


class Command(BaseCommand):
    help = "Make a staff account, or give one more roles and markets, and print a one-time link to set its password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument(
            "--role",
            action="append",
            required=True,
            metavar="R",
            help=f"repeatable: {', '.join(Role.values)}",
        )
        parser.add_argument(
            "--market",
            action="append",
            default=[],
            metavar="M",
            help="market code, repeatable; none: every market",
        )
        parser.add_argument("--name", default="", help="shown to colleagues")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            person = staff_create(
                actor=Actor.system("create_staff"),
                email=options["email"],
                roles=options["role"],
                markets=markets_named(options["market"]),
                name=options["name"],
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(one_time_link(person))
