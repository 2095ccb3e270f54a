from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.appeals.cases import Case


@pytest.fixture(autouse=True)
def uploads(settings: Any, tmp_path: Path) -> Path:
    """Evidence files of this test, and of no other."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def case(db: None) -> Case:
    # Models may only be imported once the settings are there, which is after this file is read.
    from tests.appeals.cases import build_case

    return build_case()
