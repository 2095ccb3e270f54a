"""Examples: signals a version must match, or must not. Who writes one has a hand in the version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from governance.ledger.services import record
from governance.rules.models import RuleVersion
from governance.workbench import facts, wording
from governance.workbench.models import Example
from governance.workbench.selectors import locked_example, spec_of
from governance.workbench.services.drafts import draft_locked, hand_in
from governance.workbench.services.runs import examples_run
from governance.workbench.trying import snapshot_of_pasted, snapshot_of_stored
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, NotFound

MOST = 200
NAME_LENGTH = 200


@transaction.atomic
def example_add(
    *,
    actor: Actor,
    version_id: int,
    name: str,
    must_match: bool,
    pasted: str = "",
    signal_id: int | None = None,
    measures: Mapping[str, Any] | None = None,
) -> Example:
    """Keep a signal with the version: a stored one by id, or JSON, a CloudEvent or the bare data of one.

    Facts and measures are taken as detection would take them now; `measures` overrides values by name. Records
    `example.added`. Raises NotFound, NotAllowed, InvalidTransition (frozen), InvalidInput, Conflict (name taken).
    """
    version = draft_locked(actor, version_id)
    if version.examples.count() >= MOST:
        raise Conflict(_("A version keeps at most %(count)s examples.") % {"count": MOST})
    name = _name(version, name)
    spec = spec_of(version)
    if signal_id is not None:
        snapshot = snapshot_of_stored(actor, spec, signal_id)
    else:
        default_type = spec.on[0] if spec.on else ""
        snapshot = snapshot_of_pasted(actor, spec, facts.read_pasted(pasted, default_type=default_type))
    kept = facts.to_json(snapshot.facts)
    facts.storable(kept)
    example = Example.objects.create(
        version=version,
        name=name,
        must_match=must_match,
        facts=kept,
        measures={**snapshot.measures, **facts.checked_measures(measures)},
    )
    return _done(actor, version, example, "example.added")


@transaction.atomic
def example_change(
    *,
    actor: Actor,
    example_id: int,
    name: str | None = None,
    must_match: bool | None = None,
    facts_kept: Mapping[str, Any] | None = None,
    measures: Mapping[str, Any] | None = None,
) -> Example:
    """Change what is given; `facts_kept` in the form of `Example.facts`. Records `example.changed`."""
    version = draft_locked(actor, _version_of(example_id))
    example = locked_example(example_id)
    before = _shown(example)
    if name is not None:
        example.name = _name(version, name, but=example)
    if must_match is not None:
        example.must_match = must_match
    if facts_kept is not None:
        example.facts = facts.checked_facts(facts_kept)
    if measures is not None:
        example.measures = facts.checked_measures(measures)
    if _shown(example) == before:
        return example
    example.save()
    return _done(actor, version, example, "example.changed", before)


@transaction.atomic
def example_remove(*, actor: Actor, example_id: int) -> None:
    """Take an example out; the ledger keeps it. Records `example.removed`."""
    version = draft_locked(actor, _version_of(example_id))
    example = locked_example(example_id)
    record(actor=actor, act="example.removed", obj=example, before=_shown(example), after={})
    example.delete()
    hand_in(actor, version)


def _version_of(example_id: int) -> int:
    found = Example.objects.filter(pk=example_id).values_list("version_id", flat=True).first()
    if found is None:
        raise NotFound(_("There is no such example."))
    return found


def _name(version: RuleVersion, name: str, but: Example | None = None) -> str:
    name = name.strip()
    if not name or len(name) > NAME_LENGTH or wording.unfit(name):
        raise InvalidInput(_("Name the example in at most 200 characters."), field="name")
    others = version.examples.filter(name=name)
    if but is not None:
        others = others.exclude(pk=but.pk)
    if others.exists():
        raise Conflict(_("This version has an example of that name already."), field="name")
    return name


def _shown(example: Example) -> dict[str, Any]:
    return {
        "version": example.version.public_id,
        "name": example.name,
        "must_match": example.must_match,
        "facts": example.facts,
        "measures": example.measures,
    }


def _done(
    actor: Actor, version: RuleVersion, example: Example, act: str, before: dict[str, Any] | None = None
) -> Example:
    hand_in(actor, version)
    record(actor=actor, act=act, obj=example, before=before, after=_shown(example))
    ran = {found.pk: found for found in examples_run(version)}
    return ran[example.pk]
