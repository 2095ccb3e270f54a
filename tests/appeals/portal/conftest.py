from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

if TYPE_CHECKING:
    from tests.appeals.cases import Case


@pytest.fixture
def olga(case: Case, client: Client) -> Client:
    """A browser in which Aurora's owner is signed in."""
    client.force_login(case.olga.user)
    return client
