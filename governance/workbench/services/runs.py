"""Running the examples of a version."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from governance.rules.models import RuleVersion
from governance.workbench import facts
from governance.workbench.enums import ExampleResult
from governance.workbench.models import Example
from governance.workbench.selectors import spec_of
from governance.workbench.trying import Judged, compiled_or_reason, judge


@transaction.atomic
def examples_run(version: RuleVersion) -> list[Example]:
    """Hold every example against the wording as it is now and store what came out; the examples, in their order.

    A wording that does not compile makes each of them an error. Nothing goes into the ledger: what an example yields follows
    from wording and example, which are there.
    """
    examples = list(version.examples.select_for_update(of=("self",)).order_by("id"))
    rule = compiled_or_reason(spec_of(version))
    now = timezone.now()
    for example in examples:
        if isinstance(rule, str):
            judged = Judged("error", {"state": "error", "reason": rule, "conditions": []})
        else:
            judged = judge(rule, facts.from_json(example.facts), example.measures)
        example.result = result_of(judged, must_match=example.must_match)
        example.explanation = judged.explanation
        example.ran_at = now
    Example.objects.bulk_update(examples, ["result", "explanation", "ran_at"])
    return examples


def result_of(judged: Judged, *, must_match: bool) -> ExampleResult:
    if judged.state == "error":
        return ExampleResult.ERROR
    return ExampleResult.PASSED if judged.matched == must_match else ExampleResult.FAILED
