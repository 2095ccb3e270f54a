"""The tree agrees with the runtime about what is CEL, and every node knows its place."""

import pytest
from cel_expr_python import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.engine import RuleError
from governance.engine.environment import environment
from governance.engine.syntax import parse
from governance.engine.tree import named_paths, walk


@pytest.mark.parametrize(
    ("source", "position", "said"),
    [
        ("", 0, "empty"),
        ("signal.x = 1", 9, "write =="),
        ("signal.x & 1", 9, "write &&"),
        ("signal.x > ", 11, "expected a value"),
        ("signal.x 1", 9, "join conditions"),
        ("(signal.x", 9, "expected ')'"),
        ("signal.", 7, "field name"),
        ("signal.in", 7, "field name"),
        ("'abc", 0, "never ends"),
        ("'a\\q'", 2, "unknown escape"),
        ("9223372036854775809", 0, "too large"),
        ("1x", 0, "not a number"),
        ("while == 1", 0, "reserved"),
        ("f(1,)", 4, "missing"),
        ("a{b: 1}", 1, "message construction"),
        ("signal.?x", 7, "field name"),
        ("§", 0, "not part of the language"),
        ("a\n  &&\n  = b", 9, "expected a value"),
    ],
)
def test_errors_say_where_and_what(source: str, position: int, said: str) -> None:
    with pytest.raises(RuleError) as refusal:
        parse(source)
    assert refusal.value.position == position
    assert said in refusal.value.message
    assert refusal.value.line == source.count("\n", 0, position) + 1


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("(a || b) && !(c)", {"(a || b) && !(c)", "a || b", "a", "b", "!(c)", "c"}),
        ("((a)).b == (1)", {"((a)).b == (1)", "((a)).b", "a", "1"}),
        ("a ? (b) : (c)", {"a ? (b) : (c)", "a", "b", "c"}),
        ("-x + -1", {"-x + -1", "-x", "x", "-1"}),
        ("f( a ).g(b)[c]", {"f( a ).g(b)[c]", "f( a ).g(b)", "f( a )", "a", "b", "c"}),
    ],
)
def test_every_node_knows_its_place(source: str, texts: set[str]) -> None:
    assert {source[node.start : node.end] for node in walk(parse(source))} == texts


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("signal.a.b > n && has(guild.tier)", [("signal", "a", "b"), ("n",), ("guild", "tier")]),
        ("signal['a'].`b-c` == 1", [("signal", "a", "b-c")]),
        ("signal.l.exists(x, x.a > signal.m)", [("signal", "l"), ("signal", "m")]),
        ("signal.l[0].a == signal.m[i]", [("signal", "l"), ("signal", "m"), ("i",)]),
        ("f(signal.a).b", [("signal", "a")]),
    ],
)
def test_named_paths(source: str, paths: list[tuple[str, ...]]) -> None:
    assert list(named_paths(parse(source))) == paths


@pytest.mark.parametrize(
    "source",
    [
        "(" * 25 + "a" + ")" * 25,
        "!" * 25 + "a",
        "[" * 25 + "]" * 25,
        "a ? b : " * 25 + "c",
        "a" + ".a" * 60,
        "1" + " + 1" * 60,
    ],
)
def test_depth_is_refused_before_anyone_walks_the_tree(source: str) -> None:
    with pytest.raises(RuleError, match="split"):
        parse(source)


def test_long_chains_of_conditions_are_flat() -> None:
    assert len(list(walk(parse(" && ".join(["a"] * 500))))) == 501


TERMS = ["a", "signal.x", "1", "-1", "2.5e3", "'s'", '"\\n"', "r'\\d'", "b'x'", "0x1F", "7u", "true", "null", "[1, 2]",
         "{'k': 1}", "signal['x']", "(a)", "size(signal.x)", "signal.x.startsWith('a')", "signal.l.exists(v, v > 1)"]  # fmt: skip
PIECES = [
    *TERMS,
    "&&",
    "||",
    "==",
    "<",
    "in",
    "+",
    "-",
    "!",
    "?",
    ":",
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    "'",
    "a b",
]


def runtime_parses(source: str) -> bool:
    try:
        environment().compile(source, disable_check=True)
    except RuntimeError as refusal:
        # names and unknown functions are no matter of grammar
        return "Syntax error" not in str(refusal)
    return True


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map(" ".join))
def test_what_parses_here_parses_there(source: str) -> None:
    try:
        parse(source)
    except RuleError:
        return
    assert runtime_parses(source), source


@settings(max_examples=300, deadline=None)
@given(st.recursive(
    st.sampled_from(TERMS),
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(["&&", "||", "==", "<", "in", "+", "%"]), inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=8,
))  # fmt: skip
def test_what_is_built_by_the_grammar_parses_in_both(source: str) -> None:
    parse(source)
    assert runtime_parses(source), source


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("'a\\u00e4\\n\\x41\\101'", "aä\nAA"),
        ("r'\\d'", "\\d"),
        ("'''a'b'''", "a'b"),
        ("-9223372036854775808", -(2**63)),
        ("0x10", 16),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1 // a comment", 1),
    ],
)
def test_literals_mean_what_the_runtime_says(source: str, value: object) -> None:
    [node] = walk(parse(source))
    assert getattr(node, "value", None) == value
    assert environment().compile(source).eval(data={}).value() == value


def test_the_runtime_shares_no_tree() -> None:
    """The reason for a parser of our own; should this fail one day, it can go."""
    assert not [name for name in dir(cel.Expression) if "ast" in name.lower() or "node" in name.lower()]
