from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # this file is read before Django's apps are loaded
    from tests.api.world import World


@pytest.fixture
def world(db: None) -> World:
    from tests.api.world import world as make_world

    return make_world()


@pytest.fixture(autouse=True)
def _fresh_minute() -> None:
    """Calls of earlier tests do not count against the rate of this one."""
    from django.core.cache import cache

    cache.clear()
