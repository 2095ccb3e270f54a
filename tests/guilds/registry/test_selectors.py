"""Who held a creator when, and who sees which guilds and creators."""

from __future__ import annotations

import datetime as dt

import pytest

from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.registry.selectors import creators_visible_to, guild_holding, guilds_visible_to, holders
from tests import factories

pytestmark = pytest.mark.django_db

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def test_a_membership_holds_from_its_start_to_before_its_end() -> None:
    first, second, creator, free = (
        factories.guild(),
        factories.guild(),
        factories.creator(),
        factories.creator(),
    )
    factories.membership(creator, first, START, START + DAY)
    factories.membership(creator, second, START + 3 * DAY)
    moments = [START - DAY, START, START + DAY, START + 2 * DAY, START + 3 * DAY, START + 900 * DAY]
    assert [guild_holding(creator.pk, at) for at in moments] == [
        None,
        first.pk,
        None,
        None,
        second.pk,
        second.pk,
    ]
    found = holders([(creator.pk, at) for at in moments] + [(free.pk, START)])
    assert {at: place.id for (_, at), place in found.items()} == {
        START: first.pk,
        START + 3 * DAY: second.pk,
        START + 900 * DAY: second.pk,
    }
    assert found[creator.pk, START].market_id == first.market_id
    assert holders([]) == {}


def test_many_holders_cost_one_query(django_assert_num_queries: object) -> None:
    creators = [factories.creator() for _ in range(5)]
    for creator in creators:
        factories.membership(creator, factories.guild(), START)
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert len(holders([(creator.pk, START) for creator in creators])) == 5


def test_who_sees_whom() -> None:
    ours, theirs = factories.guild(), factories.guild()
    ours_creator = factories.creator(market=None)
    theirs_creator = factories.creator(market=theirs.market)
    factories.membership(ours_creator, ours, START, START + DAY)
    factories.membership(theirs_creator, theirs, START)
    everywhere = Actor.staff(factories.staff(Role.AUDITOR))
    here = Actor.staff(factories.staff(Role.AUDITOR, markets=[ours.market]))
    seat = Actor.guild_user(factories.seat(theirs))
    assert [set(guilds_visible_to(actor)) for actor in (everywhere, here, seat)] == [
        {ours, theirs},
        {ours},
        {theirs},
    ]
    assert [set(creators_visible_to(actor)) for actor in (everywhere, here, seat)] == [
        {ours_creator, theirs_creator},
        {ours_creator},
        {theirs_creator},
    ]
