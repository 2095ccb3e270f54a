from __future__ import annotations

import csv
import datetime as dt
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from appeals.p2b import GROUPINGS, csv_lines, p2b_report
from guilds.accounts.actor import Actor
from guilds.errors import DomainError


def day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a day such as 2025-07-12") from None


class Command(BaseCommand):
    help = (
        "The yearly figures of the P2B Regulation as CSV: complaints, main types, average processing time, outcomes. Days are"
        " those of each market's own time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from", dest="first", type=day, required=True, help="first day, such as 2025-07-12"
        )
        parser.add_argument("--to", dest="last", type=day, required=True, help="last day, included")
        parser.add_argument("--by", choices=GROUPINGS, default="market", help="a line for each")
        parser.add_argument("--regime", action="append", default=[], help="a regime's code; repeat for more")
        parser.add_argument("--out", type=Path, help="file to write; printed when there is none")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = p2b_report(
                Actor.system("command line"),
                options["first"],
                options["last"],
                by=options["by"],
                regimes=options["regime"],
            )
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        if options["out"] is None:
            csv.writer(self.stdout, lineterminator="\n").writerows(csv_lines(report))
            return
        with options["out"].open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(csv_lines(report))
        total = report.total
        self.stdout.write(
            f"complaints={total.complaints} average_days={total.average_days} not_upheld={total.not_upheld}"
            f" file={options['out']}"
        )
