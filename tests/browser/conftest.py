from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from playwright.sync_api import Page


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser objects to; a story with refusals in it listens with `heard(page, refusals=True)`."""
    from tests.browser.steps import heard  # not before Django is set up

    return heard(page)
