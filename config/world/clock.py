"""The demo world's own time: while it is lived through, every service believes it is the day at hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from django.utils import timezone


class Clock:
    """A clock that only its owner moves, and never back."""

    def __init__(self, at: dt.datetime) -> None:
        self.at = at

    def __call__(self) -> dt.datetime:
        return self.at

    def move_to(self, at: dt.datetime) -> None:
        """Go on to a later moment; an earlier one changes nothing."""
        self.at = max(self.at, at)


@contextmanager
def world_time(begin: dt.datetime) -> Iterator[Clock]:
    """Inside, `django.utils.timezone.now` is the world's time, beginning at `begin` (aware).

    A year of history has to be lived by the services themselves, because what they write (ledger, points, reviews) cannot be
    dated back afterwards. The database's own now() is not touched: rows of trigger-written history bear the true time.
    """
    clock = Clock(begin)
    with mock.patch.object(timezone, "now", clock):
        yield clock
