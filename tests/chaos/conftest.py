"""What several kinds of fault are done to."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.quick_upstream import quick_upstream
from tests.lab.running import RunningFilterd


@pytest.fixture
def filterd(tmp_path: Path) -> Iterator[RunningFilterd]:
    """Two workers with an upstream that answers at once; the test starts it."""
    with quick_upstream() as upstream:
        made = RunningFilterd(tmp_path, {"upstreams": [upstream.url], "workers": 2})
        yield made
        if made.process is not None:
            made.stop(signal.SIGKILL)
