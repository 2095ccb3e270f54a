"""The reviewer's queue at 1,000,000 cases against 1,000: the same pages, the same reviewer, the same share of open ones."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import reverse

from governance.review import services, tasks
from governance.review.models import Case
from governance.review.selectors import my_queue, next_case, queue_default
from guilds.accounts.actor import Actor
from guilds.models import Market, User
from tests import factories
from tests.benchmarks.report import Report

FEW, MANY = 1_000, 1_000_000
MARKETS, GUILDS, RULES = 30, 200, 20
CALLS = 60

#: Half are judged, by ten reviewers among whom is who looks. Of the open ones one in twenty is on hold, one in ten claimed by a
#: colleague, one in ten assigned to one.
_VIOLATIONS = """
INSERT INTO governance_violation (public_id, rule_id, version_id, code, severity, review, status, guild_id, market_id, subject,
    occurred_at, detected_at, decided_at, explanation, sanction_due)
SELECT uuidv7(), v.rule_id, v.id, v.violation_code, 'S' || 1 + n %% 4, 'human',
    CASE WHEN n %% 2 = 0 THEN 'open' ELSE 'dismissed' END, g.id, g.market_id, 'bench' || n,
    now() - (n %% 8640) * interval '1 minute', now() - (n %% 8640) * interval '1 minute',
    CASE WHEN n %% 2 = 0 THEN NULL ELSE now() END, '{}', false
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
JOIN (SELECT id, rule_id, violation_code, row_number() OVER (ORDER BY id) - 1 AS r FROM governance_ruleversion) v
    ON v.r = n %% %(rules)s
JOIN (SELECT id, market_id, row_number() OVER (ORDER BY id) - 1 AS r FROM guilds_guild) g ON g.r = (n / 7) %% %(guilds)s
"""
_CASES = """
INSERT INTO governance_case (public_id, kind, place, status, revision, queue_id, violation_id, rule_id, guild_id, market_id,
    severity, opened_at, urgent_at, due_at, assigned_to_id, claimed_by_id, claimed_until, held_until, escalation, hold_reason,
    done_at, done_by_id)
SELECT uuidv7(), 'verdict', 1,
    CASE WHEN v.status <> 'open' THEN 'done' WHEN n %% 40 = 0 THEN 'on_hold' ELSE 'waiting' END, 1, %(queue)s, v.id, v.rule_id,
    v.guild_id, v.market_id, v.severity, v.detected_at, v.detected_at + n %% 100 * interval '1 hour',
    v.detected_at + interval '100 hours', CASE WHEN v.status = 'open' AND n %% 20 = 2 THEN %(colleague)s END,
    CASE WHEN v.status = 'open' AND n %% 20 = 4 THEN %(colleague)s END,
    CASE WHEN v.status = 'open' AND n %% 20 = 4 THEN now() + interval '1 hour' END,
    CASE WHEN v.status = 'open' AND n %% 40 = 0 THEN now() + interval '1 day' END, '', '',
    CASE WHEN v.status <> 'open' THEN now() - n %% 5000 * interval '1 minute' END,
    CASE WHEN v.status <> 'open' THEN (%(judges)s::bigint[])[1 + n / 2 %% 10] END
FROM (SELECT *, substr(subject, 6)::bigint AS n FROM governance_violation WHERE subject LIKE 'bench%%') v
WHERE n BETWEEN %(first)s AND %(last)s
"""
_REVIEWS = """
INSERT INTO governance_review (violation_id, reviewer_id, verdict, reason, created_at)
SELECT c.violation_id, c.done_by_id, 'dismiss', 'Nothing there.', c.done_at FROM governance_case c
WHERE c.status = 'done' AND NOT EXISTS (SELECT 1 FROM governance_review r WHERE r.violation_id = c.violation_id)
"""


def world() -> None:
    markets = [factories.market() for _ in range(MARKETS)]
    for number in range(GUILDS):
        factories.guild(market=markets[number % MARKETS])
    for _ in range(RULES):
        factories.version(review="human")


def fill(first: int, last: int, *, people: list[User]) -> None:
    """Cases number `first` to `last`, with their violations and verdicts; the last of the people is at work on some."""
    asked: dict[str, Any] = {
        "first": first,
        "last": last,
        "rules": RULES,
        "guilds": GUILDS,
        "queue": queue_default().pk,
        "colleague": people[-1].pk,
        "judges": [person.pk for person in people],
    }
    with connection.cursor() as cursor:
        # The rows are valid by construction; checking each of their references would take most of the time.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(_VIOLATIONS, asked)
        cursor.execute(_CASES, asked)
        cursor.execute(_REVIEWS)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE governance_violation, governance_case, governance_review")


def first_hundred(actor: Actor) -> list[Case]:
    return list(my_queue(actor)[:100])


def page(response: HttpResponseBase) -> None:
    assert response.status_code == 200


class Onward:
    """Presses “next”: gives the case at hand back, claims the next and reads its page."""

    def __init__(self, client: Client) -> None:
        self.client, self.at = client, ""

    def __call__(self) -> None:
        answer = self.client.post(reverse("admin:governance_case_next"), {"leave": self.at}, follow=True)
        page(answer)
        found = re.search(r"/case/(\d+)/", answer.redirect_chain[-1][0])
        assert found is not None
        assert found[1] != self.at
        self.at = found[1]


@dataclass(frozen=True)
class Times:
    """Seconds: what half and what 95 % of the calls stayed below."""

    p50: float
    p95: float


def timed(call: Callable[[], object], calls: int = CALLS) -> Times:
    """Of so many calls after three that warm up."""
    taken = []
    for _ in range(calls + 3):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    found = sorted(taken[3:])
    return Times(p50=found[calls // 2], p95=found[int(0.95 * calls)])


@pytest.mark.timeout(1800)
@pytest.mark.django_db(transaction=True)
def bench_queue_of_a_million(report: Report) -> None:
    world()
    everywhere = factories.staff("reviewer")
    some = factories.staff("reviewer", markets=Market.objects.order_by("pk")[:3])
    people = [everywhere, some, *(factories.staff("reviewer") for _ in range(8))]
    client = Client()
    client.force_login(everywhere)
    logging.disable(logging.INFO)  # a line a request, between the figures

    def measured() -> dict[str, Times]:
        found = {}
        for name, user in (("every market", everywhere), ("3 of 30 markets", some)):
            actor = Actor.staff(user)
            last = first_hundred(actor)[-1]
            found[f"the first 100, {name}"] = timed(partial(first_hundred, actor))
            found[f"next case, {name}"] = timed(partial(next_case, actor, last))
        case = my_queue(Actor.staff(everywhere))[0]

        def claim_and_release() -> None:
            services.case_claim(actor=Actor.staff(everywhere), case_id=case.pk)
            services.case_release(actor=Actor.staff(everywhere), case_id=case.pk)

        found["claim and release"] = timed(claim_and_release)
        lately = partial(services.cases_open_due, within=tasks.LATELY)
        found["sweep that finds nothing to open"] = timed(lately)
        found["hourly sweep over everything"] = timed(services.cases_open_due, calls=5)
        found["page: my queue"] = timed(lambda: page(client.get(reverse("admin:governance_case_mine"))))
        found["page: next case, the one before given back"] = timed(Onward(client))
        return found

    fill(1, FEW, people=people)
    few = measured()
    started = time.perf_counter()
    fill(FEW + 1, MANY, people=people)
    built = time.perf_counter() - started
    many = measured()
    report.title(
        f"The queue at {Case.objects.count():,} cases, half of them open, against {FEW:,} ({CALLS} calls each)"
    )
    for name, times in many.items():
        report.row(f"{name}, p50", 1e6 * times.p50, "µs", against=1e6 * few[name].p50)
        report.row(f"{name}, p95", 1e6 * times.p95, "µs", against=1e6 * few[name].p95)
    report.row("(the million was built in)", built, "s")
    logging.disable(logging.NOTSET)
