"""The form in which a lesson is written: what was typed, kept while rows and languages come and go. Nothing is saved here.

Every button of the form posts all of it. `draft_from` reads it, `changed` adds or takes away a row, and only saving calls a
service; so the form works by keyboard and without JavaScript.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from governance.education.models import Lesson
from governance.education.quiz import LEAST_OPTIONS, MOST_OPTIONS, MOST_QUESTIONS
from governance.education.services import quiz_of
from guilds.errors import InvalidInput

#: A BCP 47 tag as far as the console needs it: en, pt-br, zh-hant.
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
MOST_LANGUAGES = 30
NUMBERS = {"pass_percent": 80, "credit_points": 0, "credit_every_days": 30, "amnesty_days": 0}


@dataclass
class QuestionDraft:
    """`options` holds one map of language to text per answer, in order; `correct` is the place of the right one, if said."""

    prompt: dict[str, str] = field(default_factory=dict)
    options: list[dict[str, str]] = field(default_factory=lambda: [{} for _ in range(LEAST_OPTIONS)])
    correct: int | None = None
    note: dict[str, str] = field(default_factory=dict)

    def as_posted(self, languages: list[str]) -> dict[str, Any]:
        """As `questions_set` takes it, in the lesson's languages."""
        return {
            "prompt": {language: self.prompt.get(language, "") for language in languages},
            "options": {
                language: [option.get(language, "") for option in self.options] for language in languages
            },
            "correct": self.correct,
            "note": {language: self.note[language] for language in languages if self.note.get(language)},
        }


@dataclass
class Draft:
    """A lesson as the form holds it. Numbers stay the text that was typed."""

    code: str = ""
    rule: str = ""
    seen: str = ""
    languages: list[str] = field(default_factory=lambda: ["en"])
    title: dict[str, str] = field(default_factory=dict)
    body: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(
        default_factory=lambda: {name: str(value) for name, value in NUMBERS.items()}
    )
    questions: list[QuestionDraft] = field(default_factory=list)
    new_language: str = ""

    def written_languages(self) -> list[str]:
        """The languages in which anything has been typed."""
        texts = [self.title, self.body]
        for question in self.questions:
            texts += [question.prompt, question.note, *question.options]
        return [tag for tag in self.languages if any(tag in text for text in texts)]

    def quiz(self) -> list[dict[str, Any]]:
        """The questions as `lesson_save` takes them."""
        languages = self.written_languages()
        return [question.as_posted(languages) for question in self.questions]

    def terms(self) -> dict[str, int]:
        """The numbers; raises InvalidInput naming each that is none."""
        faults = [
            {"field": name, "message": _("Give a whole number.")}
            for name, text in self.numbers.items()
            if not (text.isascii() and text.isdecimal() and len(text) < 6)
        ]
        if faults:
            raise InvalidInput(str(faults[0]["message"]), errors=faults)
        return {name: int(text) for name, text in self.numbers.items()}


def draft_of(lesson: Lesson, *, seen: str) -> Draft:
    """A lesson as it is. `seen` is the fingerprint of the wording the writer starts from."""
    languages = sorted(set(lesson.title) | set(lesson.body), key=lambda tag: (tag != "en", tag))
    questions = []
    for question in quiz_of(lesson):
        sizes = [len(texts) for texts in question["options"].values()]
        questions.append(
            QuestionDraft(
                dict(question["prompt"]),
                [
                    {
                        language: texts[place]
                        for language, texts in question["options"].items()
                        if place < len(texts)
                    }
                    for place in range(max(sizes, default=LEAST_OPTIONS))
                ],
                question["correct"],
                dict(question["note"] or {}),
            )
        )
    return Draft(
        code=lesson.code,
        rule=lesson.rule.code if lesson.rule else "",
        seen=seen,
        languages=languages or ["en"],
        title=dict(lesson.title),
        body=dict(lesson.body),
        numbers={name: str(getattr(lesson, name)) for name in NUMBERS},
        questions=questions,
    )


def draft_from(posted: Mapping[str, str], languages: list[str]) -> Draft:
    """What the form sent; `languages` are the tags of its hidden fields. Whatever it does not know is left out."""
    tags = [tag for tag in dict.fromkeys(languages) if LANGUAGE.fullmatch(tag)][:MOST_LANGUAGES] or ["en"]

    def texts(prefix: str) -> dict[str, str]:
        found = {tag: posted.get(f"{prefix}-{tag}", "").replace("\r\n", "\n").strip() for tag in tags}
        return {tag: text for tag, text in found.items() if text}

    questions = []
    for place in range(min(_number(posted.get("questions")) or 0, MOST_QUESTIONS)):
        options = min(_number(posted.get(f"q{place}-options")) or LEAST_OPTIONS, MOST_OPTIONS)
        questions.append(
            QuestionDraft(
                texts(f"q{place}-prompt"),
                [texts(f"q{place}-o{option}") for option in range(options)],
                _number(posted.get(f"q{place}-correct")),
                texts(f"q{place}-note"),
            )
        )
    return Draft(
        code=posted.get("code", "").strip(),
        rule=posted.get("rule", ""),
        seen=posted.get("seen", ""),
        languages=tags,
        title=texts("title"),
        body=texts("body"),
        numbers={name: posted.get(name, "").strip() for name in NUMBERS},
        questions=questions,
        new_language=posted.get("new_language", "").strip().lower().replace("_", "-"),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 4 else None


def texts_of(draft: Draft) -> list[dict[str, str]]:
    """Title and text by language, as the page shows them."""
    return [
        {"tag": tag, "title": draft.title.get(tag, ""), "body": draft.body.get(tag, "")}
        for tag in draft.languages
    ]


def questions_of(draft: Draft) -> list[dict[str, Any]]:
    """The questions as the page shows them: every text as (name of its field, language, text), in the order of the languages."""

    def fields(prefix: str, texts: Mapping[str, str]) -> list[tuple[str, str, str]]:
        return [(f"{prefix}-{tag}", tag, texts.get(tag, "")) for tag in draft.languages]

    return [
        {
            "place": place,
            "number": place + 1,
            "prompt": fields(f"q{place}-prompt", question.prompt),
            "options": [
                (number, fields(f"q{place}-o{number}", option))
                for number, option in enumerate(question.options)
            ],
            "correct": question.correct,
            "note": fields(f"q{place}-note", question.note),
            "is_first": place == 0,
            "is_last": place + 1 == len(draft.questions),
        }
        for place, question in enumerate(draft.questions)
    ]


def changed(draft: Draft, wish: str) -> str:
    """Carry out what a button asks for, such as `add-option:2`, and return the id of the field to go on in. Unknown wishes and
    places do nothing; raises InvalidInput for a language that is none."""
    name, *numbers = wish.split(":")
    place, option = ([_number(text) for text in numbers] + [None, None])[:2]
    questions = draft.questions
    if name == "add-language":
        return _add_language(draft)
    if name == "drop-language" and numbers and numbers[0] in draft.languages and len(draft.languages) > 1:
        draft.languages.remove(numbers[0])
    if name == "add-question" and len(questions) < MOST_QUESTIONS:
        questions.append(QuestionDraft())
        return f"q{len(questions) - 1}-prompt-{draft.languages[0]}"
    if place is None or not 0 <= place < len(questions):
        return ""
    question = questions[place]
    if name == "drop-question":
        del questions[place]
        return f"q{max(place - 1, 0)}-prompt-{draft.languages[0]}"
    if name == "up" and place > 0:
        questions[place - 1 : place + 1] = [question, questions[place - 1]]
        return f"q{place - 1}-prompt-{draft.languages[0]}"
    if name == "down" and place + 1 < len(questions):
        questions[place : place + 2] = [questions[place + 1], question]
        return f"q{place + 1}-prompt-{draft.languages[0]}"
    if name == "add-option" and len(question.options) < MOST_OPTIONS:
        question.options.append({})
        return f"q{place}-o{len(question.options) - 1}-{draft.languages[0]}"
    if name == "drop-option":
        _drop_option(question, option)
        return f"q{place}-o{max((option or 0) - 1, 0)}-{draft.languages[0]}"
    return ""


def _add_language(draft: Draft) -> str:
    tag = draft.new_language
    if not LANGUAGE.fullmatch(tag):
        raise InvalidInput(
            _("Give the language as a tag, such as de, pt-br or zh-hant."), field="new_language"
        )
    if tag not in draft.languages and len(draft.languages) < MOST_LANGUAGES:
        draft.languages.append(tag)
    draft.new_language = ""
    return f"title-{tag}"


def _drop_option(question: QuestionDraft, option: int | None) -> None:
    if option is None or option >= len(question.options) or len(question.options) <= LEAST_OPTIONS:
        return
    del question.options[option]
    if question.correct == option:
        question.correct = None
    elif question.correct is not None and question.correct > option:
        question.correct -= 1
