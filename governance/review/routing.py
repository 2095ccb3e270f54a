"""Which queue a case goes to: the first route, by position, that fits. An empty list of a route fits everything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar


class Fitting(Protocol):
    """What a route asks of a case; `markets` and `rules` are codes."""

    @property
    def kinds(self) -> Sequence[str]: ...
    @property
    def severities(self) -> Sequence[str]: ...
    @property
    def markets(self) -> Sequence[str]: ...
    @property
    def rules(self) -> Sequence[str]: ...


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is to be routed; `rule` is empty where there is none, as for an unflagged guild-day."""

    kind: str
    severity: str
    market: str
    rule: str = ""


Route = TypeVar("Route", bound=Fitting)


def fits(route: Fitting, subject: Subject) -> bool:
    asked = (
        (route.kinds, subject.kind),
        (route.severities, subject.severity),
        (route.markets, subject.market),
        (route.rules, subject.rule),
    )
    return all(not wanted or has in wanted for wanted, has in asked)


def first_fitting(routes: Iterable[Route], subject: Subject) -> Route | None:
    """`routes` in the order of their positions; None when none fits, and the case goes to the default queue."""
    return next((route for route in routes if fits(route, subject)), None)
