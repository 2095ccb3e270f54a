"""Which wordings a draft may hold. A draft may be faulty, for it is being written; what it refers to must exist all the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from governance.engine import RuleSpec
from governance.penalties.enums import PenaltyKind
from governance.rules.enums import ReviewMode, Severity
from governance.rules.models import Ladder, RuleVersion
from guilds.errors import InvalidInput
from guilds.models import Market

LONGEST = {"name": 200, "violation_code": 40, "when": 20_000, "description": 10_000}
TEXT_LENGTH = 20_000
#: A few more than a rule may have: it is told that it has too many, and no more than these are ever read.
MOST_MEASURES = 25
MOST_TYPES = 100
CAP_MOST = 10_000_000
_LANGUAGE = re.compile(r"\*|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def require_fit(version: RuleVersion, spec: RuleSpec) -> None:
    """InvalidInput, every fault with its field, for a wording that could not even be kept as a draft of this rule."""
    faults: list[dict[str, Any]] = []

    def fault(field: str, message: str) -> None:
        faults.append({"field": field, "message": message})

    if spec.code != version.rule.code:
        fault("code", _("The code belongs to the rule and does not change."))
    if spec.risk != version.rule.risk.code:
        fault("risk", _("The risk belongs to the rule: change it there."))
    for name, longest in LONGEST.items():
        if len(getattr(spec, name)) > longest:
            fault(name, _("At most %(count)s characters.") % {"count": longest})
    if not spec.name.strip():
        fault("name", _("Give the rule a name."))
    if not _CODE.fullmatch(spec.violation_code):
        fault("violation_code", _("Letters, digits and - _ . make a code, such as GFT-01."))
    if len(spec.on) > MOST_TYPES or any(not 0 < len(name) <= 200 for name in spec.on):
        fault("on", _("Name signal types of at most 200 characters each."))
    if len(spec.measures) > MOST_MEASURES:
        fault("measures", _("Too many measures."))
    _require_choices(spec, fault)
    _require_known(spec, fault)
    _require_storable(spec, fault)
    if faults:
        raise InvalidInput(_("The draft cannot be kept like this."), errors=faults)


def _require_choices(spec: RuleSpec, fault: Any) -> None:
    if spec.severity not in Severity.values:
        fault("severity", _("Choose a severity."))
    if spec.review not in ReviewMode.values:
        fault("review", _("Choose who reviews."))
    if spec.cap is not None and not 1 <= spec.cap <= CAP_MOST:
        fault("cap", _("A cap is a whole number from 1 on; leave it empty for none."))
    if spec.notice_days is not None and not 0 <= spec.notice_days <= 365:
        fault("notice_days", _("Between 0 and 365 days."))
    if spec.share is not None and not 0 <= spec.share <= 1:
        fault("share", _("A share lies between 0 and 1."))
    if spec.charge not in (None, "own", "share"):
        fault("charge", _("Choose whose act it is."))


def _require_known(spec: RuleSpec, fault: Any) -> None:
    wanted = set(spec.markets) - {"*"}
    unknown = wanted - set(Market.objects.filter(code__in=wanted).values_list("code", flat=True))
    if unknown:
        fault("markets", _("No such market: %(codes)s") % {"codes": ", ".join(sorted(unknown))})
    if not spec.markets:
        fault("markets", _("Choose at least one market."))
    if "*" in spec.markets and wanted:
        fault("markets", _("Either every market, or some by name."))
    if spec.ladder and not Ladder.objects.filter(code=spec.ladder).exists():
        fault("ladder", _("No such ladder: %(code)s") % {"code": spec.ladder})
    kinds = set(spec.second_person) - set(PenaltyKind.values)
    if kinds:
        fault("second_person", _("No such kind of penalty: %(codes)s") % {"codes": ", ".join(sorted(kinds))})


def _require_storable(spec: RuleSpec, fault: Any) -> None:
    for language, words in spec.text:
        if not _LANGUAGE.fullmatch(language):
            fault(
                "text", _("%(tag)s is no language tag; write en, pt-BR or the like.") % {"tag": language[:20]}
            )
        elif len(words) > TEXT_LENGTH:
            fault("text", _("At most %(count)s characters.") % {"count": TEXT_LENGTH})
    if any(unfit(text) for text in _texts(spec.to_dict())):
        fault("when", _("It holds a character that cannot be stored: U+0000 or half a character."))


def unfit(text: str) -> bool:
    """Whether PostgreSQL cannot hold the text."""
    return "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def ladder_now(spec: RuleSpec) -> dict[str, Any]:
    """The ladder as it is today, copied; {} while none is chosen."""
    return dict(Ladder.objects.get(code=spec.ladder).spec) if spec.ladder else {}


def ladder_known(spec: RuleSpec) -> bool:
    return not spec.ladder or Ladder.objects.filter(code=spec.ladder).exists()


def put(version: RuleVersion, spec: RuleSpec, ladder: dict[str, Any]) -> None:
    """Lay a wording into the columns of a version; nothing is saved."""
    version.spec = spec.to_dict()
    version.ladder = ladder
    version.text = dict(spec.text)
    version.violation_code = spec.violation_code
    version.severity = spec.severity
    version.review = spec.review
    version.on = list(spec.on)
    version.markets = list(spec.markets)
    version.cap = spec.cap
    version.effective_from = spec.effective_from
    version.expires_at = spec.expires_at


COLUMNS = "spec ladder text violation_code severity review on markets cap effective_from expires_at".split()
