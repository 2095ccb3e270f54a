"""Quality by the clock."""

from __future__ import annotations

from celery import shared_task

from governance.quality import services


@shared_task(name="governance.quality.draw_due")
def draw_due() -> int:
    """Draw and hand out what is due of this week's samples; returns how many were drawn."""
    return services.samples_draw_due()


@shared_task(name="governance.quality.follow_up")
def follow_up() -> int:
    """Open findings for what audits saw and rules missed, and close what is judged."""
    return services.follow_up()


@shared_task(name="governance.quality.mix_golden")
def mix_golden() -> int:
    """Give golden cases to reviewers who are due one."""
    return services.golden_mix()
