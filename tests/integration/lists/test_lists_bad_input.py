"""Lists of a size that no list has: streamed by a real server, to the production limits.

Nothing of them is ever whole in memory, the filter in use is unchanged, and the status says why.
"""

from __future__ import annotations

import gzip
import os
import resource
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from filterd.lists import fetch
from filterd.lists.gate import Thresholds
from filterd.lists.refresher import Hooks, Refresher, Times
from filterd.lists.update import Fetching, Result
from tests.lab.list_school import NAMES, School
from tests.lab.list_server import ListServer, Served, list_server

GIB, MIB = 1 << 30, 1 << 20


def long_line() -> Iterator[bytes]:
    """One line of 1 GiB."""
    for _ in range(GIB // MIB):
        yield b"a" * MIB


def packed_long_line() -> Iterator[bytes]:
    """The same at a ratio that gzip can reach with text, 40:1, so that only its size is wrong."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for _ in range(GIB // MIB):
        yield packer.compress(os.urandom(20 << 10).hex().encode() + b"a" * (MIB - (40 << 10)))
    yield packer.flush()


def many_lines() -> Iterator[bytes]:
    """50,000,000 good lines in a body that no limit on octets stops."""
    million = "".join(f"{number:x}.vn\n" for number in range(1_000_000)).encode()
    packed = gzip.compress(million, 1)
    for _ in range(50):
        yield packed


def endless_lines() -> Iterator[bytes]:
    """50,000,000 lines as they are: 600 MB."""
    lines = b"".join(b"n%07d.vn\n" % number for number in range(100_000))
    for _ in range(500):
        yield lines


@pytest.fixture(scope="module")
def lab() -> Iterator[ListServer]:
    with list_server() as found:
        yield found


@pytest.fixture
def school(lab: ListServer, tmp_path: Path) -> School:
    """A school with one good list in use and the limits of production."""
    found = School(tmp_path, lab)
    how = Fetching(fetch.Access(plain_http=True, loopback=True), Thresholds(), lambda: 0.0)
    hooks = Hooks(found._use, lambda _path: (), lambda: found.now)
    found.refresher = Refresher(found.library, hooks, how, Times(quiet=()))
    found.add("bad", lab.put("/bad.txt", NAMES))
    assert found.update()["bad"][0] is Result.CHANGED
    found.used.clear()
    return found


def refused(school: School, pieces: Callable[[], Iterable[bytes]]) -> str:
    """Why the update failed; all that must hold in every failure is checked."""
    index = school.library.store.index.resolve()
    content = index.read_bytes()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    school.lab.paths["/bad.txt"] = Served(how="stream", pieces=pieces)
    outcome, why = school.update()["bad"]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert outcome is Result.FAILED
    assert grown < 100 * 1024, f"{grown} KiB more in the process that fetches"
    assert school.library.store.index.resolve() == index and index.read_bytes() == content
    assert not school.used and school.blocked("bad7.example")
    assert school.item("bad")["error"] == why
    left = [p.name for p in (school.folder / "lists" / "sources" / "bad").iterdir()]
    assert len(left) == 1, f"half-written files stay: {left}"
    return why


@pytest.mark.parametrize("pieces", [long_line, endless_lines])
def test_a_gigabyte_is_not_fetched_to_its_end(school: School, pieces: object) -> None:
    assert "more than 256 MiB" in refused(school, pieces)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_line_of_a_gigabyte_that_comes_compressed(school: School) -> None:
    assert "unpacks to more than 512 MiB" in refused(school, packed_long_line)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fifty_million_good_lines_that_come_compressed(school: School) -> None:
    assert "more than 30,000,000 lines" in refused(school, many_lines)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert peak < 1536 * 1024, "the process that reads them stays within its memory"
