"""The console's pages of backtests."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from governance.backtests.models import Backtest
from governance.backtests.selectors import hits_of
from governance.ledger.models import Event
from guilds.accounts.actor import Actor
from guilds.models import User
from tests import factories
from tests.governance.backtests.test_backtests import asked, run, world
from tests.governance.violations.detecting import DAY, START

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def page(backtest: Backtest) -> str:
    return reverse("admin:governance_backtest_change", args=[backtest.pk])


def test_a_finished_run_shows_each_part_with_its_chart_and_hits_to_open() -> None:
    _, draft = world()
    backtest = run(asked(draft))
    browser = signed_in(factories.staff("auditor"))
    html = browser.get(page(backtest)).content.decode()
    for words in (
        "What it finds", "By month", "By market", "By tier of the guild", "Precision against what people decided",
        "insufficient data", "Penalties it would cause", "Other rules that found the same signals", "Load for reviewers",
        "Guilds hit most", "Only the tested wording", "Only the one in force", "Both",
    ):  # fmt: skip
        assert words in html, words
    assert html.count('role="img"') == 3
    totals = backtest.result["totals"]["tested"]
    told = re.sub(r"<[^>]+>|\s+", " ", html[html.index("Tested: JOB v2") :])
    assert told.split()[:6] == ["Tested:", "JOB", "v2", *map(str, (totals["matches"], totals["guilds"], 0))]
    assert totals["matches"] > totals["guilds"] == 3
    assert "hx-trigger" not in html.split('id="backtest-progress"')[1].split(">")[0]
    signal_id = hits_of(backtest, "only_tested")[0].signal_id
    assert reverse("admin:governance_signal_change", args=[signal_id]) in html
    other = browser.get(page(backtest) + "?samples=only_base").content.decode()
    assert 'href="?samples=only_base#samples" class="current"' in other
    # Nothing can be done about it by one who only reads.
    assert reverse("admin:governance_backtest_cancel", args=[backtest.pk]) not in html


def test_a_run_at_work_asks_for_its_progress_again_and_loads_anew_when_it_has_ended() -> None:
    _, draft = world()
    backtest = asked(draft)
    browser = signed_in(factories.staff("analyst"))
    address = reverse("admin:governance_backtest_progress", args=[backtest.pk])
    html = browser.get(page(backtest)).content.decode()
    assert f'hx-get="{address}"' in html
    assert "Waiting for a worker." in html
    assert reverse("admin:governance_backtest_cancel", args=[backtest.pk]) in html
    assert "<progress" in browser.get(address).content.decode()
    run(backtest)
    assert browser.get(address).headers["HX-Refresh"] == "true"


def test_a_backtest_is_asked_for_cancelled_and_gone_on_with() -> None:
    version = factories.version()
    factories.signal(factories.guild(), time=START)
    browser = signed_in(factories.staff("analyst"))
    new = reverse("admin:governance_backtest_new")
    form = browser.get(f"{new}?version={version.pk}").content.decode()
    assert f'<option value="{version.pk}" selected' in form
    answer = browser.post(
        new, {"version": version.pk, "since": "2024-03-01", "until": "2024-03-01", "compare": "on"}
    )
    backtest = Backtest.objects.get()
    assert answer.headers["Location"] == page(backtest)
    assert (backtest.since, backtest.until) == (START.replace(hour=0), START.replace(hour=0) + DAY)
    browser.post(reverse("admin:governance_backtest_cancel", args=[backtest.pk]), {"reason": "wrong days"})
    backtest.refresh_from_db()
    assert backtest.status == "cancelled"
    browser.post(reverse("admin:governance_backtest_go_on", args=[backtest.pk]), {"reason": ""})
    assert run(backtest).result["totals"]["tested"]["matches"] == 1
    assert Event.objects.get(act="backtest.cancelled").reason == "wrong days"


def test_a_refusal_is_shown_in_the_form() -> None:
    version = factories.version()
    browser = signed_in(factories.staff("analyst"))
    answer = browser.post(
        reverse("admin:governance_backtest_new"),
        {"version": version.pk, "since": "2024-03-02", "until": "2024-03-01"},
    )
    assert answer.status_code == 422
    assert "The end must come after the beginning." in answer.content.decode()
    assert not Backtest.objects.exists()
    assert not Event.objects.exists()


def test_who_may_not_sees_no_form_and_nothing_of_other_markets() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    version = factories.version()
    factories.signal(factories.guild(market=here), time=START)
    backtest = run(asked(version, Actor.staff(factories.staff("analyst", markets=[here]))))
    reader = signed_in(factories.staff("reviewer"))
    assert reader.get(reverse("admin:governance_backtest_new")).status_code == 403
    assert reader.get(page(backtest)).status_code == 200
    elsewhere = signed_in(factories.staff("analyst", markets=[there]))
    hits = reverse("admin:governance_backtest_hits", args=[backtest.pk])
    progress = reverse("admin:governance_backtest_progress", args=[backtest.pk])
    for address in (page(backtest), hits, progress):
        assert elsewhere.get(address).status_code == 404
    form = elsewhere.get(reverse("admin:governance_backtest_new")).content.decode()
    assert 'value="THERE"' in form
    assert 'value="HERE"' not in form


def test_hits_as_csv_open_safely() -> None:
    version = factories.version()
    factories.signal(factories.guild("=cmd()"), time=START)
    backtest = run(asked(version, compare=False))
    browser = signed_in(factories.staff("auditor"))
    answer = browser.get(reverse("admin:governance_backtest_hits", args=[backtest.pk]))
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "side,occurred_at,guild,creator,market,signal"
    assert lines[1].startswith("tested,2024-03-01T12:00:00+00:00,'=cmd(),,")
    listed = browser.get(reverse("admin:governance_backtest_changelist")).content.decode()
    assert str(version) in listed
    assert browser.get(reverse("admin:governance_backtest_export")).status_code == 200
