"""The writers of alarms: the hourly run that raises them, and the person who closes one."""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction
from django.utils import timezone

from governance.ledger.services import record
from governance.violations import transitions
from governance.violations.alarm_readings import Outlier, outliers, readings
from governance.violations.enums import AlarmStatus
from governance.violations.models import Alarm
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, NotFound

MAY_CLOSE = (Role.ANALYST, Role.APPROVER, Role.LAUNCHER)


def alarms_raise(now: dt.datetime | None = None) -> list[Alarm]:
    """Test every rule in every market where it is live and raise what is new. Records `alarm.raised`.

    One alarm per rule, market and kind is open at a time; one that was closed is not raised again for the same day. May run
    twice or at once: the second run finds what the first one raised.
    """
    now = now or timezone.now()
    raised = [_raise(outlier, now) for outlier in outliers(readings(now))]
    return [alarm for alarm in raised if alarm is not None]


def _raise(outlier: Outlier, now: dt.datetime) -> Alarm | None:
    reading = outlier.reading
    same = Alarm.objects.filter(rule=reading.rule_id, market=reading.market_id, kind=outlier.kind)
    if same.filter(status=AlarmStatus.OPEN).exists() or same.filter(window_end__gt=reading.since).exists():
        return None
    try:
        with transaction.atomic():
            alarm = Alarm.objects.create(
                rule_id=reading.rule_id,
                market_id=reading.market_id,
                kind=outlier.kind,
                window_start=reading.since,
                window_end=reading.until,
                observed=reading.observed,
                expected=reading.expected,
                baseline_days=reading.baseline_days,
                p_value=outlier.p_value,
                raised_at=now,
            )
            record(
                actor=Actor.system("alarms"),
                act="alarm.raised",
                obj=alarm,
                after={
                    "rule": alarm.rule.code,
                    "kind": alarm.kind,
                    "observed": alarm.observed,
                    "expected": round(alarm.expected, 2),
                    "p_value": alarm.p_value,
                },
                market_id=alarm.market_id,
            )
            return alarm
    except IntegrityError:
        return None  # another run was faster


@transaction.atomic
def alarm_close(*, actor: Actor, alarm_id: int, reason: str) -> Alarm:
    """Somebody has looked into it; the reason says what it was. Records `alarm.closed`.

    Analysts, approvers and launchers of the market. Raises NotAllowed, NotFound, InvalidTransition, InvalidInput.
    """
    actor.require_role(*MAY_CLOSE)
    alarm = Alarm.objects.select_for_update(of=("self",)).select_related("rule").filter(pk=alarm_id).first()
    if alarm is None or not actor.sees_market(alarm.market_id):
        raise NotFound("There is no such alarm.")
    transitions.check_alarm(alarm.status, AlarmStatus.CLOSED)
    if not reason.strip():
        raise InvalidInput("Say what it was: the next one looks here first.", field="reason")
    alarm.status, alarm.resolution = AlarmStatus.CLOSED, reason.strip()
    alarm.closed_at, alarm.closed_by_id = timezone.now(), actor.user_id
    alarm.save(update_fields=["status", "resolution", "closed_at", "closed_by"])
    record(
        actor=actor,
        act="alarm.closed",
        obj=alarm,
        before={"status": AlarmStatus.OPEN.value},
        after={"status": AlarmStatus.CLOSED.value, "rule": alarm.rule.code},
        reason=alarm.resolution,
        market_id=alarm.market_id,
    )
    return alarm
