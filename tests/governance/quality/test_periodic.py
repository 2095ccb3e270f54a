"""The clock's own samples: one of each kind a week, whoever is killed and however often the clock strikes."""

from __future__ import annotations

import datetime as dt

import pytest
from celery import current_app
from django.utils import timezone

from governance.models import Case, Plan, Sample, SampleItem
from governance.quality import services
from governance.quality.selectors import weekly_size
from guilds.errors import InvalidInput, NotAllowed
from guilds.models import Guild
from tests import factories
from tests.governance.quality.sampling_world import active, acts, analyst, decided, last_week, rule_with
from tests.worker import Worker


def week_of_work(count: int = 3) -> Guild:
    guild = factories.guild(market=factories.market())
    version = rule_with("ONE")
    since, _until = last_week()
    for number in range(count):
        decided(guild, version, at=since + dt.timedelta(hours=number))
    active(factories.guild(market=guild.market), since.date() + dt.timedelta(days=2))
    return guild


@pytest.mark.django_db
def test_last_week_is_drawn_once_and_handed_out() -> None:
    week_of_work()
    assert services.samples_draw_due() == 2
    assert services.samples_draw_due() == 0
    since, until = last_week()
    assert set(Sample.objects.values_list("kind", "since", "until", "automatic")) == {
        ("decisions", since, until, True),
        ("coverage", since, until, True),
    }
    assert not Sample.objects.filter(created_by__isnull=False).exists()
    assert (SampleItem.objects.count(), SampleItem.objects.filter(case=None).count()) == (4, 0)
    assert (acts("sample.drawn"), acts("sample.handed_out")) == (2, 2)


@pytest.mark.django_db
def test_the_next_week_has_samples_of_its_own() -> None:
    guild = week_of_work()
    now, week = timezone.now(), dt.timedelta(days=7)
    decided(guild, rule_with("TWO"), at=last_week()[0] - week + dt.timedelta(minutes=1))
    assert services.samples_draw_due(now=now - week) == 1
    assert services.samples_draw_due(now=now) == 2
    assert Sample.objects.filter(kind="decisions").count() == 2


@pytest.mark.django_db
def test_a_week_without_anything_has_no_sample() -> None:
    assert services.samples_draw_due() == 0
    assert (Sample.objects.count(), acts("sample.drawn")) == (0, 0)


@pytest.mark.django_db
def test_what_a_killed_worker_left_is_handed_out_by_the_next() -> None:
    week_of_work()
    since, until = last_week()
    sample = services.sample_draw(
        actor=analyst(), kind="decisions", name="Left", since=since, until=until, size=3, automatic=True
    )
    services.sample_hand_out(actor=analyst(), sample_id=sample.pk, limit=1)
    assert services.samples_draw_due() == 1  # of unflagged days
    assert not sample.items.filter(case=None).exists()
    assert Case.objects.filter(sample_item__sample=sample).count() == 3


@pytest.mark.django_db
def test_the_plan_says_how_many() -> None:
    week_of_work(30)
    by = analyst()
    services.plan_set(actor=by, kind="decisions", weekly=10, reason="We are few this month.")
    services.plan_set(actor=by, kind="coverage", weekly=0, reason="Nobody can look at whole days now.")
    assert services.samples_draw_due() == 1
    assert SampleItem.objects.count() == 10
    assert acts("sampling_plan.set") == 2
    assert (weekly_size("decisions"), weekly_size("coverage")) == (10, 0)  # type: ignore[arg-type]


@pytest.mark.django_db
def test_a_plan_that_is_none() -> None:
    for kind, weekly, reason in (("decisions", -1, "Why."), ("decisions", 5, ""), ("all", 5, "Why.")):
        with pytest.raises(InvalidInput):
            services.plan_set(actor=analyst(), kind=kind, weekly=weekly, reason=reason)
    with pytest.raises(NotAllowed):
        services.plan_set(
            actor=analyst(markets=[factories.market()]), kind="decisions", weekly=5, reason="Why."
        )
    assert (Plan.objects.count(), acts("sampling_plan.set")) == (0, 0)


@pytest.mark.slow
def test_a_worker_draws_mixes_and_follows_up(worker: Worker) -> None:
    week_of_work()
    for task in ("draw_due", "draw_due", "mix_golden", "follow_up"):
        current_app.send_task(f"governance.quality.{task}", ignore_result=True)
    worker.wait_idle()
    assert Sample.objects.count() == 2
    assert not SampleItem.objects.filter(case=None).exists()
