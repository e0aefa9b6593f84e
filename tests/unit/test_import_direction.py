"""The rooms of docs/architecture.md §2: who may import whom, read from the source itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = {
    "errors": 0,
    "tasks": 0,
    "config": 0,
    "cores": 0,
    "descriptors": 0,
    "whole_files": 0,
    "wire": 1,
    "policy": 2,
    "lists": 3,
    "storage": 3,
    "upstream": 3,
    "clients": 3,
    "metrics": 3,
    "resolve": 4,
    "listen": 5,
    "documents": 3,
    "live": 4,
    "control": 5,
    "evidence": 5,
    "gateway": 5,
    "supervise": 5,
    "ruleset_frame": 5,
    "serving": 6,
    "worker": 7,
    "app": 8,
    "cli": 9,
    "__main__": 10,
}
FREE = {"errors", "tasks", "config", "pauses", "cores", "descriptors", "whole_files"}
PURE_BANNED = {
    "asyncio", "socket", "time", "random", "secrets", "os", "threading", "sqlite3", "aiosqlite",
    "subprocess", "logging",
}  # fmt: skip
FILES = sorted((ROOT / "filterd").rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Absolute module names that the file imports at run time (TYPE_CHECKING blocks included)."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "filterd" else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path: Path) -> None:
    own = path.relative_to(ROOT / "filterd").parts[0].removesuffix(".py")
    for module in imported(path):
        other = room(module)
        if other is None or other == own or other in FREE or other not in ORDER:
            continue
        assert own in ORDER, f"{path} is in no room of docs/architecture.md §2"
        assert ORDER[other] < ORDER[own], f"{path} ({own}) may not import {module}"


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if p.parts[len(ROOT.parts) + 1] in {"wire", "policy"}],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_pure_rooms_stay_pure(path: Path) -> None:
    roots = {module.split(".")[0] for module in imported(path)}
    assert not roots & PURE_BANNED, f"{path} imports {roots & PURE_BANNED}"


def test_console_reaches_filterd_only_through_the_control_socket() -> None:
    allowed = (
        "filterd.control.client",
        "filterd.control.protocol",
        "filterd.policy",
        "filterd.errors",
        "filterd.cores",
        "filterd.whole_files",
    )
    for path in sorted((ROOT / "admin_ui").rglob("*.py")):
        if "office" in path.parts:
            continue
        for module in imported(path):
            if module.startswith("filterd.") and module != "filterd.control":
                assert module.startswith(allowed), f"{path} may not import {module}"
