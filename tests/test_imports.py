"""Who may import whom: the table of docs/architecture.md, held."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"app", "worker", "cli", "local", "settings", "signals", "telemetry", "routing", "notifiers", "storage", "watch", "web", "demo"}

MAY_IMPORT = {
    "routing": {"routing"},
    "notifiers": {"notifiers", "routing"},
    "storage": {"storage", "routing"},
    "settings": set(),
    "signals": set(),
    "telemetry": {"settings", "telemetry"},
    "cli": {"settings", "telemetry", "routing", "notifiers", "storage", "watch"},
    "app": {"cli", "settings", "telemetry", "routing", "notifiers", "storage", "watch", "web"},
    "web": {"settings", "telemetry", "routing", "storage", "web"},
    "watch": {"settings", "telemetry", "routing", "notifiers", "storage", "watch"},
    "worker": {"settings", "signals", "telemetry", "routing", "notifiers", "storage", "watch", "worker"},
    "local": {"settings", "signals"},
    "demo": {"demo", "local", "settings", "routing", "storage"},
}

ONLY_IN = {
    "sqlalchemy": {"storage", "app", "cli", "watch", "worker", "web"},
    "redis": {"storage", "watch"},
    "rq": {"storage"},
    "alembic": {"storage"},
    "urllib3": {"notifiers"},
    "requests": {"notifiers"},
    "slack_sdk": {"notifiers"},
    "pdpyras": {"notifiers"},
    "jira": {"notifiers"},
    "smtplib": {"notifiers"},
    "lark": {"routing"},
    "yaml": {"routing"},
    "flask": {"app", "cli", "web"},
    "authlib": {"web"},
    "dotenv": {"settings", "demo"},
}
"""Packages that stop at an edge. Of SQLAlchemy, those who wire may name the engine and its error, nothing else."""

NO_CLOCK_IN = ("routing", "notifiers")


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_a_part_imports_only_what_its_row_allows(part: str) -> None:
    imported = {(path, name) for path in _files(part) for name in _imports(path)}

    stray = [f"{path}: {name}" for path, name in imported if name in OURS and name not in MAY_IMPORT[part] | {part}]

    assert stray == []


@pytest.mark.parametrize("package", sorted(ONLY_IN))
def test_a_package_stops_at_its_edge(package: str) -> None:
    users = {part for part in MAY_IMPORT for path in _files(part) if package in _imports(path)}

    assert users <= ONLY_IN[package]


@pytest.mark.parametrize("part", NO_CLOCK_IN)
def test_a_decision_takes_the_time_as_an_argument(part: str) -> None:
    readings = [f"{path}: {ast.unparse(node)}" for path in _files(part) for node in ast.walk(_tree(path)) if _reads_the_clock(node)]

    assert readings == []


def test_only_settings_reads_the_environment() -> None:
    readers = {
        path.name
        for part in MAY_IMPORT
        for path in _files(part)
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }

    # local.py and the demonstration hand the environment on to the processes that they start.
    assert readers - {"local.py", "__main__.py"} == {"settings.py"}


def test_there_is_no_top_level_entry_that_the_table_does_not_know() -> None:
    entries = {path.stem for path in ROOT.glob("*.py")}

    assert entries <= set(MAY_IMPORT)


def _files(part: str) -> list[Path]:
    path = ROOT / part
    return sorted(path.rglob("*.py")) if path.is_dir() else [ROOT / f"{part}.py"]


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> set[str]:
    return {name.split(".")[0] for node in ast.walk(_tree(path)) for name in _names(node)}


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module


def _reads_the_clock(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in {"now", "utcnow", "today"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "datetime"
    )
