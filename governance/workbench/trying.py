"""What a wording says of one signal: with the code of live detection, windows as of the signal's own time, nothing kept."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import IntegrityError, connection, transaction

from governance.engine import CompiledRule, Evaluator, RuleError, RuleSpec, SignalFacts, compile_rule, explain
from governance.engine.facts import safe_number
from governance.signals.models import Signal
from governance.signals.selectors import signals_visible_to
from governance.violations.detection_facts import Registry, StoredSignal, registry_of
from governance.violations.measures import measure_values
from governance.workbench.facts import Pasted, refuse
from guilds.accounts.actor import Actor
from guilds.errors import NotFound
from guilds.models import Creator, Guild, Market, Membership

#: A guild or creator that nobody knows, as rules see it.
STAND_IN = -1


@dataclass(frozen=True)
class Judged:
    """`state` is true, false, unknown or error, or unheard when the rule does not listen to such a signal at all."""

    state: str
    explanation: dict[str, Any] = field(default_factory=dict)

    @property
    def matched(self) -> bool:
        return self.state == "true"


@dataclass(frozen=True)
class Snapshot:
    """A signal with all a rule may ask about it: facts, and measures by the rule's names for them."""

    facts: SignalFacts
    measures: dict[str, Any]
    notes: tuple[str, ...] = ()


def judge(rule: CompiledRule, facts: SignalFacts, measures: Mapping[str, Any]) -> Judged:
    """What the rule says of the facts; `measures` by name, one left out is not known."""
    spec = rule.spec
    if facts.signal_type not in spec.on:
        reason = f"The rule does not listen to {facts.signal_type}."
        return Judged("unheard", {"state": "false", "reason": reason, "when": spec.when, "conditions": []})
    market = str(facts.market.get("code", ""))
    if not spec.everywhere and market not in spec.markets:
        reason = f"The rule does not hold in {market or 'a signal without a market'}."
        return Judged("unheard", {"state": "false", "reason": reason, "when": spec.when, "conditions": []})
    values = {measure.key: measures[measure.name] for measure in rule.measures if measure.name in measures}
    explained = explain(rule, facts, values)
    return Judged(str(explained["state"]), explained)


def compiled_or_reason(spec: RuleSpec) -> CompiledRule | str:
    """The rule, or what keeps it from being evaluated."""
    try:
        return compile_rule(spec)
    except RuleError as error:
        return str(error)


def snapshot_of_stored(actor: Actor, spec: RuleSpec, signal_id: int) -> Snapshot:
    """A stored signal of the actor's markets, measured as of its time. NotFound."""
    found = signals_visible_to(actor).filter(pk=signal_id).first()
    if found is None:
        raise NotFound("There is no such signal in your markets.", field="signal")
    stored = _as_stored(found)
    return _measured(spec, stored, registry_of([stored]))


def snapshot_of_pasted(actor: Actor, spec: RuleSpec, pasted: Pasted) -> Snapshot:
    """A signal written by hand, measured as if it had just been stored: beside it counts what its guild and creator really did.

    A guild or creator we do not know, or not in the actor's markets, is a stand-in without a past.
    """
    stored, registry, notes = _placed(actor, spec, pasted)
    with transaction.atomic():
        point = transaction.savepoint()
        try:
            with transaction.atomic():
                _insert(stored)
        except IntegrityError:
            # No partition for its month, hence nothing stored there either.
            notes.append("No signals of that month are stored, so measures leave this signal itself out.")
        snapshot = _measured(spec, stored, registry)
        transaction.savepoint_rollback(point)
    return replace(snapshot, notes=tuple(notes))


def _as_stored(signal: Signal) -> StoredSignal:
    return StoredSignal(
        id=signal.pk,
        time=signal.time,
        type=signal.type,
        guild_id=signal.guild_id,
        named_guild_id=signal.named_guild_id,
        creator_id=signal.creator_id,
        market_id=signal.market_id,
        data=signal.data,
    )


def _measured(spec: RuleSpec, stored: StoredSignal, registry: Registry) -> Snapshot:
    rule = _measuring(spec, stored.type, registry.market_code(stored.market_id))
    values: Mapping[str, Any] = {}
    if rule is not None:
        values = measure_values(Evaluator([rule]), [stored], registry).values[0]
    measures = {
        measure.name: safe_number(values[measure.key])
        for measure in (rule.measures if rule else ())
        if measure.key in values
    }
    return Snapshot(registry.facts(stored), measures)


def _measuring(spec: RuleSpec, signal_type: str, market: str) -> CompiledRule | None:
    """The rule's measures alone: they can be had while its condition is still being written."""
    types = spec.on or (signal_type,)
    measures = tuple(replace(measure, types=measure.types or types) for measure in spec.measures)
    probe = replace(spec, when="true", on=(signal_type,), markets=(market,))
    usable = tuple(
        measure
        for measure in measures
        if isinstance(compiled_or_reason(replace(probe, measures=(measure,))), CompiledRule)
    )
    found = compiled_or_reason(replace(probe, measures=usable))
    return found if isinstance(found, CompiledRule) else None


def _placed(actor: Actor, spec: RuleSpec, pasted: Pasted) -> tuple[StoredSignal, Registry, list[str]]:
    notes: list[str] = []
    markets = Market.objects.select_related("regime").order_by("code")
    if actor.market_ids is not None:
        markets = markets.filter(pk__in=actor.market_ids)
    creator = Creator.objects.filter(external_id=pasted.creator).first() if pasted.creator else None
    guild = _guild_of(pasted, creator, markets)
    if guild is not None:
        market = markets.filter(pk=guild.market_id).first()
    else:
        creator = None
        market = None
        if pasted.guild:
            notes.append(f"No guild {pasted.guild} in your markets: a stand-in without a past.")
    if pasted.market:
        named = markets.filter(code=pasted.market).first()
        if named is None:
            raise refuse(f"No market {pasted.market} within your reach.")
        market = named
    if market is None:
        governed = markets if spec.everywhere else markets.filter(code__in=spec.markets)
        market = governed.first() or markets.first()
    if market is None:
        raise refuse("There is no market within your reach.")
    stored = StoredSignal(
        id=-secrets.randbits(62) - 1,
        time=pasted.time,
        type=pasted.type,
        guild_id=guild.pk if guild else STAND_IN,
        named_guild_id=None,
        creator_id=creator.pk if creator else (STAND_IN if pasted.creator else None),
        market_id=market.pk,
        data=pasted.data,
    )
    known = registry_of([stored])
    guilds, creators = dict(known.guilds), dict(known.creators)
    guilds.setdefault(
        STAND_IN,
        {
            "id": pasted.guild or "example",
            "name": "",
            "tier": "standard",
            "status": "active",
            "provisional": False,
            "market": market.code,
            "onboarded_at": None,
        },
    )
    creators.setdefault(STAND_IN, {"id": pasted.creator, "name": "", "market": market.code})
    return stored, Registry(guilds, creators, known.markets), notes


def _guild_of(pasted: Pasted, creator: Creator | None, markets: Any) -> Guild | None:
    """The holder of the creator at the time, else the guild the signal names; only of these markets."""
    within = Guild.objects.filter(market__in=markets.values("pk"))
    if creator is not None:
        held = Membership.objects.filter(creator=creator, starts_at__lte=pasted.time).exclude(
            ends_at__lte=pasted.time
        )
        holder = within.filter(pk__in=held.values("guild")).first()
        if holder is not None:
            return holder
    return within.filter(external_id=pasted.guild).first() if pasted.guild else None


def _insert(stored: StoredSignal) -> None:
    """Into the table of signals, in a transaction that is rolled back: so measures count it as they would any other."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO governance_signal (id, time, type, source_id, event_id, guild_id, creator_id, market_id, data,"
            " received_at) VALUES (%s, %s, %s, 0, '', %s, %s, %s, %s, now())",
            [
                stored.id,
                stored.time,
                stored.type,
                stored.guild_id,
                stored.creator_id,
                stored.market_id,
                json.dumps(dict(stored.data)),
            ],
        )
