"""What the workbench's page asks for while somebody writes: JSON in, JSON out. Each calls one service or only reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from django.http import HttpRequest, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from governance.rules.models import RuleVersion
from governance.signals.fields import fields_of, known_types
from governance.workbench import facts
from governance.workbench.checking import checked, read
from governance.workbench.lately import lately, recent_signals, summary
from governance.workbench.models import Example
from governance.workbench.selectors import requirements, spec_of
from governance.workbench.services import draft_save, example_add, example_change, example_remove
from governance.workbench.trying import (
    compiled_or_reason,
    judge,
    snapshot_of_pasted,
    snapshot_of_stored,
)
from governance.workbench.wording import unfit
from guilds.accounts.actor import Actor
from guilds.console.page import admin_url
from guilds.errors import DomainError, InvalidInput, NotFound

#: Bytes of a request: a wording with its texts, or a pasted signal.
MOST_BYTES = 512 * 1024
PICKED = 20

Answer = Callable[[Actor, RuleVersion, Mapping[str, Any]], dict[str, Any]]


def answered(request: HttpRequest, actor: Actor, version: RuleVersion, answer: Answer) -> JsonResponse:
    """The answer, or why there is none: {"message", "code", "errors"} with the error's own status."""
    if request.method != "POST":
        return JsonResponse({"message": "POST only."}, status=405)
    try:
        return JsonResponse(answer(actor, version, _sent(request)))
    except DomainError as error:
        told = {"message": error.message, "code": error.code, "errors": error.errors}
        return JsonResponse(told, status=error.status)


def _sent(request: HttpRequest) -> Mapping[str, Any]:
    if int(request.headers.get("Content-Length") or 0) > MOST_BYTES:
        raise InvalidInput(_("This is more than the workbench takes at once."))
    try:
        sent = orjson.loads(request.body or b"{}")
    except orjson.JSONDecodeError as error:
        raise InvalidInput(_("This is not JSON: %(error)s") % {"error": error.msg}) from None
    if not isinstance(sent, dict):
        raise InvalidInput(_("A JSON object is expected."))
    return sent


def check(actor: Actor, version: RuleVersion, sent: Mapping[str, Any]) -> dict[str, Any]:
    return checked(actor, version, read(version, sent)).to_dict()


def fields(actor: Actor, version: RuleVersion, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the signal types asked for, as the builder offers them."""
    types = sent.get("types")
    named = types[:100] if isinstance(types, list) else []
    wanted = [name for name in named if isinstance(name, str) and not unfit(name)]
    return {"fields": fields_json(actor, wanted), "types": known_types(actor.market_ids)}


def fields_json(actor: Actor, types: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "path": found.path,
            "types": list(found.types),
            "share": found.share,
            "examples": list(found.examples),
            "count": found.count,
        }
        for found in fields_of(types, actor.market_ids)
    ]


def signals(actor: Actor, version: RuleVersion, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Recent signals to pick from."""
    wanted = facts.checked_text(sent.get("type"))
    found = recent_signals(actor, read(version, sent).spec, wanted)
    return {
        "signals": [
            {
                "id": str(row.pk),
                "type": row.type,
                "time": f"{row.time.astimezone(dt.UTC):%d %b %Y %H:%M}",
                "guild": str(row.guild),
                "market": row.market.code,
                "summary": summary(row),
            }
            for row in found[:PICKED]
        ]
    }


def try_one(actor: Actor, version: RuleVersion, sent: Mapping[str, Any]) -> dict[str, Any]:
    """What the wording as sent says of one signal: stored (`signal`) or `pasted`; `measures` override by name."""
    form = read(version, sent)
    rule = compiled_or_reason(form.spec)
    if isinstance(rule, str):
        raise InvalidInput(_("Put the rule right first: %(reason)s") % {"reason": rule}, field="when")
    if sent.get("signal"):
        snapshot = snapshot_of_stored(actor, form.spec, _key(sent["signal"]))
    else:
        pasted = facts.read_pasted(
            facts.checked_text(sent.get("pasted")), default_type=form.spec.on[0] if form.spec.on else ""
        )
        snapshot = snapshot_of_pasted(actor, form.spec, pasted)
    measures = {**snapshot.measures, **facts.checked_measures(sent.get("measures"))}
    judged = judge(rule, snapshot.facts, measures)
    return {
        "state": judged.state,
        "html": explanation_html(judged.explanation),
        "facts": facts.to_json(snapshot.facts),
        "measures": {measure.name: measures.get(measure.name) for measure in form.spec.measures},
        "notes": list(snapshot.notes),
    }


def explanation_html(explanation: Mapping[str, Any]) -> str:
    """The tree of an explanation; condition and measures stand beside it on this page."""
    shown = {**_plain(explanation), "when": "", "measures": {}}
    return render_to_string("admin/console/explanation.html", {"explanation": shown})


def _plain(part: Mapping[str, Any]) -> dict[str, Any]:
    """Without the runtime's words where the missing fields say it better."""
    conditions = [_plain(child) for child in part.get("conditions") or ()]
    children = [_plain(child) for child in part.get("children") or ()]
    reason = "" if part.get("state") == "unknown" else part.get("reason", "")
    return {**part, "reason": reason, "conditions": conditions, "children": children}


def recent(actor: Actor, version: RuleVersion, sent: Mapping[str, Any]) -> dict[str, Any]:
    """The wording as sent, over the signals last stored."""
    found = lately(actor, version, read(version, sent).spec)
    return {
        "looked_at": found.looked_at,
        "matched": found.matched,
        "faults": found.faults,
        "overlap": [
            {"rule": code, "both": both, "share": both / found.matched} for code, both in found.overlap
        ],
        "samples": [
            {
                "id": str(row.pk),
                "url": admin_url(row),
                "guild": str(row.guild),
                "time": f"{row.time.astimezone(dt.UTC):%d %b %Y %H:%M}",
                "summary": summary(row),
            }
            for row in found.samples
        ],
    }


def save(actor: Actor, version: RuleVersion, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Save the wording. Values that no field can take are refused; whatever is wrong with the rule is not."""
    form = read(version, sent)
    unfit = [problem for problem in form.problems if problem.place is None]
    if unfit:
        raise InvalidInput(
            _("Put these right first, then save again."),
            errors=[{"field": problem.where, "message": problem.message} for problem in unfit],
        )
    saved = draft_save(
        actor=actor,
        version_id=version.pk,
        spec=form.spec,
        expected_written_at=facts.moment(sent.get("written_at")) if sent.get("written_at") else None,
    )
    return {**checked(actor, saved, form).to_dict(), **state_of(saved)}


def state_of(version: RuleVersion) -> dict[str, Any]:
    """What depends on the saved wording: its time, examples and what approval still asks for."""
    return {
        "written_at": version.written_at.isoformat(),
        "examples": [example_json(example) for example in version.examples.order_by("id")],
        "requirements": [
            {
                "key": found.key,
                "label": str(found.label),
                "met": found.met,
                "cure": "" if found.met else str(found.cure),
            }
            for found in requirements(version)
        ],
    }


def example_json(example: Example) -> dict[str, Any]:
    return {
        "id": example.pk,
        "name": example.name,
        "must_match": example.must_match,
        "facts": example.facts,
        "measures": example.measures,
        "result": example.result,
        "label": str(example.get_result_display()),
        "html": explanation_html(example.explanation) if example.explanation else "",
    }


def examples(actor: Actor, version: RuleVersion, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Add, change or remove an example (`act`), and what all of them say now."""
    act = sent.get("act")
    if act == "add":
        example_add(
            actor=actor,
            version_id=version.pk,
            name=facts.checked_text(sent.get("name")),
            must_match=sent.get("must_match") is True,
            pasted=facts.checked_text(sent.get("pasted")),
            signal_id=_key(sent["signal"]) if sent.get("signal") else None,
            measures=sent.get("measures"),
        )
    elif act == "change":
        example_change(
            actor=actor,
            example_id=_own(version, sent).pk,
            name=facts.checked_text(sent["name"]) if "name" in sent else None,
            must_match=sent["must_match"] is True if "must_match" in sent else None,
            facts_kept=sent.get("facts"),
            measures=sent.get("measures"),
        )
    elif act == "remove":
        example_remove(actor=actor, example_id=_own(version, sent).pk)
    else:
        raise InvalidInput(_("Nothing is known to do here."), field="act")
    return state_of(RuleVersion.objects.select_related("rule").get(pk=version.pk))


def _own(version: RuleVersion, sent: Mapping[str, Any]) -> Example:
    found = version.examples.filter(pk=_key(sent.get("example"))).first()
    if found is None:
        raise NotFound(_("There is no such example."))
    return found


def _key(value: Any) -> int:
    """A row's key, sent as text since JavaScript rounds large numbers."""
    text = str(value)
    if not text.isdecimal() or len(text) > 18:
        raise NotFound(_("There is no such row."))
    return int(text)


def opening(actor: Actor, version: RuleVersion) -> dict[str, Any]:
    """What the page starts with: the saved wording in every form."""
    return {
        **checked(actor, version, read(version, {})).to_dict(),
        **state_of(version),
        "fields": fields_json(actor, list(spec_of(version).on)),
    }


ENDPOINTS: dict[str, Answer] = {
    "check": check,
    "fields": fields,
    "signals": signals,
    "try": try_one,
    "recent": recent,
    "save": save,
    "examples": examples,
}
