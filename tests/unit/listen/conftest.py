"""What listens is tested on both loops: asyncio's own, and the one that stands by (a worker's)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from filterd.listen.standby import StandbyLoop

LOOPS: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "loop": asyncio.SelectorEventLoop,
    "standby": StandbyLoop,
}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each test once with each."""
    del config, item
    return LOOPS
