"""The note a running demo leaves in its data directory, by which `manage.py` joins it.

Without it `manage.py` in the shell next to `make demo` would take itself for production, the safe default.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

FILE = "demo.json"
BASE_DIR = Path(__file__).resolve().parent.parent


def data_dir() -> Path:
    """GUILDHALL_DATA_DIR, taken from the project's directory when it is relative."""
    return BASE_DIR / (os.environ.get("GUILDHALL_DATA_DIR", "").strip() or ".data")


def leave(directory: Path, environment: dict[str, str]) -> None:
    """Note the environment of the demo that this process runs. The file may hold a password: owner only."""
    path = directory / FILE
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"pid": os.getpid(), "environment": environment}, file)


def remove(directory: Path) -> None:
    (directory / FILE).unlink(missing_ok=True)


def written_by(directory: Path) -> int | None:
    """The process that left the note; None when there is no note."""
    try:
        return int(json.loads((directory / FILE).read_text())["pid"])
    except (FileNotFoundError, ValueError, KeyError):
        return None


def running(directory: Path) -> dict[str, str] | None:
    """The environment of the demo running in this data directory; None when it is gone or was killed."""
    try:
        note = json.loads((directory / FILE).read_text())
        command = Path("/proc", str(note["pid"]), "cmdline").read_bytes()
    except (FileNotFoundError, PermissionError, ProcessLookupError, ValueError, KeyError):
        return None
    return dict(note["environment"]) if b"config.demo" in command else None


def join_running_demo() -> None:
    """Take over the running demo's environment, unless GUILDHALL_ENV says where we are. What is set already stays."""
    if os.environ.get("GUILDHALL_ENV", "").strip():
        return
    for name, value in (running(data_dir()) or {}).items():
        os.environ.setdefault(name, value)
