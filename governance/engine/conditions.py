"""SQL conditions as values: leaves joined by AND and OR, kept flat and free of what decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Condition:
    """A leaf, or parts joined by AND or OR. `measured` leaves read columns of measures, others the signal alone."""

    text: str = ""
    measured: bool = False
    joint: str = ""
    parts: tuple[Condition, ...] = ()

    @property
    def sql(self) -> str:
        if not self.parts:
            return self.text
        return "(" + f" {self.joint} ".join(part.sql for part in self.parts) + ")"

    @property
    def reads_measures(self) -> bool:
        return self.measured or any(part.reads_measures for part in self.parts)

    def without_measures(self) -> Condition:
        """Wider: whatever measures say is possible."""
        if self.measured:
            return TRUE
        if not self.parts:
            return self
        return _joined(self.joint, *(part.without_measures() for part in self.parts))

    def split(self, column: Callable[[int], str]) -> tuple[str, list[str]]:
        """The condition over columns, and what those columns are: the widest stretches that read the signal alone."""
        inner: list[str] = []

        def outer(condition: Condition) -> str:
            if condition in (TRUE, FALSE) or condition.measured:
                return condition.text
            if condition.reads_measures:
                return "(" + f" {condition.joint} ".join(outer(part) for part in condition.parts) + ")"
            if condition.sql not in inner:
                inner.append(condition.sql)
            return column(inner.index(condition.sql))

        return outer(self), inner


TRUE = Condition("TRUE")
FALSE = Condition("FALSE")


def _joined(joint: str, *parts: Condition) -> Condition:
    """Flat, without repeats and without constants that decide nothing."""
    neutral, final = (TRUE, FALSE) if joint == "AND" else (FALSE, TRUE)
    kept: dict[Condition, None] = {}
    for part in parts:
        if part == final:
            return final
        if part != neutral:
            kept |= dict.fromkeys(part.parts if part.joint == joint else (part,))
    if not kept:
        return neutral
    return next(iter(kept)) if len(kept) == 1 else Condition(joint=joint, parts=tuple(kept))


def both(*parts: Condition) -> Condition:
    return _joined("AND", *parts)


def either(*parts: Condition) -> Condition:
    return _joined("OR", *parts)
