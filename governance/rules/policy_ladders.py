"""Reading ladders and bands of a policy file: what violations cost, in general and market by market."""

from collections.abc import Collection
from datetime import timedelta

import yaml

from governance.engine import format_duration
from governance.rules.policy_entries import BandSpec, LadderSpec, MarketValues, PenaltySpec
from governance.rules.policy_rules import EVERYWHERE, refers
from governance.rules.yaml_fields import Fields, Reader, is_plain, line_of

HALF_A_YEAR = timedelta(days=180)
LONGEST_GRACE = timedelta(days=400)
#: What may keep a penalty from starting while it is pending.
STOPS = ("correction", "appeal")
STACKS = ("parallel", "after")
TERMINATION = "clear_out"
#: Why a termination may go without its notice period; `notices.periods` says what each means.
GROUND_KEY = "immediate_ground"
GROUNDS = ("legal_duty", "repeated_infringement")


def read_ladder(
    fields: Fields, code: str, kinds: Collection[str] | None, markets: Collection[str]
) -> LadderSpec:
    """One entry of `ladders`; `markets` are the codes its `by_market` may name."""
    ladder = LadderSpec(
        code=code,
        name=fields.text("name", code),
        window=fields.duration("window", HALF_A_YEAR, required=True),
        points=fields.whole("points", 0, least=0, most=100),
        decay=_decay(fields, HALF_A_YEAR),
        steps=_steps(fields, kinds, required=True) or (),
        red_line=fields.choice("red_line", ("true", "false"), "false") == "true",
        by_market=_by_market(fields, kinds, markets),
        line=line_of(fields.node),
    )
    _spans(fields, ladder.window, ladder.decay)
    fields.done()
    return ladder


def read_band(fields: Fields, code: str, kinds: Collection[str] | None, markets: Collection[str]) -> BandSpec:
    """One entry of `bands`; `markets` are the codes its `market` may be."""
    node = fields.take("penalties")
    band = BandSpec(
        code=code,
        name=fields.text("name", code, longest=120),
        at_or_below=fields.whole("at_or_below", 0, least=0, most=100, required=True),
        penalties=() if node is None else _penalties(fields.reader, node, fields.at("penalties"), kinds),
        market=fields.text("market"),
        line=line_of(fields.node),
    )
    if band.market == EVERYWHERE:
        fields.fault("market", "one market is expected", "leave it out where the band is for all others")
    else:
        refers(fields, "market", band.market, _named(markets))
    fields.done()
    return band


def _named(markets: Collection[str]) -> list[str]:
    return [code for code in markets if code != EVERYWHERE]


def _by_market(
    fields: Fields, kinds: Collection[str] | None, markets: Collection[str]
) -> tuple[tuple[str, MarketValues], ...]:
    """What differs in some markets: {code: {points?, decay?, window?, steps?}}."""
    inner = fields.inner("by_market")
    if inner is None:
        return ()
    found = []
    for code in list(inner.found):
        refers_key(inner, code, _named(markets))
        values = inner.inner(code, required=True)
        if values is None:
            continue
        found.append((code, _market_values(values, kinds)))
    return tuple(found)


def refers_key(fields: Fields, code: str, known: Collection[str]) -> None:
    """Report a key of a mapping that names nothing known."""
    if code not in known:
        some = ", ".join(sorted(known)[:10]) or "nothing yet"
        fields.fault(code, f"{code!r} is not a market", f"define it in this file; known are {some}")


def _market_values(fields: Fields, kinds: Collection[str] | None) -> MarketValues:
    window = fields.duration("window", HALF_A_YEAR) if "window" in fields.found else None
    endless = _is_never(fields)
    decay = _decay(fields, None)
    values = MarketValues(
        points=fields.optional_whole("points", least=0, most=100),
        window=window,
        decay=decay,
        endless=endless,
        steps=_steps(fields, kinds, required=False),
    )
    _spans(fields, values.window, values.decay)
    if not fields.found:
        fields.reader.fault(
            fields.node, fields.path, "nothing differs here", "give points, decay, window or steps"
        )
    fields.done()
    return values


def _is_never(fields: Fields) -> bool:
    node = fields.found.get("decay")
    return isinstance(node, yaml.ScalarNode) and node.value == "never"


def _decay(fields: Fields, default: timedelta | None) -> timedelta | None:
    """How long points stay; None for ever, or where nothing is written and there is no default."""
    if _is_never(fields):
        fields.take("decay")
        return None
    if default is None and "decay" not in fields.found:
        fields.take("decay")
        return None
    return fields.duration("decay", default or HALF_A_YEAR)


def _spans(fields: Fields, window: timedelta | None, decay: timedelta | None) -> None:
    if window is not None and window <= timedelta(0):
        fields.fault("window", "a window is longer than nothing", "such as 180d")
    if decay is not None and decay <= timedelta(0):
        fields.fault("decay", "points stay for longer than nothing", "such as 180d, or never")


def _steps(
    fields: Fields, kinds: Collection[str] | None, *, required: bool
) -> tuple[tuple[PenaltySpec, ...], ...] | None:
    node = fields.take("steps", required=required)
    if node is None:
        return None
    steps = tuple(
        _penalties(fields.reader, rung, path, kinds)
        for path, rung in fields.reader.items(node, fields.at("steps"))
    )
    if not steps and isinstance(node, yaml.SequenceNode):
        fields.fault("steps", "a ladder needs a rung", "such as [[{kind: warning}]]")
    return steps


def _penalties(
    reader: Reader, node: yaml.Node, path: str, kinds: Collection[str] | None
) -> tuple[PenaltySpec, ...]:
    found: list[PenaltySpec] = []
    for place, item in reader.items(node, path):
        fields = reader.fields(item, place)
        if fields is None:
            continue
        kind = fields.text("kind", required=True)
        if kind and kinds is not None and kind not in kinds:
            fields.fault("kind", f"{kind!r} is not a kind of penalty", f"one of {', '.join(sorted(kinds))}")
        days = fields.optional_whole("days", least=1, most=3650)
        grace, stops, stack = _grace(fields), _stops(fields), fields.choice("stack", STACKS)
        options: list[tuple[str, str | int | float | bool]] = _ground(fields, kind)
        for name in list(fields.found):
            value = _option(fields, name) if name not in fields.taken else None
            if value is not None:
                options.append((name, value))
        found.append(PenaltySpec(kind, days, tuple(options), grace=grace, stops=stops, stack=stack or ""))
    return tuple(found)


def _grace(fields: Fields) -> str:
    """How much later it starts, as written in whole units; empty at once."""
    if "grace" not in fields.found:
        fields.take("grace")
        return ""
    grace = fields.duration("grace", timedelta(0))
    if not timedelta(0) < grace <= LONGEST_GRACE:
        if fields.at("grace") not in fields.reader.blamed:
            fields.fault("grace", "a time of grace is longer than nothing and at most 400d", "such as 7d")
        return ""
    return format_duration(grace)


def _stops(fields: Fields) -> tuple[str, ...]:
    stops = fields.texts("stops")
    for stop in stops:
        if stop not in STOPS:
            fields.fault("stops", f"{stop!r} cannot stop a penalty", f"any of {', '.join(STOPS)}")
    if stops and "grace" not in fields.found:
        fields.fault("stops", "it starts at once, so nothing can stop it", "add grace, such as grace: 7d")
    return tuple(stop for stop in STOPS if stop in stops)


def _ground(fields: Fields, kind: str) -> list[tuple[str, str | int | float | bool]]:
    """Why a termination may take effect without the regime's notice."""
    ground = fields.choice(GROUND_KEY, GROUNDS)
    if ground and kind != TERMINATION:
        fields.fault(GROUND_KEY, "only a termination has a notice period", f"for kind {TERMINATION} alone")
    return [(GROUND_KEY, ground)] if ground else []


def _option(fields: Fields, name: str) -> str | int | float | bool | None:
    node = fields.take(name)
    if node is None:
        return None
    if not isinstance(node, yaml.ScalarNode):
        fields.fault(name, "one value is expected")
        return None
    if is_plain(node) and node.value in ("true", "false"):
        return bool(node.value == "true")
    for read in (int, float):
        if node.tag == f"tag:yaml.org,2002:{read.__name__}":
            try:
                return read(node.value)
            except ValueError:  # YAML also writes numbers as 0x1f and .inf
                fields.fault(name, f"{node.value!r} is not a plain number")
                return None
    return str(node.value)
