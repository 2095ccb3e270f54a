import datetime as dt
import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from governance.rules.selectors import rule_by_code, version_of
from governance.violations.detection_backtest import backtest, backtest_reach
from guilds.errors import DomainError


def moment(text: str) -> dt.datetime:
    """An ISO 8601 date (its midnight in UTC) or time; one without an offset is UTC."""
    try:
        parsed = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a date such as 2014-06-30") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)


class Command(BaseCommand):
    help = "What a rule would have opened among the stored signals, by market and month, and what that cost. Writes nothing."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django's own --version (its release number) makes way for the rule's.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("rule", help="code of the rule")
        parser.add_argument(
            "--version", type=int, help="its number; default the one in force, else the newest"
        )
        parser.add_argument("--since", type=moment, help="first moment, included")
        parser.add_argument("--until", type=moment, help="last moment, not included")

    def handle(self, *args: Any, **options: Any) -> None:
        since, until = options["since"], options["until"]
        try:
            version = version_of(rule_by_code(options["rule"]), options["version"])
            reach = backtest_reach(version, since=since, until=until)
            with tqdm(total=reach.signals, unit="signal", disable=not sys.stderr.isatty()) as bar:
                found = backtest(version, since=since, until=until, progress=bar.update)
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        for (market, month), matches in sorted(found.by_month.items()):
            self.stdout.write(f"market={market} month={month} matches={matches}")
        self.stdout.write(
            f"rule={version.public_id} signals={found.signals} matches={found.matches} faults={found.faults} "
            f"seconds={found.seconds:.2f} signals_per_second={found.signals_per_second:.0f}"
        )
