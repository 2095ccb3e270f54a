from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from config.world.seed import seed_world
from guilds.errors import DomainError


class Command(BaseCommand):
    help = (
        "Build the demo world (docs/demo-world.md), once: a second run changes nothing. The same seed makes the same world, "
        "seen from the day it is built on. In the demo only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--guilds", type=int, default=84, help="how many guilds (84)")
        parser.add_argument("--days", type=int, default=365, help="how many days of history (365)")
        parser.add_argument("--seed", type=int, default=7, help="another seed, another world (7)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["guilds"] < 12 or options["days"] < 90:
            raise CommandError("The demo world needs at least 12 guilds and 90 days.")
        today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        with tqdm(
            total=options["days"], unit="day", disable=options["verbosity"] < 1, desc="Demo world"
        ) as bar:
            try:
                seeded = seed_world(
                    guilds=options["guilds"],
                    days=options["days"],
                    seed=options["seed"],
                    today=today,
                    data_dir=settings.DATA_DIR,
                    progress=lambda done, _all: bar.update(done - bar.n),
                )
            except DomainError as refusal:
                raise CommandError(refusal.message) from refusal
        if seeded.fresh:
            self.stdout.write(
                f"guilds={seeded.guilds} signals={seeded.signals} violations={seeded.violations}"
            )
        else:
            self.stdout.write("The demo world is there already; nothing was changed.")
