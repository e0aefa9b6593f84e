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
def server() -> Iterator[str]:
    if binaries() is None:
        pytest.skip("Debian's postgresql is not installed")
    with postgres() as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


BOTH = {"test_every_page_opens_in_both_languages_and_every_endpoint_has_its_permission",
        "test_search_and_filters", "test_devices_speak_to_the_api"}  # fmt: skip
"""Of the pages' tests these run on both databases, the others on SQLite alone."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "office" in metafunc.fixturenames:
        pages = metafunc.module.__name__.endswith("test_office_pages")
        both = not pages or metafunc.function.__name__ in BOTH
        engines = ["sqlite", "postgresql"] if both else ["sqlite"]
        metafunc.parametrize("office", engines, indirect=True)


@pytest.fixture
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
