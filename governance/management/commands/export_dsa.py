from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from governance.management.commands.backtest import moment
from governance.notices.dsa_schema import COLUMNS, csv_row
from governance.penalties.dsa import batches, records, sanctions_told
from guilds.models import Market


class Command(BaseCommand):
    help = (
        "Write the statements of reasons of a period for the DSA Transparency Database, as JSON batches of at most 100 or as"
        " one CSV. Every one is checked first; what would be refused is listed with the reasons and left out, exit 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", type=moment, required=True, help="first moment, such as 2026-01-01")
        parser.add_argument("--until", type=moment, required=True, help="last moment, not included")
        parser.add_argument("--market", action="append", default=[], help="a market's code; repeat for more")
        parser.add_argument("--format", choices=("json", "csv"), default="json")
        parser.add_argument(
            "--out", type=Path, default=Path("dsa"), help="folder for the files (default: dsa)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        since, until = options["since"], options["until"]
        if until <= since:
            raise CommandError("--until must come after --since.")
        market_ids = self._markets(options["market"]) if options["market"] else None
        notices = sanctions_told(since, until, market_ids=market_ids)
        folder: Path = options["out"]
        folder.mkdir(parents=True, exist_ok=True)
        counts = {"statements": 0, "invalid": 0, "none": 0}

        def good() -> Iterator[dict[str, Any]]:
            with tqdm(total=notices.count(), unit="notice", disable=not sys.stderr.isatty()) as bar:
                for record in records(notices):
                    bar.update()
                    if record.statement is None:
                        counts["none"] += 1
                    elif record.errors:
                        counts["invalid"] += 1
                        for name, words in sorted(record.errors.items()):
                            self.stderr.write(f"notice {record.notice_id}: {name}: {' '.join(words)}")
                    else:
                        counts["statements"] += 1
                        yield record.statement

        stem = f"dsa-{since:%Y%m%d}-{until:%Y%m%d}"
        files = (
            self._csv(folder / f"{stem}.csv", good())
            if options["format"] == "csv"
            else self._json(folder, stem, good())
        )
        self.stdout.write(
            " ".join(f"{name}={count}" for name, count in counts.items()) + f" files={files} folder={folder}"
        )
        if counts["invalid"]:
            raise SystemExit(1)

    def _markets(self, codes: list[str]) -> list[int]:
        found = dict(Market.objects.filter(code__in=codes).values_list("code", "pk"))
        if missing := sorted(set(codes) - set(found)):
            raise CommandError(f"No such market: {', '.join(missing)}.")
        return list(found.values())

    def _json(self, folder: Path, stem: str, statements: Iterator[dict[str, Any]]) -> int:
        # A run that finds fewer than the one before must not leave its last files standing.
        for old in folder.glob(f"{stem}-*.json"):
            old.unlink()
        files = 0
        for files, body in enumerate(batches(statements), start=1):
            (folder / f"{stem}-{files:04}.json").write_text(body, encoding="utf-8")
        return files

    def _csv(self, path: Path, statements: Iterator[dict[str, Any]]) -> int:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(csv_row(statement) for statement in statements)
        return 1
