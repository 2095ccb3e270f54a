"""A rule ready to meet signals."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from cel_expr_python import cel

from governance.engine.check import check_rule, compile_checked
from governance.engine.environment import rewritten
from governance.engine.errors import RuleErrors
from governance.engine.spec import MeasureSpec, RuleSpec
from governance.engine.syntax import parse
from governance.engine.tree import Node, loop_of, named_paths, walk


@dataclass(frozen=True, eq=False)
class CompiledRule:
    """A checked rule with its programs; `ref` is whatever the caller wants back with an outcome, such as a
    version id.

    Compiled programs survive a fork and are not picklable: send specs between processes, not these.
    """

    spec: RuleSpec
    ref: Hashable
    measures: tuple[MeasureSpec, ...]  # of the spec, with `types` filled in from `on`
    tree: Node
    source: str  # `when` under the shared names of measures
    program: cel.Expression
    paths: tuple[tuple[str, ...], ...]  # what `when` reads: ("signal", "amount"), ("critical_30d",), …

    # programs of parts of `when` by their place and what they read, filled by explanations
    parts: dict[tuple[int, int], tuple[cel.Expression, tuple[tuple[str, ...], ...]]] = field(
        default_factory=dict, repr=False
    )

    @property
    def loops(self) -> bool:
        """True when `when` contains exists, all or exists_one."""
        return any(loop_of(node) is not None for node in walk(self.tree))


def resolved_measures(spec: RuleSpec) -> tuple[MeasureSpec, ...]:
    """The rule's measures with their signal types written out, so that equal ones have equal keys."""
    return tuple(
        MeasureSpec(
            name=measure.name,
            types=measure.types or spec.on,
            where=measure.where,
            window=measure.window,
            per=measure.per,
            aggregate=measure.aggregate,
        )
        for measure in spec.measures
    )


def compile_rule(spec: RuleSpec, ref: Hashable = None) -> CompiledRule:
    """Check and compile; RuleErrors (a RuleError) with everything that is wrong."""
    errors = check_rule(spec)
    if errors:
        raise RuleErrors(errors)
    measures = resolved_measures(spec)
    tree = parse(spec.when)
    return CompiledRule(
        spec=spec,
        ref=ref,
        measures=measures,
        tree=tree,
        source=rewritten(spec.when, tree, measures).source,
        program=compile_checked(spec.when, tree, measures),
        paths=tuple(dict.fromkeys(named_paths(tree))),
    )
