"""The buttons of the console: who may press which, that nothing happens otherwise, and what happens when it does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.cache import cache
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.backtests.services import backtest_cancel
from governance.ledger.models import Event
from governance.models import Case, Delivery, Draft, Endpoint, Penalty, Template, Violation
from governance.review.services import case_hold, violation_dismiss
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.page import admin_url, list_url
from guilds.models import Client as Machine
from guilds.models import Guild, User
from tests import factories
from tests.config import console_world
from tests.governance.workbench import writing

pytestmark = pytest.mark.django_db

REASON = {"reason": "Seen with my own eyes."}
SAFEGUARD = {"large_creators": 20, "shield_days": 30, "hold_hours": 24, **REASON}
UNTIL = {"until": f"{timezone.now() + dt.timedelta(days=30):%Y-%m-%d}"}


@dataclass(frozen=True)
class Button:
    """An act on an object: where it is offered, who may press it, and the ledger act it leaves."""

    name: str
    made: Callable[[Guild], Model]
    roles: frozenset[str]
    recorded: str
    values: dict[str, Any] = field(default_factory=lambda: dict(REASON))
    required: str = "reason"

    def __str__(self) -> str:
        return f"{self.made.__name__} {self.name}"


def open_violation(guild: Guild) -> Model:
    return factories.violation(guild, factories.version(review="human"))


def penalty_in(status: str) -> Callable[[Guild], Model]:
    def made(guild: Guild) -> Model:
        return console_world.penalty(factories.violation(guild, status="confirmed"), status)

    made.__name__ = f"{status}_penalty"
    return made


def version_in(status: str) -> Callable[[Guild], Model]:
    def made(guild: Guild) -> Model:
        return factories.version(status=status, markets=[guild.market.code])

    made.__name__ = f"{status}_version"
    return made


def open_appeal(guild: Guild) -> Model:
    return console_world.appeal(console_world.penalty(factories.violation(guild, status="confirmed")))


def waiting_approval(guild: Guild) -> Model:
    return writing.requested(writing.analyst(), markets=(guild.market.code,))


def waiting_draft(guild: Guild) -> Model:
    return Draft.objects.get(pk=writing.requested(writing.analyst(), markets=(guild.market.code,)).version_id)


def open_assignment(guild: Guild) -> Model:
    _lesson, assignment, _attempt = console_world.taught(guild)
    return assignment


def open_fault(guild: Guild) -> Model:
    return console_world.fault(guild)


def waiting_signal(guild: Guild) -> Model:
    return console_world.quarantined(guild.market)


def failed_mail(guild: Guild) -> Model:
    return console_world.mailed(guild, "failed")[1]


def contact(guild: Guild) -> Model:
    return console_world.mailed(guild)[0]


def failed_delivery(guild: Guild) -> Model:
    return console_world.delivery(guild)


def active_endpoint(guild: Guild) -> Model:
    return console_world.delivery(guild).endpoint


def paused_endpoint(guild: Guild) -> Model:
    endpoint = console_world.delivery(guild).endpoint
    Endpoint.objects.filter(pk=endpoint.pk).update(is_active=False)
    return endpoint


def queued_backtest(guild: Guild) -> Model:
    return console_world.backtest(guild.market, steps=0)


def cancelled_backtest(guild: Guild) -> Model:
    found = console_world.backtest(guild.market, steps=0)
    return backtest_cancel(actor=Actor.system("test"), backtest_id=found.pk)


def waiting_case(guild: Guild) -> Model:
    return console_world.case(guild)


def held_case(guild: Guild) -> Model:
    colleague = Actor.staff(factories.staff("reviewer"))
    until = timezone.now() + dt.timedelta(days=1)
    return case_hold(actor=colleague, case_id=console_world.case(guild).pk, until=until, reason="Later.")


def confirmed_violation(guild: Guild) -> Model:
    return factories.violation(guild, status="confirmed")


def open_compensation(guild: Guild) -> Model:
    return console_world.compensation(guild)


def open_stop(guild: Guild) -> Model:
    return console_world.stop(guild.market)


def open_difference(guild: Guild) -> Model:
    return console_world.difference(console_world.penalty(factories.violation(guild, status="confirmed")))


def disputed_item(guild: Guild) -> Model:
    return console_world.sampled(factories.violation(guild, status="confirmed"))[1]


def drawn_sample(guild: Guild) -> Model:
    return console_world.sampled(factories.violation(guild, status="confirmed"))[0]


def decided_violation(guild: Guild) -> Model:
    return factories.violation(guild, status="dismissed")


BACKTESTERS = frozenset({"analyst", "approver", "launcher"})
REVIEWER, ENFORCER, ADJUDICATOR, ADMIN = (
    frozenset({role.value}) for role in (Role.REVIEWER, Role.ENFORCER, Role.ADJUDICATOR, Role.ADMIN)
)
ANSWER = {"outcome": "upheld", "answer": "We looked at the recording again and it shows your creator."}

BUTTONS = (
    Button("confirm", open_violation, REVIEWER, "violation.confirmed"),
    Button("dismiss", open_violation, REVIEWER, "violation.dismissed"),
    Button("assign", waiting_case, REVIEWER | ADMIN, "case.assigned", REASON | {"user": ""}),
    Button("resume", held_case, REVIEWER, "case.resumed"),
    Button("release", penalty_in("held"), ENFORCER, "penalty.released"),
    Button("refuse", penalty_in("held"), ENFORCER, "penalty.cancelled"),
    Button("lift", penalty_in("in_force"), ENFORCER, "penalty.lifted"),
    Button("cancel", penalty_in("scheduled"), ENFORCER, "penalty.cancelled"),
    Button("retry", penalty_in("failed"), ENFORCER, "penalty.scheduled"),
    Button(
        "correct",
        confirmed_violation,
        ADJUDICATOR,
        "violation.corrected",
        {"reason": "The audit found that it was another account."},
    ),
    Button(
        "settle",
        open_compensation,
        ENFORCER | ADMIN,
        "compensation.settled",
        {"amount": "12.50", "note": "Paid with the next settlement."},
        "note",
    ),
    Button("decline", open_compensation, ENFORCER | ADMIN, "compensation.declined"),
    Button("close", open_stop, ENFORCER | ADMIN, "enforcement_stop.closed"),
    Button("settle", open_difference, ENFORCER, "difference.settled"),
    Button("decide", open_appeal, ADJUDICATOR, "appeal.decided", ANSWER, "answer"),
    Button("take", open_appeal, ADJUDICATOR, "appeal.assigned", {}, ""),
    Button(
        "message",
        open_appeal,
        ADJUDICATOR,
        "appeal.message",
        {"body": "Which recording do you mean?"},
        "body",
    ),
    Button("assign", open_appeal, ADJUDICATOR | ADMIN, "", {"user": ""}, ""),
    Button("retry", open_fault, frozenset({"reviewer", "analyst", "launcher"}), "evaluation_fault.retried"),
    Button("discard", waiting_signal, ADMIN, "quarantined_signal.discarded"),
    Button("cancel", open_assignment, frozenset({"analyst"}), "assignment.cancelled"),
    Button("retry", waiting_signal, ADMIN, "", {}, ""),
    Button("pause", active_endpoint, ADMIN, "webhook_endpoint.paused"),
    Button("resume", paused_endpoint, ADMIN, "webhook_endpoint.resumed"),
    Button("retry", failed_delivery, ADMIN, "webhook_delivery.retried"),
    Button(
        "pause",
        version_in("live"),
        frozenset({"launcher", "analyst", "approver", "enforcer"}),
        "rule_version.paused",
    ),
    Button("resume", version_in("paused"), frozenset({"launcher"}), "rule_version.resumed"),
    Button(
        "to_shadow",
        version_in("draft"),
        frozenset({"launcher", "analyst"}),
        "rule_version.shadowed",
        REASON | UNTIL,
    ),
    Button(
        "extend_shadow",
        version_in("shadow"),
        frozenset({"launcher", "analyst"}),
        "rule_version.shadow_extended",
        REASON | UNTIL,
    ),
    Button(
        "stop_shadow",
        version_in("shadow"),
        frozenset({"launcher", "analyst"}),
        "rule_version.shadow_stopped",
    ),
    Button("end", console_world.rule_exception, frozenset({"launcher", "approver"}), "rule_exception.ended"),
    Button("close", console_world.alarm, frozenset({"analyst", "approver", "launcher"}), "alarm.closed"),
    Button("approve", waiting_draft, frozenset({"approver"}), "approval.approved"),
    Button("refuse", waiting_draft, frozenset({"approver"}), "approval.refused"),
    Button("withdraw", waiting_draft, frozenset({"analyst"}), "approval.withdrawn"),
    Button("approve", waiting_approval, frozenset({"approver"}), "approval.approved"),
    Button("refuse", waiting_approval, frozenset({"approver"}), "approval.refused"),
    Button("withdraw", waiting_approval, frozenset({"analyst"}), "approval.withdrawn"),
    Button("cancel", queued_backtest, BACKTESTERS, "backtest.cancelled", required=""),
    Button("go_on", cancelled_backtest, BACKTESTERS, "backtest.resumed", required=""),
    Button("retire", version_in("live"), frozenset({"launcher"}), "rule_version.retired"),
    Button("settle", disputed_item, frozenset({"analyst", "adjudicator", "admin"}), "sample_item.settled"),
    Button("close", drawn_sample, frozenset({"analyst", "admin"}), "sample.closed"),
    Button(
        "make_golden",
        decided_violation,
        frozenset({"analyst", "adjudicator", "admin"}),
        "golden_case.made",
        {"expected": "dismiss", "explanation": "The clip shows another guild's stream."},
        "explanation",
    ),
    Button("close", console_world.finding, frozenset({"analyst", "approver"}), "finding.closed"),
    Button("edit", console_world.safeguard, ADMIN, "safeguard.set", SAFEGUARD),
    Button("send_again", failed_mail, ADMIN | ENFORCER, "dispatch.pending"),
    Button("edit", contact, ADMIN, "contact.changed", {"email": "office@guild-here.test"}, "email"),
    Button("remove", contact, ADMIN, "contact.removed"),
    Button("reset", console_world.wording, ADMIN | frozenset({"analyst"}), ""),
)
#: Objects that belong to no market, so that being elsewhere does not hide them.
OF_NO_MARKET = {
    "active_endpoint",
    "paused_endpoint",
    "live_version",
    "paused_version",
    "draft_version",
    "shadow_version",
    "waiting_approval",
    "waiting_draft",
    "wording",
}


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def guild(db: None) -> Guild:
    return factories.guild("guild-here", market=factories.market("HERE"))


def signed_in(*roles: str, **fields: Any) -> Client:
    client = Client()
    client.force_login(factories.staff(*roles, **fields))
    return client


def url_of(obj: Model, act: str) -> str:
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_{act}", args=[obj.pk])


def row(obj: Model) -> dict[str, Any]:
    return type(obj)._default_manager.filter(pk=obj.pk).values().get()


@pytest.mark.parametrize("button", BUTTONS, ids=str)
def test_the_wrong_role_is_refused_and_nothing_happens(guild: Guild, button: Button) -> None:
    obj = button.made(guild)
    before, recorded = row(obj), Event.objects.count()
    for role in set(Role.values) - button.roles:
        client = signed_in(role, markets=[guild.market])
        assert client.post(url_of(obj, button.name), button.values).status_code == 403, role
        assert client.get(url_of(obj, button.name)).status_code == 403, role
        assert f'href="{url_of(obj, button.name)}"' not in client.get(admin_url(obj)).content.decode(), role
    assert row(obj) == before
    assert Event.objects.count() == recorded


@pytest.mark.parametrize("button", BUTTONS, ids=str)
def test_the_right_role_elsewhere_is_refused_and_nothing_happens(guild: Guild, button: Button) -> None:
    obj = button.made(guild)
    before, recorded = row(obj), Event.objects.count()
    client = signed_in(*button.roles, markets=[factories.market("ELSE")])
    expected = 403 if button.made.__name__ in OF_NO_MARKET else 404
    assert client.post(url_of(obj, button.name), button.values).status_code == expected
    assert row(obj) == before
    assert Event.objects.count() == recorded


@pytest.mark.parametrize("button", [button for button in BUTTONS if button.required], ids=str)
def test_blanks_are_no_reason(guild: Guild, button: Button) -> None:
    obj = button.made(guild)
    before, recorded = row(obj), Event.objects.count()
    answer = signed_in(*button.roles).post(
        url_of(obj, button.name), button.values | {button.required: "  \n "}
    )
    assert answer.status_code == 422
    assert "This field is required." in answer.content.decode()
    assert row(obj) == before
    assert Event.objects.count() == recorded


@pytest.mark.parametrize("button", BUTTONS, ids=str)
def test_the_right_role_acts_once_and_it_is_recorded(guild: Guild, button: Button) -> None:
    obj = button.made(guild)
    # A webhook hears of every market and a wording is read in each, so who manages them must reach every one.
    everywhere = isinstance(obj, Endpoint | Delivery | Template)
    client = signed_in(*button.roles, markets=None if everywhere else [guild.market])
    assert f'href="{url_of(obj, button.name)}"' in client.get(admin_url(obj)).content.decode()
    answer = client.post(url_of(obj, button.name), button.values)
    assert (answer.status_code, answer.content) == (302, b"")
    if button.recorded:
        event = Event.objects.filter(act=button.recorded).latest("id")
        assert event.actor_kind == "staff"
        assert event.reason == button.values.get("reason", event.reason)


def test_htmx_is_led_on_by_a_header(guild: Guild) -> None:
    violation = open_violation(guild)
    answer = signed_in(Role.REVIEWER).post(
        url_of(violation, "confirm"), REASON, headers={"HX-Request": "true"}
    )
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["HX-Redirect"] == admin_url(violation)


def test_a_refusal_of_the_service_is_shown_and_the_text_kept(guild: Guild) -> None:
    violation = open_violation(guild)
    Violation.objects.filter(pk=violation.pk).update(status="dismissed", decided_at=timezone.now())
    recorded = Event.objects.count()
    client = signed_in(Role.REVIEWER)
    plain = client.post(url_of(violation, "confirm"), REASON)
    assert plain.status_code == 409
    dialog = client.post(url_of(violation, "confirm"), REASON, headers={"HX-Request": "true"})
    assert dialog.status_code == 200
    for page in (plain.content.decode(), dialog.content.decode()):
        assert "cannot become confirmed" in page
        assert REASON["reason"] in page
    assert Event.objects.count() == recorded


def test_nobody_releases_a_penalty_they_took_part_in(guild: Guild) -> None:
    person = factories.staff(Role.ENFORCER)
    penalty = console_world.penalty(
        factories.violation(guild, status="confirmed"), "held", proposed_by=person
    )
    client = Client()
    client.force_login(person)
    answer = client.post(url_of(penalty, "release"), REASON)
    assert answer.status_code == 403
    assert "another person must release it" in answer.content.decode()
    assert Penalty.objects.get().status == "held"


def test_many_rows_are_confirmed_first_and_answered_one_by_one(guild: Guild) -> None:
    waiting, gone = console_world.case(guild), console_world.case(guild)
    client, url = signed_in(Role.REVIEWER), list_url(Case)
    chosen = {"action": "confirm", "_selected_action": [waiting.pk, gone.pk]}
    asked = client.post(url, chosen | {"index": "0"}).content.decode()
    assert "Confirm: 2 rows" in asked
    assert asked.count("No. 1; 10 points (100 → 90)") == 2
    revisions = {f"revision-{case.pk}": case.revision for case in (waiting, gone)}
    for case in (waiting, gone):
        assert f'name="revision-{case.pk}" value="{case.revision}"' in asked
    assert Violation.objects.filter(status="open").count() == 2
    refused = client.post(url, chosen | revisions | {"confirmed": "1", "reason": " "}).content.decode()
    assert "This field is required." in refused
    assert Violation.objects.filter(status="open").count() == 2
    other = factories.staff(Role.REVIEWER)
    assert gone.violation_id is not None
    violation_dismiss(actor=Actor.staff(other), violation_id=gone.violation_id, reason="A rehearsal.")
    # The list was narrowed to what waits: the row that no longer does is answered all the same.
    narrowed = f"{url}?status__exact=waiting"
    done = client.post(narrowed, chosen | revisions | {"confirmed": "1"} | REASON).content.decode()
    assert "Confirm: 1 of 2 done" in done
    assert f"{other.email} dismissed it" in done
    assert "A rehearsal." in done
    assert "confirmed, and its consequences follow" in done
    assert sorted(Violation.objects.values_list("status", flat=True)) == ["confirmed", "dismissed"]
    assert Event.objects.filter(act="violation.confirmed").count() == 1


def test_a_row_without_the_revision_that_was_shown_is_not_touched(guild: Guild) -> None:
    case = console_world.case(guild)
    chosen = {"action": "confirm", "_selected_action": [case.pk], "confirmed": "1", **REASON}
    answer = signed_in(Role.REVIEWER).post(list_url(Case), chosen).content.decode()
    assert "Confirm: 0 of 1 done" in answer
    assert Violation.objects.get().status == "open"


def test_many_rows_reach_no_further_than_role_and_market(guild: Guild) -> None:
    case = console_world.case(guild)
    chosen = {
        "action": "confirm",
        "_selected_action": [case.pk],
        "confirmed": "1",
        f"revision-{case.pk}": case.revision,
        **REASON,
    }
    for client in (signed_in(Role.AUDITOR), signed_in(Role.REVIEWER, markets=[factories.market("ELSE")])):
        client.post(list_url(Case), chosen)
    assert Violation.objects.get().status == "open"
    assert Event.objects.filter(act="violation.confirmed").count() == 0


LIST_BUTTONS = (
    (User, "create", {"email": "new@example.test", "roles": ["reviewer"]}, "staff.created"),
    (Machine, "create", {"name": "Payout", "scopes": ["penalties:read"]}, "client.created"),
    (
        Endpoint,
        "create",
        {"name": "Payout", "url": "https://payout.example.test/", "types": ["penalty.applied"]},
        "webhook_endpoint.created",
    ),
)


@pytest.mark.parametrize(
    ("model", "act", "values", "recorded"), LIST_BUTTONS, ids=lambda value: getattr(value, "__name__", "")
)
def test_only_administrators_make_accounts_clients_and_endpoints(
    guild: Guild, model: type[Model], act: str, values: dict[str, Any], recorded: str
) -> None:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{act}")
    for role in set(Role.values) - {Role.ADMIN}:
        before = model._default_manager.count()
        client = signed_in(role)
        refused = client.post(url, values).status_code
        # The colleague who asks is the one new row.
        assert (refused, model._default_manager.count() - before) == (403, 1 if model is User else 0)
    answer = signed_in(Role.ADMIN).post(url, values)
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    assert Event.objects.filter(act=recorded).count() == 1


def test_secrets_are_shown_once(guild: Guild) -> None:
    client = signed_in(Role.ADMIN)
    page = client.post(
        reverse("admin:guilds_client_create"), {"name": "Payout", "scopes": ["penalties:read"]}
    )
    secret = page.context["reveal"].rows[1][1]
    made = Machine.objects.get(name="Payout")
    assert secret in page.content.decode()
    assert secret not in made.client_secret
    assert made.client_secret not in client.get(admin_url(made)).content.decode()
    endpoint = console_world.delivery(guild).endpoint
    assert endpoint.secret not in client.get(admin_url(endpoint)).content.decode()


def test_a_link_is_never_given_out_for_an_account_in_use(guild: Guild) -> None:
    owner = User.objects.create_superuser("owner@example.test", "a-long-password")
    answer = signed_in(Role.ADMIN).post(
        reverse("admin:guilds_user_create"), {"email": "owner@example.test", "roles": ["auditor"]}
    )
    assert (answer.status_code, answer.headers["Location"]) == (302, admin_url(owner))


def test_a_person_of_a_guild_is_invited_only_within_ones_markets(guild: Guild) -> None:
    url, values = (
        reverse("admin:guilds_guilduser_invite"),
        {"email": "o@guild.test", "guild": "guild-here", "role": "owner"},
    )
    away = signed_in(Role.ADMIN, markets=[factories.market("ELSE")]).post(url, values)
    assert away.status_code == 422
    assert "no such guild in your markets" in away.content.decode()
    here = signed_in(Role.ADMIN, markets=[guild.market]).post(url, values)
    assert here.status_code == 200
    assert "/portal/welcome/" in here.context["reveal"].rows[0][1]
    assert guild.users.get().role == "owner"
