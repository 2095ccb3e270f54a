import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from governance.penalties.agreement import open_with
from governance.penalties.services import reconcile
from governance.penalties.services.reconciliation import reported
from guilds.accounts.actor import Actor
from guilds.errors import DomainError, InvalidInput
from guilds.models import Market


class Command(BaseCommand):
    help = (
        "Compare another system's list of what it enforces with what is in force here. Lines of JSON (.ndjson) or columns "
        "(.csv): penalty, kind, guild and, if it tells, ends_at. Exit 1 when anything differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--source", help="whose list it is; the name of the file unless given")
        parser.add_argument("--market", help="the list is of this market only")
        parser.add_argument("--kind", action="append", default=[], help="the list is of these kinds only")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        market = None
        if options["market"]:
            market = Market.objects.filter(code=options["market"]).first()
            if market is None:
                raise CommandError(f"There is no market called {options['market']}.")
        try:
            rows = reported(list(_rows(path)))
            made = reconcile(
                actor=Actor.system("reconcile_penalties"),
                rows=rows,
                market_id=market.pk if market else None,
                kinds=options["kind"],
                source=options["source"] or path.stem,
            )
        except InvalidInput as error:
            first = error.errors[0] if error.errors else {"field": "", "message": error.message}
            where = f"line {int(first['field']) + 1}: " if str(first["field"]).isdigit() else ""
            raise CommandError(f"{where}{first['message']}") from error
        except DomainError as error:
            raise CommandError(error.message) from error
        differences = list(open_with(made).select_related("penalty"))
        for difference in differences:
            penalty = difference.penalty
            named = str(penalty.public_id) if penalty else difference.reported.get("penalty", "")
            self.stdout.write(f"{difference.kind}\t{named}\t{json.dumps(difference.reported)}")
        self.stdout.write(
            f"reported={made.reported} expected={made.expected} agreed={made.agreed} differences={len(differences)}"
        )
        if differences:
            sys.exit(1)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            if path.suffix == ".csv":
                yield from csv.DictReader(file)
                return
            for number, line in enumerate(file, start=1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise CommandError(f"line {number}: an object is wanted.")
                    yield row
    except json.JSONDecodeError as error:
        raise CommandError(f"line {number}: not JSON: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
