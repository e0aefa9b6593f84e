"""An office for each test, on SQLite, and on PostgreSQL where Debian's server is installed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from admin_ui.office.database import Office
from tests.lab.office_school import Clock, fresh_office
from tests.lab.private_postgres import binaries, postgres


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if binaries() is None:
        pytest.skip("Debian's postgresql is not installed")
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def office(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Office]:
    url = None
    if request.param == "postgresql":
        base = request.getfixturevalue("server")
        name = f"office_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(base, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        url = base.rsplit("/", 1)[0] + f"/{name}"
    opened = fresh_office(tmp_path, clock, url)
    yield opened
    opened.engine.dispose()
