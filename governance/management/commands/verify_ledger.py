import sys
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from governance.ledger.models import EventSeal
from governance.ledger.selectors import verify


class Command(BaseCommand):
    help = "Recompute the hash chain of the ledger. Exit 0 and the sealed head, or exit 1 and the first bad event."

    def handle(self, *args: Any, **options: Any) -> None:
        with tqdm(total=EventSeal.objects.count(), unit="event", disable=not sys.stderr.isatty()) as bar:
            found = verify(progress=bar.update)
        if found.fault:
            self.stderr.write(f"ledger broken: {found.fault}; {found.sealed} events before it hold")
            raise SystemExit(1)
        self.stdout.write(f"ledger holds: sealed={found.sealed} unsealed={found.unsealed} head={found.head}")
