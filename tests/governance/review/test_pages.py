"""The pages of review: what the desk tells to whom, my queue, the team, and how the work is arranged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from governance.ledger.models import Event
from governance.models import (
    Absence,
    Case,
    Desk,
    GoldenCase,
    Judgement,
    Queue,
    Route,
    Sanction,
    Target,
    Violation,
)
from governance.penalties.services import sanctions_decide_due
from governance.review.admin.words import amount, clock
from governance.review.presence import look
from governance.review.services import case_ask, case_assign, case_claim, case_decide, case_hold, note_add
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.page import admin_url, list_url
from guilds.models import Activity, Guild, User
from tests import factories
from tests.governance.review import judging

pytestmark = pytest.mark.django_db

MINE = "/admin/governance/case/mine/"
TEAM = "/admin/governance/case/team/"
NEXT = "/admin/governance/case/next/"


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def guild(db: None) -> Guild:
    return factories.guild("guild-here", name="Nordlicht Live", market=factories.market("HERE"))


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def reviewer(**fields: Any) -> User:
    return factories.staff(Role.REVIEWER, **fields)


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


def form(
    case: Case, choice: str = "confirm", reason: str = "Seen with my own eyes.", **values: Any
) -> dict[str, Any]:
    return {"choice": choice, "reason": reason, "revision": case.revision, "until": "1d"} | values


def decide(client: Client, case: Case, **values: Any) -> Any:
    return client.post(admin_url(case, "decide"), form(case, **values))


def audited(guild: Guild, kind: str = "quality", status: str = "confirmed") -> Case:
    """A case about a decided violation, which its judge must not be able to tell from any other."""
    return case_ask(
        kind=kind, violation=factories.violation(guild, factories.version(review="human"), status=status)
    )


# --- who may ----------------------------------------------------------------------------------------------------------
ROLES = [*Role.values, "nobody"]


@pytest.mark.parametrize("role", ROLES)
def test_who_may_open_and_decide(guild: Guild, role: str) -> None:
    case = judging.waiting(guild=guild)
    roles = () if role == "nobody" else (role,)
    reviews, reads = role == Role.REVIEWER, role != "nobody"
    here = signed_in(factories.staff(*roles, markets=[guild.market]))
    pages = {url: here.get(url).status_code for url in (admin_url(case), MINE, list_url(Case), TEAM)}
    sees_team = role in (Role.REVIEWER, Role.ADMIN, Role.AUDITOR)
    assert pages == {
        admin_url(case): 200 if reads else 403,
        MINE: 200 if reads else 403,
        list_url(Case): 200 if reads else 403,
        TEAM: 200 if sees_team else 403,
    }
    elsewhere = signed_in(factories.staff(*roles, markets=[factories.market("ELSE")]))
    assert elsewhere.get(admin_url(case)).status_code == (404 if reads else 403)

    before = judging.everything()
    notes = role in (Role.REVIEWER, Role.ENFORCER, Role.ADJUDICATOR)
    for name, values in (("decide", form(case)), ("note", {"body": "Look twice."}), ("beat", {})):
        expected = 404 if reads else 403
        if name == "decide" and not reviews:
            expected = 403
        assert elsewhere.post(admin_url(case, name), values).status_code == expected, name
    assert judging.everything() == before
    assert here.post(admin_url(case, "decide"), form(case) | {"choice": "nonsense"}).status_code == (
        422 if reviews else 403
    )
    assert judging.everything() == before
    assert here.post(admin_url(case, "note"), {"body": "Look twice."}).status_code == (302 if notes else 403)
    assert here.post(NEXT).status_code == (302 if reviews else 403)
    assert here.post(admin_url(case, "decide"), form(case)).status_code == (302 if reviews else 403)
    assert Violation.objects.get().status == ("confirmed" if reviews else "open")


def test_nothing_is_done_by_reading(guild: Guild) -> None:
    case = judging.waiting(guild=guild)
    client, before = signed_in(reviewer()), judging.everything()
    for url in (admin_url(case), MINE, TEAM, list_url(Case)):
        assert client.get(url).status_code == 200
    for url in (NEXT, *(admin_url(case, name) for name in ("decide", "note", "beat"))):
        assert client.get(url).status_code == 405
    assert client.post(admin_url(case)).status_code == 405
    assert judging.everything() == before


# --- the desk ---------------------------------------------------------------------------------------------------------
def test_the_desk_has_all_it_takes(guild: Guild) -> None:
    case = judging.waiting(guild=guild, severity="S2")
    assert case.violation is not None
    earlier = timezone.now() - dt.timedelta(days=9)
    factories.violation(guild, case.violation.version, status="dismissed", occurred_at=earlier)
    colleague = Actor.staff(factories.staff(Role.REVIEWER, name="Carol"))
    note_add(actor=colleague, case_id=case.pk, body="The clip is in the second half.")
    look(case, factories.staff(Role.REVIEWER, name="Dave"))
    page = text(signed_in(reviewer()), admin_url(case))
    for words in (
        "Why it is here",
        "Severity S2 gives it 24 h 0 min in all.",
        "Evidence",
        "Why the rule matched",
        "What the rule says",
        "Do not do RULE-",
        "If it is confirmed",
        "<strong>No. 1</strong>",
        "Its standing",
        "Earlier violations of this code",
        "Dismissed",
        "The clip is in the second half.",
        "Also looking: Dave",
        "0 of 60 today",
        "due in 23 h",
    ):
        assert words in page, words


def test_one_decision_leads_to_the_next_case_and_claims_it(guild: Guild) -> None:
    mild, grave = (judging.waiting(guild=guild, severity=severity) for severity in ("S3", "S1"))
    person = reviewer()
    client = signed_in(person)
    assert client.post(NEXT).headers["Location"] == admin_url(grave)
    grave.refresh_from_db()
    assert grave.claimed_by == person
    answer = decide(client, grave)
    assert answer.headers["Location"] == admin_url(mild)
    mild.refresh_from_db()
    assert mild.claimed_by == person
    page = text(client, admin_url(mild))
    assert "confirmed, and its consequences follow" in page
    assert "1 of 60 today" in page
    last = decide(client, mild, choice="dismiss")
    assert last.headers["Location"] == MINE
    assert "dismissed, nothing follows for the guild" in text(client, MINE)


def test_passing_a_case_over_gives_it_back(guild: Guild) -> None:
    first, second = (judging.waiting(guild=guild) for _ in range(2))
    person = reviewer()
    client = signed_in(person)
    client.post(NEXT)
    assert client.post(NEXT, {"leave": first.pk}).headers["Location"] == admin_url(second)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.claimed_by, second.claimed_by) == (None, person)
    assert judging.acts()[-3:] == ["case.claimed", "case.released", "case.claimed"]


@pytest.mark.parametrize(
    ("choice", "recorded", "status"),
    [
        ("confirm", "violation.confirmed", "done"),
        ("dismiss", "violation.dismissed", "done"),
        ("escalate", "case.escalated", "waiting"),
        ("unclear", "case.escalated", "waiting"),
        ("hold", "case.held", "on_hold"),
    ],
)
def test_each_choice_does_one_thing(guild: Guild, choice: str, recorded: str, status: str) -> None:
    case = judging.waiting(guild=guild)
    assert decide(signed_in(reviewer()), case, choice=choice).status_code == 302
    case.refresh_from_db()
    assert case.status == status
    assert Event.objects.get(act=recorded).reason == "Seen with my own eyes."


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"reason": " \n "}, "a decision needs a reason"),
        ({"choice": ""}, "Choose what you decide."),
        ({"reason": "x" * 2_001}, "at most 2000 characters"),
        ({"choice": "hold", "until": "9y"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_done_is_said_and_the_words_stay(
    guild: Guild, values: dict[str, str], told: str
) -> None:
    case = judging.waiting(guild=guild)
    before = judging.everything()
    answer = decide(signed_in(reviewer()), case, **values)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert told in page
    assert values.get("reason", "Seen with my own eyes.").strip() in page
    assert judging.everything() == before


def test_whoever_comes_second_reads_who_what_and_why_beside_their_own_words(guild: Guild) -> None:
    case = judging.waiting(guild=guild)
    first = Actor.staff(reviewer(name="Alice"))
    case_decide(actor=first, case_id=case.pk, opinion="dismiss", reason="A rehearsal.")
    before = judging.everything()
    answer = decide(signed_in(reviewer()), case, reason="I am sure of it.")
    page = answer.content.decode()
    assert answer.status_code == 409
    for words in (
        f"{first.label} dismissed it",
        "A rehearsal.",
        "I am sure of it.",
        "Nothing was changed by you.",
    ):
        assert words in page
    assert judging.everything() == before


def test_another_ones_claim_is_respected_and_named(guild: Guild) -> None:
    case = judging.waiting(guild=guild)
    case_claim(actor=Actor.staff(reviewer(name="Alice")), case_id=case.pk)
    before = judging.everything()
    client = signed_in(reviewer())
    assert "Alice has taken it over" in text(client, admin_url(case))
    answer = decide(client, case)
    assert answer.status_code == 409
    assert "Alice has been at this case" in answer.content.decode()
    assert judging.everything() == before


# --- the pulse of the open page ---------------------------------------------------------------------------------------
def beat(client: Client, case: Case) -> dict[str, Any]:
    answer = client.post(admin_url(case, "beat"))
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_the_pulse_takes_a_free_case_and_keeps_it(guild: Guild) -> None:
    case = judging.waiting(guild=guild)
    client = signed_in(reviewer())
    assert (beat(client, case)["state"], beat(client, case)["lost"]) == ("mine", "")
    Case.objects.update(claimed_until=timezone.now() + dt.timedelta(seconds=3))
    beat(client, case)
    case.refresh_from_db()
    assert case.claimed_until is not None
    assert case.claimed_until > timezone.now() + dt.timedelta(seconds=60)
    assert judging.acts().count("case.claimed") == 1


def test_the_pulse_takes_nothing_that_is_meant_for_another(guild: Guild) -> None:
    case = judging.waiting(guild=guild)
    owner = reviewer(name="Alice")
    case_assign(actor=judging.admin(), case_id=case.pk, user_id=owner.pk, reason="Knows them.")
    answer = beat(signed_in(reviewer()), case)
    case.refresh_from_db()
    assert (answer["state"], case.claimed_by) == ("lost", None)
    assert "reassigned it" in answer["lost"]
    assert beat(signed_in(owner), case)["state"] == "mine"


def test_a_reader_who_decides_nothing_is_seen_and_claims_nothing(guild: Guild) -> None:
    case = judging.waiting(guild=guild)
    assert beat(signed_in(factories.staff(Role.AUDITOR, name="Erin")), case)["state"] == "free"
    case.refresh_from_db()
    assert case.claimed_by is None
    assert beat(signed_in(reviewer()), case)["looking"] == "Also looking: Erin"


def test_the_pulse_tells_of_a_lost_case_at_once(guild: Guild) -> None:
    case = judging.waiting(guild=guild)
    client = signed_in(reviewer())
    beat(client, case)
    other = Actor.staff(reviewer(name="Alice"))
    case_assign(actor=judging.admin(), case_id=case.pk, user_id=other.user_id, reason="Knows them.")
    case_claim(actor=other, case_id=case.pk)
    assert beat(client, case)["lost"].startswith("Alice has taken it over at")
    case_decide(actor=other, case_id=case.pk, opinion="confirm", reason="It is theirs.")
    lost = beat(client, case)["lost"]
    assert "confirmed it" in lost
    assert "It is theirs." in lost


# --- blind ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["quality", "golden"])
@pytest.mark.parametrize("status", ["confirmed", "dismissed"])
def test_an_audit_looks_like_any_other_case(guild: Guild, kind: str, status: str) -> None:
    plain, audit = judging.waiting(guild=guild), audited(guild, kind, status)
    person = reviewer()
    client = signed_in(person)
    pages = [text(client, admin_url(case)) for case in (plain, audit)]
    for words in (kind, "Golden", "Audit", "Quality"):
        assert [words in page.split('id="desk"')[1] for page in pages] == [False, False], words
    offered = [
        [
            line.strip()
            for line in page.splitlines()
            if 'name="choice"' in line or "<h3>" in line or "<h4>" in line
        ]
        for page in pages
    ]
    assert len(offered[0]) == len(offered[1])
    assert "status-confirmed" not in pages[1]
    for page in pages:
        assert (
            'href="/admin/governance/violation/' not in page.split('id="desk"')[1].split("All violations")[0]
        )
        assert "What happened" not in page


@pytest.mark.parametrize(
    ("choice", "told"),
    [("confirm", "you saw it as it is"), ("dismiss", "Its answer is known: a violation.")],
)
def test_a_golden_case_is_explained_once_it_is_judged(guild: Guild, choice: str, told: str) -> None:
    case = audited(guild, "golden")
    assert case.violation is not None
    GoldenCase.objects.create(
        violation=case.violation,
        expected="confirm",
        explanation="The clip shows it.",
        created_at=timezone.now(),
    )
    client = signed_in(reviewer())
    assert "The clip shows it." not in text(client, admin_url(case))
    decide(client, case, choice=choice)
    page = text(client, MINE)
    assert told in page
    assert "The clip shows it." in page


def test_what_would_follow_is_reckoned_as_if_nothing_had(guild: Guild) -> None:
    version = factories.version(review="human")
    violation = factories.violation(guild, version, status="confirmed")
    sanctions_decide_due()
    assert Sanction.objects.get(violation=violation).nth == 1
    case = case_ask(kind="quality", violation=violation)
    assert "<strong>No. 1</strong>" in text(signed_in(reviewer()), admin_url(case))


def test_while_judging_the_violations_own_page_is_closed(guild: Guild) -> None:
    audit = audited(guild)
    assert audit.violation is not None
    person = reviewer()
    client, url = signed_in(person), admin_url(audit.violation)
    assert client.get(url).status_code == 200
    beat(client, audit)
    closed = client.get(url)
    assert closed.status_code == 403
    assert "You are still to judge it." in closed.content.decode()
    assert admin_url(audit.violation) not in text(client, list_url(Violation))
    exported = b"".join(client.get(f"{list_url(Violation)}export.csv").streaming_content)  # type: ignore[attr-defined]
    assert audit.violation.code.encode() not in exported
    assert signed_in(factories.staff(Role.AUDITOR)).get(url).status_code == 200
    assert decide(client, audit, choice="dismiss").status_code == 302
    assert client.get(url).status_code == 200
    assert Judgement.objects.get().opinion == "dismiss"
    assert Violation.objects.get().status == "confirmed"


def test_of_two_the_second_sees_nothing_of_the_first(guild: Guild) -> None:
    violation = judging.found("dual", guild=guild)
    first = Actor.staff(reviewer(name="Alice"))
    case_decide(
        actor=first, case_id=judging.cases_of(violation)[0].pk, opinion="confirm", reason="Plain to see."
    )
    person = reviewer()
    client = signed_in(person)
    page = text(client, admin_url(judging.cases_of(violation)[1]))
    assert "Plain to see." not in page
    assert "Alice" not in page
    assert client.get(admin_url(violation)).status_code == 403
    decide(client, judging.cases_of(violation)[1])
    assert "Plain to see." in text(client, admin_url(violation))


def test_a_guild_day_shows_its_signals_by_the_markets_own_clock(guild: Guild) -> None:
    type(guild.market).objects.update(timezone="Asia/Singapore")
    guild.refresh_from_db()
    day = timezone.now().date() - dt.timedelta(days=2)
    midnight = dt.datetime.combine(day, dt.time(), dt.UTC) - dt.timedelta(hours=8)
    within = factories.signal(guild, time=midnight)
    without = factories.signal(guild, time=midnight + dt.timedelta(hours=24))
    Activity.objects.create(guild=guild, date=day, live_hours=31, active_creators=3, gift_revenue=99)
    version = factories.version()
    case = case_ask(kind="coverage", guild=guild, day=day)
    client = signed_in(reviewer())
    page = text(client, admin_url(case))
    assert (within.event_id in page, without.event_id in page) == (True, False)
    assert "31.00" in page
    refused = decide(client, case)
    assert refused.status_code == 422
    assert "Name the code of the violation you saw." in refused.content.decode()
    assert not Judgement.objects.exists()
    decide(client, case, code=version.violation_code)
    assert Judgement.objects.get().code == version.violation_code


# --- my queue and the team --------------------------------------------------------------------------------------------
def test_my_queue_is_narrowed_by_what_is_asked(guild: Guild) -> None:
    grave, mild = (judging.waiting(guild=guild, severity=severity) for severity in ("S1", "S3"))
    day = case_ask(kind="coverage", guild=guild, day=timezone.now().date())
    Case.objects.filter(pk=mild.pk).update(due_at=timezone.now() - dt.timedelta(hours=1))
    client = signed_in(reviewer())

    def listed(**asked: str) -> set[Case]:
        page = client.get(MINE, asked).content.decode()
        return {case for case in (grave, mild, day) if f'value="{case.pk}"' in page}

    assert listed() == {grave, mild, day}
    assert listed(severity="S1") == {grave}
    assert listed(due="overdue") == {mild}
    assert listed(about="day") == {day}
    assert listed(about="violation") == {grave, mild}
    assert grave.violation is not None
    assert listed(q=grave.violation.code) == {grave}
    assert listed(q="nordlicht") == {grave, mild, day}
    assert listed(q="nobody here") == set()
    assert listed(queue="nonsense") == set()
    assert "overdue by 1 h" in text(client, MINE)


def test_an_empty_queue_says_so(guild: Guild) -> None:
    assert "Nothing waits for you." in text(signed_in(reviewer()), MINE)
    assert "Only reviewers have a queue." in text(signed_in(factories.staff(Role.AUDITOR)), MINE)


def test_the_team_page_counts_within_ones_markets(guild: Guild) -> None:
    late, held = judging.waiting(guild=guild), judging.waiting(guild=guild)
    judging.waiting()  # another market
    Case.objects.filter(pk=late.pk).update(due_at=timezone.now() - dt.timedelta(hours=3))
    colleague = factories.staff(Role.REVIEWER, markets=[guild.market], name="Alice")
    case_hold(
        actor=Actor.staff(colleague),
        case_id=held.pk,
        until=timezone.now() + dt.timedelta(hours=5),
        reason="Later.",
    )
    case_claim(actor=Actor.staff(colleague), case_id=late.pk)
    answer = signed_in(factories.staff(Role.ADMIN, markets=[guild.market])).get(TEAM)
    queues, people, _escalated = answer.context["sections"]
    [row] = queues.body.rows
    assert [getattr(cell, "text", cell) for cell in (row[2], row[4][0], row[5], row[6])] == ["1", "1", "1", 0]
    assert [(person[0], str(person[1].text)) for person in people.body.rows] == [("Alice", "at a case")]
    seen = signed_in(reviewer()).get(TEAM).context["sections"]
    assert [str(section.title) for section in seen] == ["Queues", "Escalated"]


# --- how the work is arranged -----------------------------------------------------------------------------------------
def test_admins_arrange_the_work_and_others_do_not(guild: Guild) -> None:
    person, market = reviewer(name="Alice"), guild.market
    reason = {"reason": "More gifts than before."}
    soon = timezone.now() + dt.timedelta(days=1)
    away = {
        "user_id": person.pk,
        "starts_at": f"{soon:%Y-%m-%dT%H:%M}",
        "ends_at": f"{soon + dt.timedelta(days=7):%Y-%m-%dT%H:%M}",
    }
    asked: list[tuple[Any, dict[str, Any], str]] = [
        (
            Queue,
            reason | {"code": "gifts", "name": "Gifts", "assignment": "pull", "double_percent": 10},
            "queue.saved",
        ),
        (
            Route,
            reason | {"queue": 0, "position": 1, "severities": ["S1"], "markets": "HERE"},
            "route.replaced",
        ),
        (Desk, reason | {"user_id": person.pk, "capacity_per_day": 30, "queue_ids": []}, "desk.saved"),
        (
            Target,
            reason | {"severity": "S2", "market_id": market.pk, "hours": 8, "warn_percent": 50},
            "target.saved",
        ),
        (Absence, away, "absence.added"),
    ]
    boss = signed_in(factories.staff(Role.ADMIN))
    for model, values, recorded in asked:
        if "queue" in values:
            values["queue"] = Queue.objects.get(code="gifts").pk
        url = reverse(f"admin:governance_{model._meta.model_name}_create")
        for role in (Role.AUDITOR, Role.ENFORCER):
            assert signed_in(factories.staff(role)).post(url, values).status_code == 403
        assert not model.objects.exists()
        answer = boss.post(url, values)
        assert answer.status_code == 302, answer.content.decode()
        assert Event.objects.filter(act=recorded).count() == 1
        made = model.objects.get()
        assert boss.get(admin_url(made)).status_code == 200
    assert Queue.objects.get().double_share == 0.1
    assert (Route.objects.get().markets, Route.objects.get().severities) == (["HERE"], ["S1"])
    assert Desk.objects.get().capacity_per_day == 30
    assert (Target.objects.get().hours, Target.objects.get().market) == (8, market)


def test_routes_change_places(guild: Guild) -> None:
    queue = Queue.objects.create(code="gifts", name="Gifts")
    for position, severity in enumerate(("S1", "S2", "S3"), start=1):
        Route.objects.create(position=position, queue=queue, severities=[severity])
    boss, reason = signed_in(factories.staff(Role.ADMIN)), {"reason": "Order."}

    def order() -> list[str]:
        return [route.severities[0] for route in Route.objects.order_by("position")]

    boss.post(admin_url(Route.objects.get(position=2), "up"), reason)
    assert order() == ["S2", "S1", "S3"]
    boss.post(admin_url(Route.objects.get(position=2), "down"), reason)
    assert order() == ["S2", "S3", "S1"]
    boss.post(admin_url(Route.objects.get(position=1), "remove"), reason)
    assert order() == ["S3", "S1"]


# --- what it costs ----------------------------------------------------------------------------------------------------
#: Queries of a page, whatever its length. A change here is a change of what the page promises.
COST = {"desk": 26, "mine": 9, "team": 13, "beat": 9}


def cost(client: Client, url: str, *, post: bool = False) -> int:
    cache.clear()
    with CaptureQueriesContext(connection) as asked:
        assert (client.post(url) if post else client.get(url)).status_code == 200
    return len(asked)


def test_the_pages_cost_the_same_however_much_waits(guild: Guild) -> None:
    case = judging.waiting(guild=guild)
    client, auditor = signed_in(reviewer()), signed_in(factories.staff(Role.AUDITOR))
    beat(client, case)

    def costs() -> dict[str, int]:
        return {
            "desk": cost(client, admin_url(case)),
            "mine": cost(client, MINE),
            "team": cost(auditor, TEAM),
            "beat": cost(client, admin_url(case, "beat"), post=True),
        }

    costs()
    short = costs()
    for _ in range(12):
        judging.waiting(guild=guild)
        reviewer()
    assert short == COST
    assert costs() == COST


# --- words ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("seconds", "words"), [(0, "0 min"), (59, "0 min"), (3_600, "1 h"), (90_000, "1 d")])
def test_amounts_are_said_in_one_unit(seconds: int, words: str) -> None:
    assert amount(seconds) == words


@pytest.mark.parametrize(
    ("left", "words", "variant"),
    [
        (-61, "overdue by 1 min", "danger"),
        (5 * 3_600, "soon: due in 5 h", "warning"),
        (20 * 3_600, "due in 20 h", "default"),
    ],
)
def test_the_clock_warns_in_words_and_in_colour(left: int, words: str, variant: str) -> None:
    now = timezone.now()
    case = Case(
        status="waiting",
        opened_at=now + dt.timedelta(seconds=left) - dt.timedelta(hours=24),
        due_at=now + dt.timedelta(seconds=left),
    )
    assert (clock(case, now).text, clock(case, now).variant) == (words, variant)
