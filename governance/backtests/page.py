"""The parts of a backtest's page: what it found, as tables with a chart beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.urls import reverse
from django.utils.translation import gettext as _

from governance.backtests.charts import Bar, bars, interval
from governance.backtests.enums import BacktestStatus
from governance.backtests.models import Backtest
from governance.backtests.selectors import AT_WORK, Which, hits_of
from governance.penalties.enums import PenaltyKind
from guilds.console.page import Fact, Link, Section, Table, Template, link_to

SAMPLES = 25


def progress(backtest: Backtest) -> dict[str, Any]:
    """Context of the progress bar; it asks for itself again while the run is at work."""
    done, total = backtest.signals_done, backtest.signals_total
    if backtest.status == BacktestStatus.DONE:
        percent, words = 100, _("Done: %(n)s signals judged.") % {"n": f"{done:,}"}
    elif backtest.status == BacktestStatus.QUEUED:
        percent, words = 0, _("Waiting for a worker.")
    else:
        percent = min(99, done * 100 // total) if total else 0
        words = _("%(done)s of %(total)s signals") % {"done": f"{done:,}", "total": f"{total:,}"}
        if backtest.status != BacktestStatus.RUNNING:
            words = _("Stopped after %(words)s.") % {"words": words}
    return {
        "at_work": backtest.status in AT_WORK,
        "progress_url": reverse("admin:governance_backtest_progress", args=[backtest.pk]),
        "percent": percent,
        "words": words,
    }


def sections_of(backtest: Backtest, samples: str) -> list[Section]:
    found = [Section(_("Progress"), Template("admin/console/backtest_progress.html", progress(backtest)))]
    if not backtest.result:
        return found
    result: Mapping[str, Any] = backtest.result
    found += [_totals(backtest, result)]
    if result["compared"] is not None or result["totals"]["tested"]["matches"]:
        found.append(_samples(backtest, result, samples))
    found += [
        _breakdown(backtest, result["by_month"], _("By month"), _("Month (UTC)")),
        _breakdown(backtest, result["by_market"], _("By market"), _("Market")),
        _breakdown(backtest, result["by_tier"], _("By tier of the guild"), _("Tier")),
        _precision(backtest, result),
        _penalties(result["penalties"]),
        _overlap(result["overlap"]),
        _staffing(result["per_day"]),
        _most_hit(_("Guilds hit most"), result["guilds"]),
    ]
    if result["creators"]:
        found.append(_most_hit(_("Creators hit most"), result["creators"]))
    return found


def _base(backtest: Backtest) -> str:
    return str(backtest.compared_with) if backtest.compared_with else ""


def _totals(backtest: Backtest, result: Mapping[str, Any]) -> Section:
    # PostgreSQL keeps the keys of an object in an order of its own
    columns = ("matches", "guilds", "creators")
    tested, base = result["totals"]["tested"], result["totals"]["base"]
    rows = [[_("Tested: %(version)s") % {"version": backtest.version}, *(tested[name] for name in columns)]]
    if base is not None:
        words = _("In force: %(version)s") % {"version": _base(backtest)}
        rows.append([words, *(base[name] for name in columns)])
    note = (
        _("Errors on %(n)s signals: the condition could not be evaluated there.")
        % {"n": f"{backtest.faults:,}"}
        if backtest.faults
        else ""
    )
    headers = ["", _("Violations it would open"), _("Guilds"), _("Creators")]
    return Section(_("What it finds"), Table(headers, rows), note=note)


def _breakdown(backtest: Backtest, rows: Sequence[Mapping[str, Any]], title: str, heading: str) -> Section:
    compares = backtest.compared_with is not None
    found: list[Bar] = [(row["name"], row["tested"], row["base"]) for row in rows]
    headers = [heading, _("Tested"), _base(backtest)] if compares else [heading, _("Tested")]
    table = Table(headers, [row if compares else row[:2] for row in found], empty=_("Nothing was found."))
    if not found:
        return Section(title, table)
    context = {
        "chart": bars(found, title=title, compares=compares),
        "table": table,
        "compares": compares,
        "base": _base(backtest),
    }
    return Section(title, Template("admin/console/backtest_chart.html", context))


def _precision(backtest: Backtest, result: Mapping[str, Any]) -> Section:
    title = _("Precision against what people decided")
    note = _(
        "Of the hits about which people have decided before for the same violation code, the share they confirmed, with the"
        " Wilson interval of 95 %. It says nothing of hits that nobody has looked at."
    )
    rows = [[_("Tested"), *_share(result["precision"])]]
    if result["base_precision"] is not None:
        rows.append([_base(backtest), *_share(result["base_precision"])])
    table = Table(["", _("Decided"), _("Confirmed"), _("Precision"), _("95 % interval")], rows)
    known = result["precision"]["state"] == "known"
    if not known:
        return Section(title, table, note=note)
    context = {"chart": interval(result["precision"], title=title), "table": table, "compares": False}
    return Section(title, Template("admin/console/backtest_chart.html", context), note=note)


def _share(share: Mapping[str, Any]) -> list[Any]:
    if share["state"] != "known":
        return [share["n"], share["right"], _("insufficient data"), ""]
    return [
        share["n"],
        share["right"],
        f"{share['point']:.1%}",
        f"{share['low']:.1%} – {share['high']:.1%}",
    ]


def _penalties(penalties: Mapping[str, Any]) -> Section:
    rows = [[PenaltyKind(kind).label, count] for kind, count in penalties["kinds"].items()]
    rows.append([_("Points charged"), penalties["points"]])
    note = _(
        "Had every hit been confirmed, with guilds starting from nothing. Bands of the score, decay of points and amnesties"
        " are left out."
    )
    return Section(_("Penalties it would cause"), Table([_("Kind"), _("Count")], rows), note=note)


def _overlap(overlap: Sequence[Mapping[str, Any]]) -> Section:
    rows = [[row["rule"], row["both"], f"{row['share']:.1%}"] for row in overlap]
    headers = [_("Rule"), _("Hits on the same signals"), _("Share of the hits")]
    return Section(
        _("Other rules that found the same signals"),
        Table(headers, rows, empty=_("No other rule has found any of these signals.")),
    )


def _staffing(per_day: Mapping[str, Any]) -> Section:
    facts = [
        Fact(_("Hits a day on average"), per_day["mean"]),
        Fact(
            _("Busiest day"),
            f"{per_day['busiest_day']}: {per_day['busiest']}" if per_day["busiest"] else None,
        ),
        Fact(_("Days in the span"), per_day["days"]),
    ]
    return Section(_("Load for reviewers"), facts)


def _most_hit(title: str, rows: Sequence[Mapping[str, Any]]) -> Section:
    return Section(
        title,
        Table(
            [_("Id"), _("Name"), _("Hits")],
            [[row["id"], row["name"], row["hits"]] for row in rows],
            empty=_("Nothing was found."),
        ),
    )


def _samples(backtest: Backtest, result: Mapping[str, Any], asked: str) -> Section:
    """Hits to open, by who found them. Without a base all are the tested wording's alone."""
    compared = result["compared"] or {
        "only_tested": result["totals"]["tested"]["matches"],
        "only_base": 0,
        "both": 0,
    }
    titles = {
        "only_tested": _("Only the tested wording") if result["compared"] else _("Hits"),
        "only_base": _("Only the one in force"),
        "both": _("Both"),
    }
    chosen = cast("Which", asked if asked in titles else "only_tested")
    rows = [
        [
            hit.occurred_at,
            link_to(hit.guild),
            link_to(hit.creator),
            hit.market,
            Link(_("Open the signal"), reverse("admin:governance_signal_change", args=[hit.signal_id])),
        ]
        for hit in hits_of(backtest, chosen)[:SAMPLES]
    ]
    empty = (
        _("None.")
        if backtest.hits.exists() or not compared[chosen]
        else _("The hits of this run are deleted by now; its figures stay.")
    )
    table = Table(
        [_("Happened"), _("Guild"), _("Creator"), _("Market"), _("Signal")],
        rows,
        empty=empty,
        more=Link(_("Every hit as CSV"), reverse("admin:governance_backtest_hits", args=[backtest.pk])),
    )
    keys = list(titles) if result["compared"] else ["only_tested"]
    context = {
        "choices": [(key, titles[key], f"{compared[key]:,}") for key in keys],
        "chosen": chosen,
        "table": table,
    }
    return Section(_("Hits to open"), Template("admin/console/backtest_samples.html", context))
