"""One laboratory for every comparison: a signed upstream and filterd in front of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.lab.running import RunningFilterd
from tests.lab.signed import signed_upstream


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a validating unbound with `lab.example`."""
    if not all(map(shutil.which, ("unbound", "named", "dnssec-signzone"))):
        pytest.skip("needs Debian's unbound, bind9 and bind9-utils")
    with signed_upstream(tmp_path_factory.mktemp("signed")) as port:
        yield port


@pytest.fixture(scope="session")
def filterd(signed: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFilterd]:
    """`filterd run` with that upstream."""
    made = RunningFilterd(
        tmp_path_factory.mktemp("filterd"), {"upstreams": [f"udp://127.0.0.1:{signed}"]}
    )
    try:
        yield made.start()
    finally:
        made.stop()
