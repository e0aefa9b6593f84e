"""A school whose one list was fetched from a real server and is in use."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.lists.update import Result
from tests.lab.list_school import NAMES, School
from tests.lab.list_server import ListServer, list_server


@pytest.fixture(scope="module")
def server() -> Iterator[ListServer]:
    with list_server() as found:
        yield found


@pytest.fixture(scope="module")
def first(server: ListServer, tmp_path_factory: pytest.TempPathFactory) -> School:
    """A school whose one list was fetched and is in use; copied for each test."""
    found = School(tmp_path_factory.mktemp("first"), server)
    found.add("bad", server.put("/bad.txt", NAMES))
    assert found.update() == {"bad": (Result.CHANGED, "")}
    assert found.blocked("www.bad7.example")
    return found


@pytest.fixture
def lab(server: ListServer) -> ListServer:
    server.paths.clear()
    server.asked.clear()
    return server


@pytest.fixture
def school(lab: ListServer, first: School, tmp_path: Path) -> School:
    folder = tmp_path / "school"
    shutil.copytree(first.folder, folder, symlinks=True)
    lab.put("/bad.txt", NAMES)
    found = School(folder, lab)
    found.sources = list(first.sources)
    return found
