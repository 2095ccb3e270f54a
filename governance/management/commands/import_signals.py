import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from governance.signals.cloudevents import SOURCE_LENGTH
from governance.signals.importing import file_import
from guilds.accounts.actor import Actor


class Command(BaseCommand):
    help = (
        "Take in a file of CloudEvents, one a line, plain or gzip. Run it again to resume: what is stored already counts as "
        "a duplicate. Refused lines go to FILE.rejected.ndjson with reasons, and make the exit status 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.ndjson[.gz]")
        parser.add_argument("--source", default="", help="source of the events that name none")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if len(options["source"]) > SOURCE_LENGTH:
            raise CommandError(f"--source has more than {SOURCE_LENGTH} characters")
        try:
            size = path.stat().st_size
            with tqdm(total=size, unit="B", unit_scale=True, desc=path.name, disable=None) as bar:
                report = file_import(
                    actor=Actor.system("import_signals"),
                    path=path,
                    source=options["source"],
                    progress=lambda position: bar.update(position - bar.n),
                )
        except KeyboardInterrupt:
            raise CommandError("Stopped. Run the same command again to go on.", returncode=130) from None
        except OSError as error:
            raise CommandError(f"{error.filename or path}: {error.strerror or error}") from error
        if report.rejects:
            self.stderr.write(f"Refused lines, with reasons: {report.rejects}")
        self.stdout.write(
            f"accepted={report.accepted} duplicates={report.duplicates} "
            f"quarantined={report.quarantined} rejected={report.rejected}"
        )
        if report.rejected:
            sys.exit(1)
