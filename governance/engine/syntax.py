"""The parser: from the source of a CEL expression to its tree.

The CEL runtime compiles and evaluates, but does not show its tree. This tree serves what needs one: which
fields an expression names, the explanation of a result part by part, limits on size, and the translation to
SQL. It never decides a result. Grammar: the CEL language definition, without message construction and
optional syntax, which rules may not use.
"""

from governance.engine.errors import RuleError
from governance.engine.tokens import KEYWORDS, RESERVED, Token, line_of, tokenize
from governance.engine.tree import (
    Binary,
    Call,
    Conditional,
    Index,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Name,
    Node,
    Select,
    Unary,
)

MAX_NESTING = 24  # brackets, calls, negations and conditionals inside each other
MAX_DEPTH = 30  # height of the tree; the CEL runtime refuses parse depths beyond 32
RELATIONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})


def parse(source: str) -> Node:
    """The tree of one expression; RuleError with position and cure when it is not CEL or nested too deeply."""
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.at = 0
        self.nesting = 0
        self.depths: dict[int, int] = {}
        self.brackets: dict[int, tuple[int, int]] = {}  # what encloses a node directly
        self.alive: list[Node] = []  # keeps ids unique while they are keys

    # -- reading tokens
    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def sees(self, *symbols: str) -> bool:
        return self.token.kind == "symbol" and self.token.text in symbols

    def expect(self, symbol: str) -> Token:
        if not self.sees(symbol):
            raise self.refuse(f"expected {symbol!r} here, found {self.token.shown}", self.token.start)
        return self.take()

    def refuse(self, message: str, position: int) -> RuleError:
        return RuleError(message, position=position, line=line_of(self.source, position))

    def enter(self, position: int) -> None:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.refuse(
                f"nested deeper than {MAX_NESTING} levels; split the rule or take brackets away",
                position,
            )

    def built(self, node: Node) -> Node:
        """Every node passes here, so that nobody who walks a tree meets one of unbounded height."""
        height = 1 + max((self.depths[id(child)] for child in node.children()), default=0)
        if height > MAX_DEPTH:
            raise self.refuse(
                f"a chain of more than {MAX_DEPTH} operations or fields; split the rule",
                node.start,
            )
        self.depths[id(node)] = height
        self.alive.append(node)
        return node

    def begin(self, node: Node) -> int:
        return self.brackets.get(id(node), (node.start, node.end))[0]

    def finish(self, node: Node) -> int:
        return self.brackets.get(id(node), (node.start, node.end))[1]

    # -- grammar, lowest binding first
    def whole(self) -> Node:
        if self.token.kind == "end":
            raise self.refuse("the expression is empty; write a condition such as signal.count > 3", 0)
        node = self.expression()
        if self.token.kind != "end":
            raise self.refuse(
                f"unexpected {self.token.shown} after a complete expression; join conditions with && or ||",
                self.token.start,
            )
        return node

    def expression(self) -> Node:
        condition = self.logic("||")
        if not self.sees("?"):
            return condition
        self.enter(self.take().start)
        then = self.logic("||")
        self.expect(":")
        otherwise = self.expression()
        self.nesting -= 1
        return self.built(
            Conditional(self.begin(condition), self.finish(otherwise), condition, then, otherwise)
        )

    def logic(self, operator: str) -> Node:
        def part() -> Node:
            return self.logic("&&") if operator == "||" else self.relation()

        parts = [part()]
        while self.sees(operator):
            self.take()
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        return self.built(Logic(self.begin(parts[0]), self.finish(parts[-1]), operator, tuple(parts)))

    def relation(self) -> Node:
        left = self.sum()
        while self.sees(*RELATIONS) or (self.token.kind == "name" and self.token.text == "in"):
            operator = self.take().text
            right = self.sum()
            left = self.built(Binary(self.begin(left), self.finish(right), operator, left, right))
        if self.sees("="):
            raise self.refuse("a single = does not compare; write ==", self.token.start)
        return left

    def sum(self) -> Node:
        left = self.product()
        while self.sees("+", "-"):
            operator = self.take().text
            right = self.product()
            left = self.built(Binary(self.begin(left), self.finish(right), operator, left, right))
        return left

    def product(self) -> Node:
        left = self.unary()
        while self.sees("*", "/", "%"):
            operator = self.take().text
            right = self.unary()
            left = self.built(Binary(self.begin(left), self.finish(right), operator, left, right))
        return left

    def unary(self) -> Node:
        if not self.sees("!", "-"):
            return self.member()
        token = self.take()
        self.enter(token.start)
        number = self.token
        if token.text == "-" and number.kind in ("int", "double") and isinstance(number.value, (int, float)):
            # -9223372036854775808 is one literal: its positive half does not exist
            self.tokens[self.at] = Token(
                number.kind, f"-{number.text}", token.start, number.end, -number.value
            )
            node = self.member()
        else:
            if self.sees("-" if token.text == "!" else "!"):
                raise self.refuse("! and - need brackets between them", self.token.start)
            operand = self.unary()
            node = self.built(Unary(token.start, self.finish(operand), token.text, operand))
        self.nesting -= 1
        return node

    def member(self) -> Node:
        node = self.primary()
        while True:
            if self.sees("."):
                self.take()
                node = self.after_dot(node)
            elif self.sees("["):
                self.enter(self.take().start)
                index = self.expression()
                end = self.expect("]").end
                self.nesting -= 1
                node = self.built(Index(self.begin(node), end, node, index))
            elif self.sees("{"):
                raise self.refuse("message construction is not part of rules", self.token.start)
            else:
                return node

    def after_dot(self, operand: Node) -> Node:
        token = self.token
        if token.kind == "quoted":
            self.take()
            return self.built(Select(self.begin(operand), token.end, operand, str(token.value)))
        if token.kind != "name" or token.text in KEYWORDS:
            raise self.refuse(f"expected a field name after the dot, found {token.shown}", token.start)
        self.take()
        if not self.sees("("):
            return self.built(Select(self.begin(operand), token.end, operand, token.text))
        args, end = self.arguments()
        return self.built(Call(self.begin(operand), end, operand, token.text, args, token.start))

    def arguments(self) -> tuple[tuple[Node, ...], int]:
        self.enter(self.expect("(").start)
        args = self.listed(")")
        end = self.expect(")").end
        self.nesting -= 1
        return args, end

    def listed(self, closing: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self.sees(closing):
            items.append(self.expression())
            if not self.sees(","):
                break
            self.take()
            if closing == ")" and self.sees(closing):
                raise self.refuse("an argument is missing after the comma", self.token.start)
        return tuple(items)

    def primary(self) -> Node:
        token = self.token
        if token.kind in ("int", "uint", "double", "string", "bytes"):
            self.take()
            return self.built(Literal(token.start, token.end, token.kind, token.value))
        if self.sees("."):
            self.take()
            token = self.token
            if token.kind != "name" or token.text in KEYWORDS:
                raise self.refuse(f"expected a name after the dot, found {token.shown}", token.start)
        if token.kind == "name":
            return self.named(self.take())
        if self.sees("("):
            self.enter(self.take().start)
            inner = self.expression()
            self.brackets[id(inner)] = (token.start, self.expect(")").end)
            self.nesting -= 1
            return inner
        if self.sees("["):
            self.enter(self.take().start)
            items = self.listed("]")
            end = self.expect("]").end
            self.nesting -= 1
            return self.built(ListOf(token.start, end, items))
        if self.sees("{"):
            return self.mapping(self.take())
        raise self.refuse(f"expected a value here, found {token.shown}", token.start)

    def named(self, token: Token) -> Node:
        if token.text in ("true", "false"):
            return self.built(Literal(token.start, token.end, "bool", token.text == "true"))
        if token.text == "null":
            return self.built(Literal(token.start, token.end, "null", None))
        if token.text in KEYWORDS | RESERVED:
            raise self.refuse(f"{token.text!r} is a reserved word and cannot be a name", token.start)
        if self.sees("("):
            args, end = self.arguments()
            return self.built(Call(token.start, end, None, token.text, args, token.start))
        return self.built(Name(token.start, token.end, token.text))

    def mapping(self, opening: Token) -> Node:
        self.enter(opening.start)
        entries: list[tuple[Node, Node]] = []
        while not self.sees("}"):
            key = self.expression()
            self.expect(":")
            entries.append((key, self.expression()))
            if not self.sees(","):
                break
            self.take()
        end = self.expect("}").end
        self.nesting -= 1
        return self.built(MapOf(opening.start, end, tuple(entries)))
