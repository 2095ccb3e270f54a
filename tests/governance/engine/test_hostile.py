"""Conditions and signals made to stop a worker: refused with a reason people can read, or harmless."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.engine import (
    Evaluator,
    MeasureSpec,
    check_rule,
    compile_rule,
    parse_duration,
)
from tests.governance.engine.hostile_worker import Worker, hostile_signals, worker
from tests.governance.engine.rules import facts, spec


@pytest.fixture(scope="module")
def process() -> Iterator[Worker]:
    with worker() as started:
        yield started


def matching(pattern: str) -> str:
    """A condition with one regular expression."""
    return f'signal.x.matches("{pattern}")'


LONG = "a" * 5_000
#: name → (condition, what its author is told)
REFUSED = {
    "brackets": ("(" * 900 + "true" + ")" * 900, "nested deeper than 24 levels; split the rule"),
    "more brackets": ("(" * 5_000 + "true" + ")" * 5_000, "10004 characters; at most 2000: split the rule"),
    "not not not": ("!" * 1_900 + "true", "nested deeper than 24 levels"),
    "minus minus": ("-" * 1_900 + "1 > 0", "nested deeper than 24 levels"),
    "lists in lists": ("[" * 900 + "1" + "]" * 900 + " == signal.x", "nested deeper than 24 levels"),
    "maps in maps": ("{1:" * 400 + "1" + "}" * 400 + " == 1", "nested deeper than 24 levels"),
    "questions": ("true ? true : " * 130 + "true", "nested deeper than 24 levels"),
    "calls in calls": ("size(" * 300 + "signal.x" + ")" * 300 + " > 1", "nested deeper than 24 levels"),
    "calls on calls": ("signal.x" + ".size()" * 280 + " > 1", "a chain of more than 30 operations or fields"),
    "fields of fields": ("signal" + ".a" * 900 + " == 1", "a chain of more than 30 operations or fields"),
    "items of items": ("signal.x" + "[0]" * 600 + " == 1", "a chain of more than 30 operations or fields"),
    "a sum of a thousand": ("+".join(["1"] * 990) + " > 0", "a chain of more than 30 operations or fields"),
    "a thousand comparisons": (" < ".join(["1"] * 400), "a chain of more than 30 operations or fields"),
    "a thousand terms": (" && ".join(["signal.x > 1"] * 1_000), "characters; at most 2000: split the rule"),
    "ten megabytes": (f'signal.x == "{"a" * 10_000_000}"', "characters; at most 2000: split the rule"),
    "a whole number of 1,900 digits": ("signal.x > " + "9" * 1_900, "this whole number is too large (64 bits)"),
    "a hex number": ("signal.x > 0x" + "f" * 1_900, "this whole number is too large (64 bits)"),
    "a decimal of 1,900 digits": ("signal.x > " + "9" * 1_900 + ".0", "this number is too large"),
    "an exponent": ("signal.x > 1e999999999", "this number is too large"),
    "an enormous list": (f"signal.x in [{','.join('1' * 900)}]", "a list of 900 items; at most 200"),
    "an enormous map": ("{" + ",".join(f"{n}:1" for n in range(220)) + "} == signal.x", "a list of 220 items"),
    # regular expressions
    "a bomb": (matching("((a{1,10}){1,10}){1,10}"), "counted repetitions multiply to more than 100"),
    "a long repetition": (matching("a{1000}"), "counted repetitions multiply to more than 100"),
    "an unlimited repetition": (matching("(?:a{50}){50,}"), "counted repetitions multiply to more than 100"),
    "a wide class": (matching("\\\\p{L}{100}"), "character classes \\p cannot be repeated by count"),
    "a long pattern": (matching("a|" * 300), "a pattern of 600 characters; at most 200"),
    "looking ahead": (matching("(?=x)"), "not a regular expression (RE2): invalid perl operator"),
    "looking back": (matching("(a)\\\\1"), "not a regular expression (RE2): invalid escape sequence"),
    "half a class": (matching("[a-"), "not a regular expression (RE2): missing ]"),
    "five patterns": (" || ".join(map(matching, "abcde")), "at most 4 calls of matches(); join patterns with |"),
    "a pattern from outside": ("signal.x.matches(signal.y)", "the pattern must be a fixed text"),
    "a pattern in a loop": ("signal.l.exists(i, i.matches('a'))", "matches() inside exists/all is too costly"),
    # what the language has not
    "an unknown function": ("open('/etc/passwd')", "undeclared reference to 'open'"),
    "an import": ("__import__('os')", "undeclared reference to '__import__'"),
    "an unknown method": ("signal.x.__class__()", "undeclared reference to '__class__'"),
    "an unknown name": ("settings.SECRET_KEY == ''", "unknown name 'settings'"),
    "another name": ("lists.range(1000000000).size() > 1", "unknown name 'lists'"),
    "a key nobody knows": ("guild.__dict__ == 1", "guild has no field '__dict__'"),
    "replacing": ("signal.x.replace('a', 'aa') == ''", "undeclared reference to 'replace'"),
    "joining": ("signal.l.join(',') == ''", "undeclared reference to 'join'"),
    "formatting": ("'%s'.format([signal.x]) == ''", "undeclared reference to 'format'"),
    "building lists": ("signal.l.map(x, x).size() > 1", "map() builds lists and is not part of rules"),
    "filtering lists": ("signal.l.filter(x, true).size() > 1", "filter() builds lists"),
    "a message": ("google.protobuf.Any{} == signal.x", "message construction is not part of rules"),
    "optional syntax": ("signal.?x.orValue(1) == 1", "expected a field name after the dot"),
    "a keyword": ("while == 1", "'while' is a reserved word"),
    "python": ("lambda: 1", "unexpected ':'"),
    "sql": ("signal.x == 1; DROP TABLE guilds", "';' is not part of the language"),
    "one equals sign": ("signal.x = 1", "a single = does not compare; write =="),
    # growing
    "doubling texts": ("('a' + 'a') + ('a' + 'a') == signal.x", "rules cannot join texts or lists"),
    "doubling lists": ("[1] + [1] == signal.l", "rules cannot join texts or lists"),
    "doubling in loops": (
        "signal.l.all(i, signal.l.all(j, i + j + i + j != ''))",
        "+ inside exists/all takes a number on one side",
    ),
    # loops
    "three loops": (
        "signal.l.all(i, signal.l.all(j, signal.l.all(k, true)))",
        "exists/all inside each other more than 2 deep",
    ),
    "a field in the inner loop": (
        "signal.l.all(i, i.m.all(j, j == signal.x))",
        "a field from outside in the inner of two loops",
    ),
    "a dear step": (
        f"signal.l.all(i, {' && '.join(['i > 1'] * 40)})",
        "the condition has 121 parts; at most 60 inside exists/all",
    ),
    "a hidden name": ("signal.l.all(signal, signal > 1)", "the loop variable 'signal' hides a name"),
    "three looked-up searches": (
        " && ".join(["signal.x.contains(signal.y)"] * 3),
        "at most 2 searches for a text that is itself a field",
    ),
    # times
    "the year 99999": ('signal_time > timestamp("99999-01-01T00:00:00Z")', "this is not a timestamp; write one such as"),
    "the year 0": ('signal_time > timestamp("0000-01-01T00:00:00Z")', "this is not a timestamp"),
    "soon": ('signal_time > timestamp("soon")', "this is not a timestamp"),
    "a thousand centuries": ('signal_time - duration("876000000h") > signal_time', "this is not a duration; write one such as"),
    "a year": ('signal_time - duration("1y") > signal_time', 'one such as "336h"'),
    "nowhere": ('signal_time.getHours("Nowhere/Else") > 1', "this is not a time zone; write an IANA name"),
    "a file as time zone": ('signal_time.getHours("../../etc/passwd") > 1', "this is not a time zone"),
    "a very long time zone": (f'signal_time.getHours("{"x" * 1_900}") > 1', "this is not a time zone"),
    "nothing by nothing": ("signal.x / 0 > 1", "division by zero"),
    "modulo nothing": ("signal.x % 0u == 1u", "division by zero"),
    # letters
    "a cyrillic letter": ("s\u0456gnal.x == 1", "'\u0456' is not part of the language"),
    "a wide equals sign": ("signal.x \uff1d\uff1d 1", "is not part of the language"),
    "a wide quote": ("signal.x == \u201ca\u201d", "is not part of the language"),
    "a hard space": ("signal.x\u00a0== 1", "is not part of the language"),
    "a joined name": ("sig\u200dnal.x == 1", "is not part of the language"),
    "a byte order mark": ("\ufefftrue", "is not part of the language"),
    "text that runs backwards": (
        "signal.x == 'a\u202e' && true",
        "an invisible character (U+202E); inside quotes write \\u202e if it is meant",
    ),
    "a comment that runs backwards": ("true // \u2066 && false", "an invisible character (U+2066)"),
    "NUL": ("signal.x == '\0'", "an invisible character (U+0000)"),
    "NUL, escaped": ("signal.x == '\\x00'", "no signal holds a NUL character"),
    "NUL as a field": ('signal["\\x00"] == 1', "no signal holds a NUL character"),
    "an escape code": ("signal.x == '\x1b[2J'", "an invisible character (U+001B)"),
    "half a character": ("signal.x == '\ud800'", "half a character (a lone surrogate)"),
    "half a character, escaped": ("signal.x == '\\ud800'", "\\ud800 is not a character"),
    "beyond Unicode": ("signal.x == '\\U00110000'", "\\U00110000 is not a character"),
    "an open text": ("signal.x == '" + LONG[:1_000], "this text never ends; close it with '"),
    "an open long text": ("signal.x == '''" + LONG[:1_000], "this text never ends; close it with '''"),
    "a comment": ("// nothing else", "the expression is empty"),
    "nothing": ("", "the expression is empty"),
    "spaces": (" " * 1_900, "the expression is empty"),
    "a number": ("1 + 1", "this yields a int, not true or false"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_condition_is_refused_with_a_reason(name: str, process: Worker) -> None:
    source, told = REFUSED[name]
    found = process.ask("check", spec(source))
    assert any(told in fault for fault in found), found
    assert all(fault.startswith("when") for fault in found)
    assert len(found) <= 20
    assert all(len(fault) < 500 for fault in found)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_inside_a_measure_too(name: str, process: Worker) -> None:
    source, _ = REFUSED[name]
    found = process.ask("check", spec("n > 1", MeasureSpec("n", where=source)))
    assert found
    assert all(fault.startswith("measures[0].where") for fault in found), found


COUNTED = MeasureSpec("n")
#: name → (changes to a rule, where, what its author is told)
UNFIT: dict[str, tuple[dict[str, Any], str, str]] = {
    "a window of years": (
        {"measures": (replace(COUNTED, window=timedelta(days=3_650)),)}, "measures[0].window",
        "a window of 3650 days; at most 400d"),
    "an endless window": (
        {"measures": (replace(COUNTED, window=timedelta.max),)}, "measures[0].window", "at most 400d"),
    "a window of seconds": (
        {"measures": (replace(COUNTED, window=timedelta(seconds=1)),)}, "measures[0].window",
        "a whole number of minutes, such as 90m"),
    "a window before now": (
        {"measures": (replace(COUNTED, window=timedelta(days=-1)),)}, "measures[0].window", "a window is longer than nothing"),
    "a million measures": ({"measures": (COUNTED,) * 1_000_000}, "measures", "1000000 measures; at most 20"),
    "a long name": ({"measures": (MeasureSpec("n" * 100_000),)}, "measures[0].name", "is not a name: lower-case letters"),
    "a path of a thousand fields": (
        {"measures": (MeasureSpec("n", aggregate="sum(data" + ".a" * 1_000 + ")"),)}, "measures[0].aggregate",
        "2009 characters; at most 200"),
    "sql as aggregate": (
        {"measures": (MeasureSpec("n", aggregate="sum(data.x) FROM x; --"),)}, "measures[0].aggregate", "is not an aggregate"),
    "a measure per planet": (
        {"measures": (MeasureSpec("n", per=cast("Any", "planet" * 10_000)),)}, "measures[0].per", "is not guild or creator"),
    "a long type in a measure": (
        {"measures": (replace(COUNTED, types=("t" * 1_000_000,)),)}, "measures[0].types", "1000000 characters; at most 200"),
    "a hundred thousand types": ({"on": tuple(map(str, range(100_000)))}, "on", "100000 signal types; at most 50"),
    "a long type": ({"on": ("t" * 1_000_000,)}, "on", "1000000 characters; at most 200"),
    "a hundred thousand markets": ({"markets": tuple(map(str, range(100_000)))}, "markets", "100000 markets; at most 1000"),
    "a cooldown of years": ({"cooldown": timedelta(days=3_650)}, "cooldown", "a cooldown is between 0d and 400d"),
    "a cooldown of seconds": ({"cooldown": timedelta(seconds=1)}, "cooldown", "a whole number of minutes"),
    "a cooldown before now": ({"cooldown": timedelta(days=-1)}, "cooldown", "a cooldown is between 0d and 400d"),
    "a cap of nothing": ({"cap": 0}, "cap", "a cap is at least 1"),
    "a time without a place": ({"effective_from": datetime(2026, 1, 1)}, "effective_from", "the time needs a time zone"),
    "a novel": ({"text": (("en", "a" * 1_000_000),)}, "text", "1000000 characters; at most 20000"),
    "every language": ({"text": tuple((str(n), "x") for n in range(10_000))}, "text", "10000 languages; at most 100"),
    "a long description": ({"description": "a" * 1_000_000}, "description", "1000000 characters; at most 20000"),
    "NUL in a name": ({"name": "a\0b"}, "name", "contains a NUL character"),
    "NUL in a text": ({"text": (("en", "a\0"),)}, "text", "contains a NUL character"),
    "NUL in a type": ({"on": ("t\0",)}, "on", "contains a NUL character"),
    "half a character in a name": ({"name": "\ud83d"}, "name", "half a character"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNFIT)
def test_a_hostile_field_is_refused_with_a_reason(name: str, process: Worker) -> None:
    changes, where, told = UNFIT[name]
    found = process.ask("check", replace(spec("true"), **changes))
    assert any(fault.startswith(where) and told in fault for fault in found), found
    assert all(len(fault) < 500 for fault in found)


#: Allowed, and as dear as the limits let a rule be.
DEAR = {
    "a chain of comparisons": " || ".join(["signal.x > 1"] * 120),
    "the whole signal, again and again": " && ".join(["signal == signal"] * 90),
    "lists, again and again": " && ".join(["signal.l == signal.l"] * 80),
    "membership, again and again": " || ".join(["(signal.y in signal.l)"] * 70),
    "conversions": " && ".join(["bytes(signal.x) != b'a'"] * 70),
    "searches": " || ".join([f"signal.x.contains('{'a' * 20}b')"] * 40),
    "looked-up searches": "signal.x.contains(signal.y) || signal.y.contains(signal.x)",
    "looked-up beginnings": " || ".join(["signal.x.startsWith(signal.y)"] * 60),
    "nested repetition": matching("(((((a*)*)*)*)*)*b"),
    "ambiguous repetition": " || ".join(map(matching, ["(a|aa)*b", ".*.*.*.*.*.*.*.*b", "(a?){10}a{10}b", "(.{0,10}.?.?){9}b"])),
    "empty repetition": matching("(x{0,9}){0,9}$"),
    "optional brackets": matching("(" * 40 + "a" + ")?" * 20 + ")*" * 20),
    "big letters": matching("(?i)" + "é" * 190),
    "one loop": "signal.l.all(i, i != signal.x && i != signal.y && i != 1 && i != 2 && i != 3)",
    "two loops": "signal.l.all(i, signal.l.all(j, i == j || true))",
    "two loops that call": "signal.l.all(i, i.m.all(j, size(j) > 0 && size(j) < 9))",
    "three loops beside each other": " && ".join(["signal.l.all(i, i != 0)"] * 30),
    "loops over made lists": "[1,2,3,4,5,6,7,8,9].all(i, [1,2,3,4,5,6,7,8,9].all(j, i * j < 82))",
    "an hour from outside": "signal_time.getHours(signal.x) > 1",
    "a time from outside": "timestamp(signal.x) > signal_time || timestamp(signal.y) > signal_time",
    "a duration from outside": "signal_time - duration(signal.x) > signal_time",
    "numbers that overflow": "signal.n + 9223372036854775807 > 0 || signal.n * 9223372036854775807 > 0 || -signal.n > 0",
    "the smallest number": "-9223372036854775808 / signal.n > 0 || -9223372036854775808 % signal.n == 0",
    "an infinite number": "1.0 / double(signal.n) > 1e308 || double(signal.x) > 1.0",
    "a type": "type(signal.x) == string || type(signal.n) == int",
    "a long text": f"signal.x == '{'a' * 1_900}'",
    "a long field": f"signal.`{'a' * 1_900}` == 1",
    "a long comment": "true // " + "x" * 1_900,
    "one key twice": "{1: 1, 1: 2} == signal.x",
    "combining letters": "signal.x == 'e" + "\u0301" * 1_900 + "'",
    "the bottom of brackets": "(" * 23 + "signal.n > 1" + ")" * 23,
}  # fmt: skip


@pytest.mark.parametrize("name", DEAR)
def test_what_is_allowed_comes_to_an_end_on_hostile_signals(name: str, process: Worker) -> None:
    dear = spec(DEAR[name])
    assert process.ask("check", dear) == []
    states = process.ask("signals", dear)
    assert len(states) == len(hostile_signals()), states
    assert set(states) <= {"true", "false", "unknown", "error"}


def test_hostile_guilds_creators_and_markets_are_errors(process: Worker) -> None:
    rule = spec("guild.name == 'x' || market.languages.exists(tag, tag == 'de') || creator.id == 'y'")
    assert process.ask("people", rule) == ["error", "error", "unknown", "error", "error"]


def test_a_dear_rule_does_not_keep_others_from_matching() -> None:
    rules = [compile_rule(spec(source, code=name)) for name, source in DEAR.items()]
    plain = compile_rule(spec("signal.n == 5", code="plain"))
    evaluator = Evaluator([*rules[:15], plain, *rules[15:]])
    full = facts({"x": "a" * 16_384, "y": "ab" * 8_000, "l": [["a"] * 40] * 40, "n": 5})
    assert plain in evaluator.matching(full, {})
    assert [outcome.state for outcome in evaluator.findings(full, {}) if outcome.rule is plain] == ["true"]


@pytest.mark.parametrize("hostile", ["{signal.n: 1, signal.m: 2} == signal.x", "{1: 1, 1: 2} == signal.x"])
@pytest.mark.parametrize("first", [True, False])
def test_a_rule_that_makes_the_runtime_give_up_is_alone_with_it(hostile: str, first: bool) -> None:
    bad, good = compile_rule(spec(hostile, code="bad")), compile_rule(spec("signal.n == 5", code="good"))
    evaluator = Evaluator([bad, good] if first else [good, bad])
    signal = facts({"n": 5, "m": 5, "x": {}})
    assert evaluator.matching(signal, {}) == [good]
    assert {one.rule: one.state for one in evaluator.evaluate(signal, {})} == {bad: "error", good: "true"}
    assert {one.rule: one.state for one in evaluator.findings(signal, {})} == {bad: "error", good: "true"}
    [told] = [one.reason for one in evaluator.findings(signal, {}) if one.rule is bad]
    assert told == "ALREADY_EXISTS: duplicate key in map"


SOUP = st.lists(
    st.one_of(
        st.sampled_from(
            "( ) [ ] { } && || ! == != <= in ? : , . + - * / % ' \" ''' // \\ ` signal signal.x guild n true null 1 1.5 0x 1e9 "
            "9e999 'a' r'a' b'a' has( size( .exists(i, .all( .matches( .contains( timestamp( duration( double( \n \0 "
            "\u202e é 😀".split(" ")
        ),
        st.text(max_size=3),
    ),
    max_size=25,
).map(" ".join)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(source=SOUP)
def test_no_soup_of_words_gets_past_check_rule(source: str) -> None:
    rule = spec(source, COUNTED)
    found = check_rule(rule)
    assert all(fault.message and fault.where == "when" for fault in found)
    if not found:
        [outcome] = Evaluator([compile_rule(rule)]).evaluate(facts({"x": "a"}), {})
        assert outcome.state in ("true", "false", "unknown", "error")


def test_the_worker_of_these_tests_tells_when_it_is_stuck_or_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.governance.engine.hostile_worker.PATIENCE", 0)
    with worker() as one:
        assert one.ask("check", spec("true")) == ["stuck"]
        monkeypatch.setattr("tests.governance.engine.hostile_worker.PATIENCE", 10)
        assert one.ask("check", spec("true")) == []
        assert one.ask("signals", spec("signal.x >"))[0].startswith("crashed: ")
        one.process.kill()
        assert one.ask("check", spec("true")) == ["died"]


def test_durations_stay_within_what_timedelta_holds() -> None:
    assert parse_duration("9999999d") == timedelta(days=9_999_999)
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration("99999999999d")
