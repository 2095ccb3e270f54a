"""Where the guild's notices go, as its people see it, and the link that says a mail has arrived."""

from __future__ import annotations

import pytest
from django.test import Client

from governance.models import Contact, Dispatch, Event
from governance.notices.mail import receipt_token
from governance.notices.services import contact_add
from governance.notices.services.contacts import MOST_CONTACTS
from tests.appeals.cases import Case, acts_since, last_event, nothing_changes, text_of

ADDRESS = "/portal/contacts/"


def test_an_owner_adds_changes_and_removes_an_address(case: Case, olga: Client) -> None:
    since = last_event()
    assert "olga@guild.test" in text_of(olga.get(ADDRESS)), "the owners, until an address is named"

    olga.post(ADDRESS, {"email": " legal@aurora.test ", "name": "Legal", "kinds": ["penalty_imposed"]})
    contact = Contact.objects.get()
    assert (contact.guild, contact.email, contact.name, contact.kinds) == (
        case.guild,
        "legal@aurora.test",
        "Legal",
        ["penalty_imposed"],
    )
    page = text_of(olga.get(ADDRESS))
    assert "legal@aurora.test" in page
    assert "olga@guild.test" not in page.split("Where your messages go")[1]
    assert 'value="legal@aurora.test"' in olga.get(f"{ADDRESS}{contact.pk}/").content.decode()

    olga.post(f"{ADDRESS}{contact.pk}/", {"email": "office@aurora.test"})
    contact.refresh_from_db()
    assert (contact.email, contact.name, contact.kinds) == ("office@aurora.test", "", [])

    olga.post(f"{ADDRESS}{contact.pk}/remove/")
    assert "office@aurora.test" not in text_of(olga.get(ADDRESS)).split("Where your messages go")[1]
    assert acts_since(since) == ["contact.added", "contact.changed", "contact.removed"]
    assert set(Event.objects.filter(pk__gt=since).values_list("guild_id", flat=True)) == {case.guild.pk}


def test_a_removed_address_comes_back_as_it_is_given_now(case: Case, olga: Client) -> None:
    contact = contact_add(actor=case.owner, guild_id=case.guild.pk, email="legal@aurora.test", name="Legal")
    olga.post(f"{ADDRESS}{contact.pk}/remove/")

    answer = olga.post(ADDRESS, {"email": "Legal@aurora.test"})

    assert answer.status_code == 302
    assert list(Contact.objects.values_list("email", "name", "is_active")) == [
        ("Legal@aurora.test", "", True)
    ]


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"email": "nobody"}, 422, "valid email"),
        ({"email": ""}, 422, "required"),
        ({"email": "new@aurora.test", "kinds": ["gossip"]}, 422, "not one of the available choices"),
        ({"email": "DESK@aurora.test"}, 409, "has this address already"),
    ],
)
def test_what_is_wrong_is_said(
    case: Case, olga: Client, said: dict[str, object], status: int, words: str
) -> None:
    contact_add(actor=case.owner, guild_id=case.guild.pk, email="desk@aurora.test")
    with nothing_changes():
        answer = olga.post(ADDRESS, said)
    assert answer.status_code == status
    assert words in text_of(answer)
    assert Contact.objects.count() == 1


def test_a_guild_has_only_so_many(case: Case, olga: Client) -> None:
    for number in range(MOST_CONTACTS):
        contact_add(actor=case.owner, guild_id=case.guild.pk, email=f"desk-{number}@aurora.test")
    with nothing_changes():
        answer = olga.post(ADDRESS, {"email": "one-more@aurora.test"})
    assert answer.status_code == 409
    assert Contact.objects.count() == MOST_CONTACTS


def test_others_read_without_buttons(case: Case, client: Client) -> None:
    contact = contact_add(actor=case.owner, guild_id=case.guild.pk, email="desk@aurora.test")
    client.force_login(case.vera.user)

    page = client.get(ADDRESS).content.decode()

    assert "desk@aurora.test" in page
    assert f"{ADDRESS}{contact.pk}/" not in page


# --- receipts ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def dispatch(case: Case) -> Dispatch:
    assert case.penalty.notice is not None
    return case.penalty.notice.dispatches.get()


def test_looking_at_the_link_confirms_nothing_and_pressing_the_button_does(
    dispatch: Dispatch, client: Client
) -> None:
    address = f"/portal/received/{receipt_token(dispatch)}/"
    with nothing_changes():
        page = client.get(address)
    assert page.status_code == 200
    assert page["Cache-Control"].startswith("max-age=0")
    assert "Aurora" not in page.content.decode(), "nothing about the guild"
    dispatch.refresh_from_db()
    assert dispatch.status == "pending"

    since = last_event()
    assert "has arrived" in text_of(client.post(address))
    assert client.post(address).status_code == 200
    dispatch.refresh_from_db()
    assert (dispatch.status, dispatch.received_at is not None) == ("received", True)
    assert acts_since(since) == ["dispatch.received"]


def test_made_up_and_cancelled_links_look_alike(dispatch: Dispatch, client: Client) -> None:
    good = receipt_token(dispatch)
    Dispatch.objects.update(status="cancelled")
    with nothing_changes():
        answers = [
            client.post(f"/portal/received/{token}/")
            for token in (good, good[:-3] + "xyz", "1:2:3", "nonsense")
        ]
    assert {answer.status_code for answer in answers} == {410}
    assert len({text_of(answer) for answer in answers}) == 1
