"""Rules that hypothesis makes up: trees as the builder shows them, and whole rules that hold together."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from governance.engine import MeasureSpec, RuleSpec
from governance.engine.builder import from_builder
from governance.engine.literals import SAFE_WHOLE

Tree = dict[str, Any]

#: What upsets quotes, YAML and terminals, and words as people write them; drawing is cheaper than making up.
ODD = (
    "", "closed", "a: b", "#", "- x", "'", '"', "\\", "\\n", "`", "{x}", "[y]", "&&", "*", "!", "|", ">", "%s", "null", "NO", "1",
    "~", "\n", "a\nb", "\r\n", "\t", "\0", "\x1f", "\x85", "\xa0", "\u2028", "\u202e", "\ufeff", "😀", "ä", "ß", "حق", "क्षि",
    "割", "e\u0301", "{{ 7 }}", "<b>", "//", "a  b", " a ",
)  # fmt: skip
texts = st.one_of(
    st.sampled_from(ODD),
    st.lists(st.sampled_from(ODD), max_size=4).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
)
NAMES = ("n", "total", "worst")
FIELDS = (
    "signal.x", "signal.a.b", 'signal["odd name"].y', "signal.`in-quotes`", 'signal["\\u202e\\""]', "guild.tier",
    "guild.provisional", "creator.id", "market.code", "signal.contains", "signal.in_",
)  # fmt: skip
EXPRESSIONS = (
    "5 < signal.x", "signal.a ? signal.b : true", "signal.a + 1 > 2", "signal.x == {'a': 1}", "size(signal.x) == size(signal.y)",
    "true", "signal.l[0] == 'a'", "signal.x in [1, 'a']", "signal.x == (signal.y == 1)", "(signal.a) .b==[ 0x1f ]",
    "- signal.x > 1",
    "signal.s.size() > 2", "signal.x == r'\\d' || true ? true : false", "timestamp(signal.x) == signal.y + 1",
)  # fmt: skip

wholes = st.one_of(st.integers(-5, 100), st.integers(-(2**63), 2**63 - 1))
decimals = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 28.0, 0.2, 1e300, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
)
times = st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-29T12:30:00+02:00"])
lengths = st.sampled_from(["336h", "90m", "1h30m", "0s"])


def shown(number: int) -> int | str:
    """A whole number as the builder shows it."""
    return number if abs(number) <= SAFE_WHOLE else str(number)


constants = st.one_of(
    st.tuples(st.just("text"), texts),
    st.tuples(st.just("whole"), wholes.map(shown)),
    st.tuples(st.just("decimal"), decimals),
    st.tuples(st.just("bool"), st.booleans()),
)
comparisons = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"])


def one_test(field: str, operation: str, kind: str | None = None, value: Any = None, form: str = "") -> Tree:
    """A test with its keys in the builder's order."""
    return {"kind": "test", "field": field, "as": form, "op": operation, "type": kind, "value": value}


def _lists(kind_of: tuple[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[tuple[str, list[Any]]]:
    kind, values = kind_of
    least = 0 if kind == "text" else 1  # an empty list is one of texts
    return st.tuples(st.just(kind), st.lists(values, min_size=least, max_size=4))


lists = st.sampled_from([("text", texts), ("whole", wholes.map(shown)), ("decimal", decimals), ("bool", st.booleans())]).flatmap(
    _lists
)  # fmt: skip


@st.composite
def single_tests(draw: st.DrawFn, fields: tuple[str, ...] = FIELDS, names: tuple[str, ...] = NAMES) -> Tree:
    """Any test that is not a group; comparisons are of types that fit."""
    field = draw(st.sampled_from(fields))
    form = draw(
        st.sampled_from(["plain", "list", "search", "asked", "count", "form", "ago", "field", "includes"])
    )
    if form == "list":
        return one_test(field, draw(st.sampled_from(["in", "not_in"])), *draw(lists))
    if form == "search":
        return one_test(
            field, draw(st.sampled_from(["contains", "starts_with", "ends_with"])), "text", draw(texts)
        )
    if form == "asked":
        asked = st.sampled_from(["is_true", "is_false", "is_null", "is_not_null", "is_present", "is_missing"])
        return one_test(field if "[" not in field else "signal.x", draw(asked))
    if form == "count" and names:
        return one_test(draw(st.sampled_from(names)), draw(comparisons), "whole", draw(wholes.map(shown)))
    if form == "form":
        as_form, kind, values = draw(
            st.sampled_from(
                [
                    ("number", "decimal", decimals),
                    ("length", "whole", wholes.map(shown)),
                    ("time", "time", times),
                    ("time", "ago", lengths),
                ]
            )
        )
        return one_test(field, draw(comparisons), kind, draw(values), as_form)
    if form == "ago":
        return one_test("guild.onboarded_at", draw(comparisons), "ago", draw(lengths))
    if form == "field":
        return one_test(field, draw(comparisons), "field", draw(st.sampled_from(fields)))
    if form == "includes":
        return one_test(draw(st.sampled_from(fields)), "includes", *draw(constants))
    return one_test(field, draw(comparisons), *draw(constants))


@st.composite
def ratios(draw: st.DrawFn) -> Tree:
    """A rate of two measures or fields."""
    sides = st.sampled_from((*NAMES[:2], "signal.x"))
    return {
        "kind": "ratio",
        "field": draw(sides),
        "over": draw(sides),
        "scale": draw(st.one_of(st.none(), decimals)),
        "op": draw(comparisons),
        "value": draw(decimals),
        "form": draw(st.sampled_from(["product", "quotient"])),
    }


@st.composite
def loops(draw: st.DrawFn) -> Tree:
    """A test of the items of a list."""
    return {
        "kind": "each",
        "field": draw(st.sampled_from(["signal.lines", "market.languages"])),
        "quantifier": draw(st.sampled_from(["some", "every", "one"])),
        "name": "line",
        "condition": draw(_rooted(single_tests(("line.code", "line.points"), ()), 2)),
    }


expressions = st.sampled_from(EXPRESSIONS).map(lambda source: {"kind": "expression", "source": source})
leaves = st.one_of(single_tests(), single_tests(), ratios(), loops(), expressions)


def _grouped(items: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    chains = st.builds(
        lambda join, parts: {"kind": "group", "join": join, "items": parts},
        st.sampled_from(["all", "any", "none"]),
        st.lists(items, min_size=2, max_size=4),
    )
    single = items.filter(_negated_as_group).map(
        lambda item: {"kind": "group", "join": "none", "items": [item]}
    )
    return st.one_of(chains, chains, single)


def _negated_as_group(item: Tree) -> bool:
    """What has an opposite of its own is not shown as a group of none."""
    return item.get("op") not in ("is_true", "is_present", "in") and item.get("join") != "any"


def _rooted(items: st.SearchStrategy[Tree], most: int) -> st.SearchStrategy[Tree]:
    return st.recursive(items, _grouped, max_leaves=most).map(
        lambda item: item if item["kind"] == "group" else {"kind": "group", "join": "all", "items": [item]}
    )


def trees(items: st.SearchStrategy[Tree] = leaves, most: int = 8) -> st.SearchStrategy[Tree]:
    """Conditions as to_builder shows them."""
    return _rooted(items, most)


MEASURES = (
    MeasureSpec("n"),
    MeasureSpec("total", ("t", "u"), "signal.x > 1", timedelta(hours=36), "creator", "sum(data.x)"),
    MeasureSpec("worst", (), None, timedelta(minutes=90), "guild", "max(data.a.b)"),
)
words = st.sampled_from(
    sorted(
        {text.strip() for text in ODD if text.strip() and "\0" not in text} | {"Zwei\n\n  Zeilen", "x" * 150}
    )
)
codes = st.sampled_from(["R", "NO", "1", "on", "null", "A.b-c_D", "0x1f", "2026-01-01", "1e3", "Z" * 40])
#: Times without seconds are what people write, others what clocks yield.
moments = st.one_of(
    st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9998, 12, 30), timezones=st.just(UTC)),
)
durations = st.builds(
    lambda number, unit: number * unit,
    st.integers(1, 400),
    st.sampled_from([timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)]),
).filter(lambda length: length <= timedelta(days=400))


@st.composite
def measures(draw: st.DrawFn) -> tuple[MeasureSpec, ...]:
    """The three measures that generated conditions name, with contents of all kinds."""
    found: list[MeasureSpec] = []
    aggregates = {
        "n": ["count", "distinct(creator)", "distinct(data.x)"],
        "total": ["sum(data.x)"],
        "worst": ["max(data.a.b)"],
    }
    for name in NAMES:
        where = draw(st.one_of(st.none(), single_tests(("signal.x", "signal.a.b"), ())))
        found.append(
            MeasureSpec(
                name,
                tuple(draw(st.lists(words, max_size=2, unique=True))),
                None if where is None else from_builder(where),
                draw(durations),
                draw(st.sampled_from(["guild", "creator"])),
                draw(st.sampled_from(aggregates[name])),
            )
        )
    return tuple(found)


@st.composite
def specs(draw: st.DrawFn, conditions: st.SearchStrategy[Tree] | None = None) -> RuleSpec:
    """Whole rules with every field of every kind; only the condition may still be more than the rule language takes."""
    begin, end = draw(st.one_of(st.none(), moments)), draw(st.one_of(st.none(), moments))
    return RuleSpec(
        code=draw(codes),
        name=draw(words),
        risk=draw(codes),
        violation_code=draw(codes),
        severity=draw(st.sampled_from(["S1", "S2", "S3", "S4"])),
        on=tuple(draw(st.lists(words, min_size=1, max_size=3, unique=True))),
        when=from_builder(draw(trees() if conditions is None else conditions)),
        measures=draw(measures()),
        cooldown=draw(st.one_of(st.just(timedelta(0)), durations)),
        effective_from=begin,
        expires_at=end if begin is None or (end is not None and end > begin) else None,
        review=draw(st.sampled_from(["auto", "human", "dual"])),
        cap=draw(st.one_of(st.none(), st.integers(1, 10_000_000))),
        ladder=draw(codes),
        markets=tuple(draw(st.lists(words, min_size=1, max_size=3, unique=True))),
        charge=draw(st.sampled_from([None, "own", "share"])),
        share=draw(st.one_of(st.none(), st.floats(0, 1).map(lambda share: round(share, 12)))),
        text=tuple(sorted(draw(st.dictionaries(st.sampled_from(["*", "en", "pt-BR", "x: y"]), words, max_size=3)).items())),
        description=draw(st.one_of(st.just(""), words)),
        notice_days=draw(st.one_of(st.none(), st.integers(0, 365))),
        second_person=tuple(draw(st.lists(words, max_size=2, unique=True))),
    )  # fmt: skip
