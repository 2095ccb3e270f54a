"""The ledger cannot be rewritten: PostgreSQL refuses, and where it is forced, the chain shows it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from appeals.models import Appeal, Decision
from governance.ledger import selectors, services
from governance.models import Event, EventSeal, Penalty
from governance.penalties import services as penalties
from guilds.accounts.actor import Actor
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def second_connection() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Another session on the same database, in charge of its own transactions."""
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    given = {name: parameters[name] for name in names if parameters.get(name)}
    with psycopg.connect(**given, autocommit=True) as other:
        yield other


def write(count: int) -> None:
    for _ in range(count):
        with transaction.atomic():
            factories.event(after={"points": 10, "text": "é ü 公会"})


def forced(statement: str, parameters: list[int] | None = None) -> None:
    """What an attacker with the rights of a superuser would do."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, parameters)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE governance_event SET reason = 'x'",
        "DELETE FROM governance_event",
        "UPDATE governance_eventseal SET sequence = sequence + 100",
        "DELETE FROM governance_eventseal",
        "UPDATE governance_pointentry SET points = 0",
        "UPDATE appeals_decision SET answer = ''",
    ],
)
def test_postgresql_refuses_to_rewrite_evidence(statement: str) -> None:
    write(2)
    services.seal_everything()
    guild = factories.guild()
    factories.violation(guild, status="confirmed")
    penalties.sanctions_decide_due()
    if "decision" in statement:
        decided()
    with pytest.raises(DatabaseError, match="pgtrigger"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def decided() -> None:
    penalty = Penalty.objects.latest("pk")
    now = timezone.now()
    appeal = Appeal.objects.create(
        penalty=penalty,
        guild=penalty.guild,
        market=penalty.market,
        grounds="other",
        statement="s",
        status="decided",
        outcome="upheld",
        filed_at=now,
        decide_by=now,
        settled_at=now,
    )
    Decision.objects.create(
        appeal=appeal,
        adjudicator=factories.staff("adjudicator"),
        outcome="upheld",
        answer="a",
        decided_at=now,
    )


def test_an_event_outside_a_transaction_is_refused() -> None:
    with pytest.raises(RuntimeError, match="inside the transaction"):
        services.record_many(
            actor=Actor.system("t"), entries=[services.Entry(act="a.b", object_type="t", object_id="1")]
        )


def test_an_untouched_chain_holds_and_the_command_says_so() -> None:
    write(5)
    assert services.seal_everything() == 5
    write(2)
    out = io.StringIO()
    call_command("verify_ledger", stdout=out)
    head = bytes(EventSeal.objects.latest("sequence").digest).hex()
    assert out.getvalue() == f"ledger holds: sealed=5 unsealed=2 head={head}\n"


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE governance_event SET reason = 'rewritten' WHERE id = %s", "was changed"),
        ("UPDATE governance_event SET after = '{\"points\": 0}' WHERE id = %s", "was changed"),
        ("UPDATE governance_event SET at = at + interval '1 second' WHERE id = %s", "was changed"),
        ("UPDATE governance_event SET actor_label = 'somebody else' WHERE id = %s", "was changed"),
        ("DELETE FROM governance_event WHERE id = %s", "was deleted"),
    ],
)
@pytest.mark.parametrize("position", [0, 2, 4])
def test_tampering_is_found_and_named(statement: str, fault: str, position: int) -> None:
    write(5)
    services.seal_everything()
    write(1)
    victim = list(Event.objects.order_by("id").values_list("pk", flat=True))[position]
    forced(statement, [victim])
    found = selectors.verify()
    assert (found.event_id, found.sealed) == (victim, position)
    assert fault in found.fault
    err = io.StringIO()
    with pytest.raises(SystemExit) as stop:
        call_command("verify_ledger", stderr=err)
    assert stop.value.code == 1
    assert str(victim) in err.getvalue()


@pytest.mark.parametrize("position", [0, 2])
def test_a_seal_taken_out_of_the_chain_is_found(position: int) -> None:
    write(4)
    services.seal_everything()
    forced("DELETE FROM governance_eventseal WHERE sequence = %s", [position + 1])
    assert "lost its seal" in selectors.verify().fault


def test_an_event_slipped_in_among_sealed_ones_is_found() -> None:
    write(3)
    services.seal_everything()
    first = Event.objects.order_by("id").first()
    assert first is not None
    forced(
        "INSERT INTO governance_event (transaction, at, act, object_type, object_id, actor_kind, actor_id, actor_label,"
        " before, after, reason, request_id) VALUES (%s, now(), 'x.y', 't', '1', 'system', 's', 's', '{}', '{}', '', '')",
        [first.transaction],
    )
    assert "slipped in" in selectors.verify().fault


def test_an_open_transaction_holds_the_seal_back_so_that_order_is_never_revised() -> None:
    with second_connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_current_xact_id()")
        write(3)
        assert services.seal() == 0
        assert list(selectors.events_final()) == []
        cursor.execute("COMMIT")
    assert services.seal() == 3


def test_ids_given_out_beyond_the_last_that_ended_hide_nothing() -> None:
    """A snapshot ends after the last transaction that has ended; ours and others under way may have later ids."""
    write(1)
    with second_connection() as older:
        older.execute("BEGIN")
        older.execute("SELECT pg_current_xact_id()")
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")
            assert selectors.events_final().filter(act="test.done").count() == 1
        older.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("xid", "near", "wide"),
    [
        (100, 100, 100),
        (99, 100, 99),
        (103, 100, 103),
        (2**32 - 1, 2**32 + 5, 2**32 - 1),
        (3, 2**32 + 5, 2**32 + 3),
        (3, 2**32 - 2, 2**32 + 3),
        (7, 5 * 2**32 + 9, 5 * 2**32 + 7),
    ],
)
def test_half_a_transaction_id_is_the_nearest_whole_one(xid: int, near: int, wide: int) -> None:
    assert selectors.widened(xid, near) == wide


def test_two_sealers_at_once_do_not_fork_the_chain() -> None:
    write(3)
    with second_connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT pg_advisory_xact_lock({services.SEAL_LOCK})")
        assert services.seal() == 0
        cursor.execute("ROLLBACK")
    assert services.seal() == 3
    assert not selectors.verify().fault


def test_a_guild_learns_of_decisions_but_not_of_suspicions_and_held_penalties() -> None:
    guild = factories.guild()
    acts = ["violation.opened", "penalty.held", "penalty.applied", "violation.dismissed", "appeal.assigned"]
    with transaction.atomic():
        for act in acts:
            factories.event(act, guild_id=guild.pk)
        factories.event("penalty.cancelled", guild_id=guild.pk, before={"status": "held"})
        factories.event("penalty.cancelled", guild_id=guild.pk, before={"status": "scheduled"})
        factories.event("penalty.applied", guild_id=factories.guild().pk)
    actor = Actor.client(factories.client("events:read", guild=guild), scopes=["events:read"])

    seen = selectors.events_visible_to(actor).values_list("act", "before__status")

    assert list(seen) == [("penalty.applied", None), ("penalty.cancelled", "scheduled")]
