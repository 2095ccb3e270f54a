import pytest

from tests.benchmarks.report import Report


@pytest.fixture
def report() -> Report:
    return Report()
