import sys
import time
from argparse import ArgumentParser
from typing import Any

from celery import current_app
from django.core.management.base import BaseCommand
from django.db.models import Count, Max
from kombu.exceptions import OperationalError
from tqdm import tqdm

from governance.signals.models import SHARDS, PendingSignal
from governance.violations import detection_queue as queue
from governance.violations.models import EvaluationFault, Violation
from governance.violations.services import DETECT, detect_batch


class Command(BaseCommand):
    help = (
        "Evaluate every signal not yet evaluated. The workers are woken; with --wait this command also helps, works without "
        "any worker, and returns when nothing is pending."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--wait", action="store_true", help="return when nothing is pending")

    def handle(self, *args: Any, **options: Any) -> None:
        queue.release()
        pending = queue.waiting_for_work().count()
        last_violation = Violation.objects.aggregate(last=Max("pk"))["last"] or 0
        last_fault = EvaluationFault.objects.aggregate(last=Max("pk"))["last"] or 0
        self._wake()
        if not options["wait"]:
            self.stdout.write(f"pending={pending}")
            return
        with tqdm(total=pending, unit="signal", disable=not sys.stderr.isatty()) as bar:
            while shards := queue.shards_at_work():
                if not sum(detect_batch(shard=shard) for shard in shards):
                    time.sleep(0.1)  # workers hold every shard that has something
                bar.update(max(pending - queue.waiting_for_work().count() - bar.n, 0))
        opened = dict(
            Violation.objects.filter(pk__gt=last_violation)
            .order_by("rule__code")
            .values_list("rule__code")
            .annotate(opened=Count("pk"))
        )
        for code, count in opened.items():
            self.stdout.write(f"{code} opened={count}")
        for code, count in (
            PendingSignal.objects.filter(shard__gte=SHARDS)
            .order_by("version__rule__code")
            .values_list("version__rule__code")
            .annotate(waiting=Count("pk"))
        ):
            self.stdout.write(f"{code} paused, waiting={count}")
        faults = EvaluationFault.objects.filter(pk__gt=last_fault).count()
        if faults:
            self.stdout.write(f"faults={faults}")
        self.stdout.write(f"evaluated={pending} opened={sum(opened.values())}")

    def _wake(self) -> None:
        try:
            for shard in queue.shards_at_work():
                current_app.send_task(DETECT, args=[shard], ignore_result=True, retry=False)
        except OperationalError as error:
            self.stderr.write(
                f"The workers could not be woken ({error}); they will find the signals by themselves."
            )
