"""What is counted by the clock."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from governance.insights.risk_facts import risk_assessments
from governance.ledger.models import Event
from governance.risks.services import assessments_record
from guilds.accounts.actor import Actor


@shared_task(name="governance.insights.assess_risks")
def assess_risks() -> int:
    """Assess every risk in every market once a UTC day; asked for hourly, so that a run that died is made up for."""
    today = timezone.now().date()
    done = Event.objects.filter(
        object_type="assessment", object_id=f"{today:%Y-%m-%d}", act="risks.assessed", actor_kind="system"
    )
    if done.exists():
        return 0
    return assessments_record(actor=Actor.system("assess_risks"), rows=risk_assessments(on=today))
