"""The borders of the house, and the size of its rooms."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("config", "guilds", "governance", "appeals")
LONGEST_MODULE_LINES = 430
BANNED_NAMES = frozenset({"utils", "util", "helpers", "common", "misc", "managers", "handlers", "signals"})
#: `signals` is a word of the domain: facts that detectors report. Django's signals are what the name is banned for.
DOMAIN_WORDS = frozenset({ROOT / "governance" / "signals"})


def modules() -> list[Path]:
    return [
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts and "static" not in path.parts
    ]


def test_imports_respect_every_border() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_module_grows_beyond_a_screenful_of_thought() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE_LINES} == {}


def test_no_module_is_named_after_nothing() -> None:
    parts = {path.parent if path.name == "__init__.py" else path.with_suffix("") for path in modules()}
    assert (
        sorted(
            str(part.relative_to(ROOT))
            for part in parts
            if part.stem in BANNED_NAMES and part not in DOMAIN_WORDS
        )
        == []
    )


@pytest.mark.parametrize("face", ["admin", "api", "tasks", "portal"])
def test_faces_write_nothing_themselves(face: str) -> None:
    """Only services change rows: a face that saves, creates or deletes would do so without ledger and policy."""
    writers = {"save", "create", "bulk_create", "bulk_update", "update_or_create", "get_or_create", "delete"}
    faces = [path for path in modules() if face in {path.stem, *path.relative_to(ROOT).parts}]
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.func)}"
        for path in faces
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in writers
        and "objects" in ast.unparse(node.func.value)
    ]
    assert found == []


def test_no_broad_except() -> None:
    """A broad except hides the failure it was not written for."""
    found = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                caught = "" if node.type is None else ast.unparse(node.type)
                if caught in {"", "Exception", "BaseException"}:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def test_every_sweep_is_a_task_that_exists() -> None:
    from config.celery import SWEEPS, app

    app.loader.import_default_modules()
    assert sorted(task for task, _ in SWEEPS if task not in app.tasks) == []
