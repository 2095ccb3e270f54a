"""Real PostgreSQL, real Valkey, a real worker and a real browser for the suite.

The servers run in `.data-test`, or behind DATABASE_URL and REDIS_URL, and stop with the last run that uses them.
Runs may overlap: each takes a slot, and each xdist process in a slot has a database and two Valkey databases its own.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from config import embedded, env
from tests.worker import Worker

ROOT = Path(__file__).resolve().parent.parent
DATA_DIR = ROOT / ".data-test"
SLOTS = 8
PROCESSES_PER_SLOT = 4
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

LOCKS = pytest.StashKey[list[IO[str]]]()


# --- servers and settings, before Django loads ----------------------------------------------------------------------
def _take_slot() -> tuple[int, IO[str]]:
    for slot in range(SLOTS):
        lock = (DATA_DIR / f"slot-{slot}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return slot, lock
    raise pytest.UsageError(f"{SLOTS} test runs are under way in {DATA_DIR}; wait for one to end.")


def _prepare_environment() -> None:
    """The suite's own environment, whatever the shell says. In an xdist process the controller has done most of it."""
    process = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    slot = int(os.environ.get("GUILDHALL_TEST_SLOT", "0"))
    pair = 2 * (slot * PROCESSES_PER_SLOT + process % PROCESSES_PER_SLOT)
    redis_url = os.environ.get("GUILDHALL_TEST_REDIS_URL") or embedded.layout(DATA_DIR).servers().redis_url
    os.environ.update(
        GUILDHALL_ENV="test",
        GUILDHALL_DATA_DIR=str(DATA_DIR),
        GUILDHALL_TEST_SLOT=str(slot),
        GUILDHALL_TEST_REDIS_URL=redis_url,
        REDIS_URL=env.redis(redis_url, database=pair),
        GUILDHALL_CACHE_URL=env.redis(redis_url, database=pair + 1),
        DJANGO_SETTINGS_MODULE="config.settings",
        # Playwright's loop runs in the thread of the test.
        DJANGO_ALLOW_ASYNC_UNSAFE="true",
    )


def pytest_configure(config: pytest.Config) -> None:
    locks: list[IO[str]] = []
    config.stash[LOCKS] = locks
    if not hasattr(config, "workerinput"):
        for name in [name for name in os.environ if name.startswith("GUILDHALL_")]:
            del os.environ[name]
        os.environ["GUILDHALL_TEST_REDIS_URL"] = os.environ.get("REDIS_URL", "")
        DATA_DIR.mkdir(exist_ok=True)
        # Shared while the run lasts; who gets it alone at the end was the last one and stops the servers.
        users = (DATA_DIR / "users.lock").open("a")
        fcntl.flock(users, fcntl.LOCK_SH)
        slot, slot_lock = _take_slot()
        locks += [users, slot_lock]
        os.environ["GUILDHALL_TEST_SLOT"] = str(slot)
        if not config.option.collectonly:
            embedded.ensure_running(
                DATA_DIR,
                durable=False,
                postgres="DATABASE_URL" not in os.environ,
                valkey="REDIS_URL" not in os.environ,
            )
    _prepare_environment()
    from django.conf import settings

    # Loads the settings: pytest-django sets Django up afterwards, in its own pytest_configure.
    assert settings.GUILDHALL_ENV == "test"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that two processes end at about the same time; otherwise as shuffled."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: object) -> None:
    """The processes about to start inherit this environment. With a settings module in it pytest-django would load the
    settings there before `_prepare_environment` has given the process a database and a queue of its own."""
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


def pytest_unconfigure(config: pytest.Config) -> None:
    locks = config.stash.get(LOCKS, [])
    if not locks:
        return
    users = locks[0]
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        embedded.stop(DATA_DIR)
    for lock in locks:
        lock.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI nothing may be skipped: there a skip is a test that silently stopped testing."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which counts as a failure in CI: {report.longrepr}"
    return report


# --- database -------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """In place of pytest-django's: a copy of a database migrated once per set of migrations, made in a blink."""
    from tests.database import test_database

    process = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    with (
        django_db_blocker.unblock(),
        test_database(DATA_DIR, f"{os.environ['GUILDHALL_TEST_SLOT']}_{process}"),
    ):
        yield


# --- worker -----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def _worker_process(django_db_setup: None) -> Iterator[Worker]:
    worker = Worker(DATA_DIR)
    yield worker
    worker.stop()


@pytest.fixture
def worker(_worker_process: Worker, transactional_db: None) -> Iterator[Worker]:
    """A real Celery worker on this test's database, its queue empty at the start and at the end.

    It ends with the test: left alive it would act upon the nudges of tests that do without one.
    """
    _worker_process.start()
    yield _worker_process
    _worker_process.settle()
    _worker_process.kill()


# --- browser ----------------------------------------------------------------------------------------------------------
def _chromium() -> str | None:
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's Chromium; Playwright downloads no browser of its own."""
    path = _chromium()
    if path is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    return {
        **browser_type_launch_args,
        "executable_path": path,
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "locale": "en-GB", "timezone_id": "UTC"}
