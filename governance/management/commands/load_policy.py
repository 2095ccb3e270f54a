from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance.launches.policy_file import policy_load
from guilds.accounts.actor import Actor
from guilds.errors import DomainError


class Command(BaseCommand):
    help = (
        "Load markets, risks, ladders and rules from a policy file (docs/rules.md). Loading it again changes nothing; "
        "a file with any fault is refused whole."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--activate", action="store_true", help="make the rules live without a launch; in the demo only"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            text = path.read_bytes()
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        try:
            report = policy_load(
                actor=Actor.system("load_policy"),
                text=text,
                filename=path.name,
                activate=options["activate"],
            )
        except DomainError as refusal:
            for fault in refusal.errors:
                place = f"{fault['field']}: " if fault["field"] else ""
                line = f"line {fault['line']}: " if "line" in fault else ""
                self.stderr.write(f"{line}{place}{fault['message']}")
            raise CommandError(refusal.message) from refusal
        for change in report.changed:
            self.stdout.write(str(change))
        for note in report.notes:
            self.stderr.write(f"note: {note}")
        unchanged = len(report.changes) - len(report.changed)
        self.stdout.write(f"changed={len(report.changed)} unchanged={unchanged}")
