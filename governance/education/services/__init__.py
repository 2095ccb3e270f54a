"""The writers of education: lessons, assignments, attempts and completions."""

from governance.education.services.assignments import (
    Order,
    assignment_cancel,
    assignments_make,
    assignments_remind_due,
    assignments_withdraw,
    lesson_assign,
)
from governance.education.services.completions import attempt_make, lesson_complete, next_attempt_at
from governance.education.services.lessons import (
    fingerprint,
    is_shown,
    lesson_publish,
    lesson_save,
    lesson_withdraw,
    questions_set,
    quiz_of,
)

__all__ = [
    "Order",
    "assignment_cancel",
    "assignments_make",
    "assignments_remind_due",
    "assignments_withdraw",
    "attempt_make",
    "fingerprint",
    "is_shown",
    "lesson_assign",
    "lesson_complete",
    "lesson_publish",
    "lesson_save",
    "lesson_withdraw",
    "next_attempt_at",
    "questions_set",
    "quiz_of",
]
