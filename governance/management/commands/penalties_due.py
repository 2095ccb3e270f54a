import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from governance.penalties.due import penalties_due
from guilds.accounts.actor import Actor


class Command(BaseCommand):
    help = "A dry run: the penalties that would start and end, what is stopped and what would fail. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--until", help="ISO 8601 with an offset; 24 hours from now unless given")

    def handle(self, *args: Any, **options: Any) -> None:
        until = _until(options["until"])
        coming = penalties_due(until, actor=Actor.system("penalties_due"))
        self.stdout.write(f"Until {until:%Y-%m-%d %H:%M} UTC")
        self.stdout.write(
            f"{'market':<14}{'kind':<24}{'start':>8}{'end':>8}{'fail':>8}{'fall away':>11}  remarks"
        )
        for line in coming.lines:
            remarks = []
            if line.held_by:
                remarks.append(f"stopped: {line.held_by.reason}")
            if line.trips:
                remarks.append(f"{line.busiest} in one hour, the cap is {line.cap}")
            self.stdout.write(
                f"{line.market:<14}{line.kind:<24}{line.starts:>8}{line.ends:>8}{line.fails:>8}{line.falls_away:>11}"
                f"  {'; '.join(remarks)}".rstrip()
            )
        for refusal in coming.refusals:
            self.stdout.write(
                f"would fail: {refusal.number} {refusal.kind} in {refusal.market}: {refusal.why.label}"
            )
        for penalty in coming.stuck:
            self.stdout.write(f"cannot be lifted: {penalty.public_id}: {penalty.last_error}")
        self.stdout.write(
            f"starts={coming.total('starts')} waiting={coming.waiting} ends={coming.total('ends')} "
            f"fails={coming.total('fails')} falls_away={coming.total('falls_away')} stuck={len(coming.stuck)}"
        )


def _until(given: str | None) -> dt.datetime:
    if given is None:
        return timezone.now() + dt.timedelta(hours=24)
    try:
        until = parse_datetime(given)
    except ValueError as error:
        raise CommandError(f"--until: {error}") from error
    if until is None or until.tzinfo is None:
        raise CommandError("--until: ISO 8601 with an offset, such as 2026-01-31T00:00:00Z.")
    return until.astimezone(dt.UTC)
