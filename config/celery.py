"""The Celery application: tasks of every concept, and the one table of what runs by the clock.

Tasks are named `<app>.<concept>.<verb>`. Every asynchronous step is nudged by the ledger when its rows commit; the
sweeps here find what a lost nudge missed, so a nudge may be dropped and Valkey may be emptied without loss.
"""

from __future__ import annotations

import os
import pkgutil
import time
from datetime import timedelta
from typing import Any

import redis
import structlog
from celery import Celery, bootsteps
from celery.schedules import crontab, schedule
from celery.signals import beat_init, celeryd_init, setup_logging
from django.core.exceptions import ImproperlyConfigured
from django_structlog.celery.steps import DjangoStructLogInitStep
from kombu.entity import Queue
from kombu.exceptions import OperationalError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

logger = structlog.get_logger(__name__)
app = Celery("guildhall")
app.config_from_object("django.conf:settings", namespace="CELERY")


def task_packages() -> list[str]:
    """Every concept folder that may hold a tasks.py."""
    import appeals
    import governance
    import guilds

    apps = (guilds, governance, appeals)
    concepts = [
        f"{package.__name__}.{module.name}"
        for package in apps
        for module in pkgutil.iter_modules(package.__path__)
        if module.ispkg and module.name not in {"migrations", "management"}
    ]
    return [*(package.__name__ for package in apps), *concepts]


app.autodiscover_tasks(task_packages)

#: (task, when). A run that waited longer than its own interval is dropped: the next one does its work.
SWEEPS: tuple[tuple[str, timedelta | crontab], ...] = (
    ("governance.ledger.seal", timedelta(seconds=5)),
    ("governance.webhooks.dispatch", timedelta(seconds=5)),
    ("governance.notices.dispatch_due", timedelta(seconds=15)),
    ("governance.violations.detect_sweep", timedelta(seconds=15)),
    ("governance.review.open_due", timedelta(seconds=15)),
    ("governance.review.sweep", timedelta(seconds=30)),
    ("governance.review.open_missed", crontab(minute="17")),
    ("governance.launches.start_due", timedelta(seconds=15)),
    ("governance.launches.announce", timedelta(seconds=30)),
    ("governance.penalties.sanction_due", timedelta(seconds=15)),
    ("governance.penalties.recheck_due", timedelta(seconds=15)),
    ("governance.penalties.apply_due", timedelta(seconds=15)),
    ("governance.penalties.lift_due", timedelta(seconds=15)),
    ("governance.penalties.trained_due", timedelta(seconds=60)),
    ("governance.penalties.escalate_due", timedelta(seconds=60)),
    ("governance.penalties.credit_due", timedelta(seconds=60)),
    ("governance.education.remind_due", crontab(minute="37")),
    ("governance.signals.retry_quarantine", timedelta(seconds=60)),
    ("governance.rules.expire", timedelta(seconds=60)),
    ("governance.penalties.expire_points", crontab(minute="7")),
    ("governance.violations.raise_alarms", crontab(minute="37")),
    ("guilds.accounts.forget", crontab(minute="23")),
    ("governance.signals.ensure_partitions", crontab(hour="0", minute="11")),
    ("governance.backtests.go_on", timedelta(seconds=60)),
    ("governance.backtests.forget", crontab(hour="3", minute="19")),
    ("governance.webhooks.forget", crontab(hour="3", minute="43")),
    ("governance.quality.draw_due", crontab(minute="17")),
    ("governance.quality.mix_golden", crontab(minute="47")),
    ("governance.quality.follow_up", timedelta(seconds=300)),
    ("governance.insights.assess_risks", crontab(minute="41")),
)


def _entry(task: str, when: timedelta | crontab) -> dict[str, Any]:
    if isinstance(when, timedelta):
        return {
            "task": task,
            "schedule": schedule(when),
            "options": {"expires": max(when.total_seconds(), 10)},
        }
    return {"task": task, "schedule": when, "options": {"expires": 3600}}


#: Penalties begin and end to the minute: they do not stand in line behind everything else. A worker takes from every queue in
#: turn, so nothing has to be said when one is started; `--queues penalties` gives them a worker of their own.
PENALTY_QUEUE = "penalties"
app.conf.task_queues = [
    Queue(name, routing_key=name)  # type: ignore[no-untyped-call]
    for name in ("celery", PENALTY_QUEUE)
]
app.conf.task_default_routing_key = "celery"
app.conf.task_default_queue = "celery"
app.conf.task_routes = {
    task: {"queue": PENALTY_QUEUE}
    for task in ("governance.penalties.apply_due", "governance.penalties.lift_due")
}

app.conf.beat_schedule = {task: _entry(task, when) for task, when in SWEEPS}


@setup_logging.connect
def keep_django_logging(**kwargs: Any) -> None:
    """Being connected is enough: Celery then leaves the logging of the settings alone."""


@celeryd_init.connect
@beat_init.connect
def refuse_unsafe_settings(**kwargs: Any) -> None:
    from config.checks import refuse_unsafe_settings

    try:
        refuse_unsafe_settings()
    except ImproperlyConfigured as error:
        raise SystemExit(str(error)) from error  # Celery's signals swallow every other exception


WORKERS_KEY = "guildhall:workers"
HEARTBEAT_SECONDS = 3
#: A worker counts as alive for this long after its last heartbeat.
HEARTBEAT_LIFE_SECONDS = 12


class Heartbeat(bootsteps.StartStopStep):
    """While the worker consumes, note its host name and the time in Valkey, where /readyz looks."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        self.timer: Any = None
        # The heartbeat runs between the worker's own deliveries: a stuck broker must not hold those up for long.
        self.valkey = valkey()
        super().__init__(consumer, **kwargs)

    def start(self, consumer: Any) -> None:
        self.beat(consumer.hostname)
        self.timer = consumer.timer.call_repeatedly(HEARTBEAT_SECONDS, self.beat, (consumer.hostname,))

    def stop(self, consumer: Any) -> None:
        if self.timer is not None:
            self.timer.cancel()
        try:
            self.valkey.zrem(WORKERS_KEY, consumer.hostname)
        except redis.RedisError as error:
            logger.warning("heartbeat_not_removed", error=str(error))

    shutdown = stop

    def beat(self, hostname: str) -> None:
        now = time.time()
        try:
            self.valkey.zadd(WORKERS_KEY, {hostname: now})
            self.valkey.zremrangebyscore(WORKERS_KEY, "-inf", now - 3600)
        except redis.RedisError as error:
            logger.warning("heartbeat_failed", error=str(error))


#: What a worker does first. What fell due while it, or the broker, was away need not wait for the next sweep.
CATCH_UP = tuple(app.conf.task_routes)


class CatchUp(bootsteps.StartStopStep):
    """Whenever the worker comes to the broker, or back to it, ask for what may have been missed. Asked twice, nothing is
    done twice; not asked, the sweeps find it."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        for task in CATCH_UP:
            try:
                consumer.app.send_task(task, ignore_result=True, retry=False, expires=60)
            except OperationalError as error:
                logger.warning("catch_up_not_sent", task=task, error=str(error))


def valkey() -> redis.Redis:
    """A client of the broker's database that gives up after two seconds."""
    from django.conf import settings

    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2)


def workers_alive() -> int:
    """How many workers have shown a heartbeat lately. Raises redis.RedisError when Valkey does not answer."""
    return int(valkey().zcount(WORKERS_KEY, time.time() - HEARTBEAT_LIFE_SECONDS, "+inf"))


app.steps["consumer"].add(Heartbeat)
app.steps["consumer"].add(CatchUp)
app.steps["worker"].add(DjangoStructLogInitStep)
