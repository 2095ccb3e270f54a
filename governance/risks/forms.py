"""The dialogs of the register of risks and of feedback."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from governance.risks.enums import FeedbackSource, FeedbackTopic, RiskCategory, Treatment
from governance.risks.models import Feedback, Risk
from governance.risks.selectors import SIMILAR_SHOWN, risks_standing, similar_to
from governance.risks.services.feedback import LONGEST_BODY, LONGEST_RULE_CODE, SHORTEST_BODY
from governance.risks.services.register import CHANGEABLE
from governance.risks.services.triage import LONGEST_ANSWER
from guilds.console.acts import DialogForm, ReasonForm
from guilds.models import Market


class DayInput(UnfoldAdminTextInputWidget):
    """The browser's own calendar."""

    input_type = "date"


SCALE = [(step, str(step)) for step in range(1, 6)]


class RiskForm(DialogForm):
    """What the register says of a risk; `obj` fills it in."""

    name = forms.CharField(label=_("Name"), max_length=200, widget=UnfoldAdminTextInputWidget())
    definition = forms.CharField(
        label=_("Definition"),
        required=False,
        max_length=4_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text=_("What belongs to it and what does not, so that two people link the same messages to it."),
    )
    category = forms.ChoiceField(label=_("Category"), choices=RiskCategory, widget=UnfoldAdminSelectWidget())
    harm = forms.TypedChoiceField(
        label=_("Harm"),
        choices=SCALE,
        coerce=int,
        initial=3,
        widget=UnfoldAdminSelectWidget(),
        help_text=_("1 little, 5 lasting"),
    )
    likelihood = forms.TypedChoiceField(
        label=_("Likelihood"),
        choices=SCALE,
        coerce=int,
        initial=3,
        widget=UnfoldAdminSelectWidget(),
        help_text=_("Your own estimate. Assessments take it from data wherever a rule is live."),
    )
    owner = forms.CharField(label=_("Owning team"), max_length=80, widget=UnfoldAdminTextInputWidget())
    treatment = forms.ChoiceField(label=_("Treatment"), choices=Treatment, widget=UnfoldAdminSelectWidget())
    treatment_note = forms.CharField(
        label=_("Why this treatment"),
        required=False,
        max_length=2_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )
    review_on = forms.DateField(label=_("Look at it again on"), required=False, widget=DayInput())


class RiskCreateForm(RiskForm):
    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text=_("Short, such as MIN. Rules and policy files name it; it cannot be changed."),
    )
    field_order = ("code",)


class RiskChangeForm(RiskForm, ReasonForm):
    def __init__(self, *args: Any, obj: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, obj=obj, **kwargs)
        self.fields["reason"] = self.fields.pop("reason")
        if isinstance(obj, Risk):
            self.initial = {name: getattr(obj, name) for name in CHANGEABLE}


class RiskReviewForm(ReasonForm):
    review_on = forms.DateField(label=_("Look at it again on"), widget=DayInput())


class TriageForm(DialogForm):
    topic = forms.ChoiceField(
        label=_("What is it about?"), choices=FeedbackTopic, widget=UnfoldAdminSelectWidget()
    )

    def __init__(self, *args: Any, obj: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, obj=obj, **kwargs)
        if isinstance(obj, Feedback):
            self.initial["topic"] = obj.topic


class LinkForm(DialogForm):
    risk = forms.ModelChoiceField(
        label=_("Risk"),
        queryset=Risk.objects.none(),
        required=False,
        empty_label=_("None"),
        widget=UnfoldAdminSelectWidget(),
    )

    def __init__(self, *args: Any, obj: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, obj=obj, **kwargs)
        field = self.fields["risk"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = risks_standing().order_by("code")
        if not isinstance(obj, Feedback):
            return
        self.initial["risk"] = obj.risk_id
        if obj.risk_id is None and obj.about_rule:
            named = Risk.objects.filter(rules__code=obj.about_rule).first()
            if named is not None:
                self.initial["risk"] = named.pk
                field.help_text = _("Suggested: the risk of %(rule)s, the rule the message names.") % {
                    "rule": obj.about_rule
                }


class MergeForm(DialogForm):
    into = forms.ChoiceField(
        label=_("Repeats"),
        required=False,
        widget=UnfoldAdminRadioSelectWidget(),
        help_text=_("Messages of like wording, the most alike first."),
    )
    other = forms.CharField(
        label=_("Or another, by its id"),
        required=False,
        max_length=36,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("As its page shows it; the first eight characters do."),
    )

    def __init__(self, *args: Any, obj: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, obj=obj, **kwargs)
        field = self.fields["into"]
        assert isinstance(field, forms.ChoiceField)
        # `likeness` is an annotation.
        alike: list[Any] = (
            list(similar_to(obj, self.actor)[:SIMILAR_SHOWN]) if isinstance(obj, Feedback) else []
        )
        field.choices = [
            (str(other.pk), f"{other.likeness:.0%} · {other.guild or other.get_source_display()} · {other}")
            for other in alike
        ]
        if not field.choices:
            field.help_text = _("Nothing of like wording.")


class AnswerForm(DialogForm):
    answer = forms.CharField(
        label=_("Answer"),
        max_length=LONGEST_ANSWER,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "autofocus": True, "dir": "auto"}),
    )


class NoteForm(DialogForm):
    """A message somebody heard, noted down by a colleague."""

    source = forms.ChoiceField(
        label=_("Who says it"),
        choices=FeedbackSource,
        initial=FeedbackSource.BUSINESS,
        widget=UnfoldAdminSelectWidget(),
        help_text=_(
            "What “a guild” says is shown to that guild, with our answer. Everything else stays here."
        ),
    )
    topic = forms.ChoiceField(
        label=_("What is it about?"), choices=FeedbackTopic, widget=UnfoldAdminSelectWidget()
    )
    body = forms.CharField(
        label=_("Message"),
        min_length=SHORTEST_BODY,
        max_length=LONGEST_BODY,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "dir": "auto"}),
    )
    guild = forms.CharField(
        label=_("Guild"),
        required=False,
        max_length=120,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("The platform's id of the guild; empty: about none in particular."),
    )
    market = forms.ModelChoiceField(
        label=_("Market"),
        queryset=Market.objects.none(),
        required=False,
        empty_label=_("None in particular"),
        widget=UnfoldAdminSelectWidget(),
        help_text=_("Where a guild is given, its own."),
    )
    about_rule = forms.CharField(
        label=_("Code of a rule"),
        required=False,
        max_length=LONGEST_RULE_CODE,
        widget=UnfoldAdminTextInputWidget(),
    )
    language = forms.CharField(
        label=_("Language"),
        required=False,
        max_length=20,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("BCP 47, such as pt-BR."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["market"]
        assert isinstance(field, forms.ModelChoiceField)
        markets, reach = Market.objects.order_by("code"), self.actor.market_ids
        field.queryset = markets if reach is None else markets.filter(pk__in=reach)
