"""For every test: property tests have no deadline, as no time is asserted on shared machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

BROWSER = tuple(Path(__file__).parent / "e2e" / each for each in ("console", "office"))

settings.register_profile(
    "filterd",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("filterd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright's loop runs in this thread until the session ends, and
    no other loop can be started meanwhile."""
    items.sort(key=lambda item: any(map(item.path.is_relative_to, BROWSER)))
