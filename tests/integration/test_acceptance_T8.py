"""T8: after 10,000 pupil queries nothing that filterd wrote or tells holds a client or a name.

Every file of the state directory (database, its log, snapshots, backups, spool), the log, both
metrics pages, the signed summaries, the report and an unsealed backup are searched for every
client address, for the marker of every queried name, and for hardware addresses.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import re
import secrets
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dns.message
import pytest

from tests.lab import plain_upstream
from tests.lab.running import ROOT, RunningFilterd

QUERIES = 10_000
CLIENTS = [f"127.0.{net}.{host}" for net in (10, 11, 12, 13) for host in range(20, 45)]
MARKER = "xq" + secrets.token_hex(6)
MAC = re.compile(rb"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", re.I)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFilterd]:
    with plain_upstream.serve() as upstream:
        settings = {"workers": 2, "upstreams": [upstream]}
        running = RunningFilterd(tmp_path_factory.mktemp("privacy"), settings)
        try:
            running.start()
            answered = asyncio.run(ask_all(running.port))
            assert answered > QUERIES * 0.95
            yield running
        finally:
            running.stop()


async def ask_all(port: int) -> int:
    """Each of 100 clients asks 100 names: its own ones, listed ones and a canary."""
    counts = await asyncio.gather(*(client(port, source) for source in CLIENTS))
    return sum(counts)


async def client(port: int, source: str) -> int:
    loop, answered = asyncio.get_running_loop(), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        out.bind((source, 0))
        out.connect(("127.0.0.1", port))
        for number in range(QUERIES // len(CLIENTS)):
            name = names(source, number)
            await loop.sock_sendall(out, dns.message.make_query(name, "A").to_wire())
            try:
                async with asyncio.timeout(2):
                    await loop.sock_recv(out, 4096)
                    answered += 1
            except TimeoutError:
                continue
    return answered


def names(source: str, number: int) -> str:
    if number % 10 == 0:
        return "porn.canary.filterd.test"
    if number % 10 == 1:
        return f"{MARKER}.pornhub.com"
    return f"{MARKER}-{source.replace('.', '-')}-{number}.example.org"


def needles() -> list[bytes]:
    found = [MARKER.encode(), MARKER.encode().hex().encode(), base64.b64encode(MARKER.encode())]
    for source in CLIENTS:
        found += [source.encode(), source.replace(".", "-").encode()]
        found.append(b"\xff\xff" + ipaddress.IPv4Address(source).packed)
    return found


def assert_clean(what: str, content: bytes) -> None:
    for needle in needles():
        assert needle not in content, f"{what} holds {needle!r}"


def written_by_the_school() -> set[bytes]:
    """Hardware addresses that the policy document itself names (an example in a comment)."""
    return set(MAC.findall((ROOT / "policies" / "school.yaml").read_bytes()))


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as reply:
        return bytes(reply.read())


def test_T8_files(school: RunningFilterd) -> None:
    school.control.call("status.traffic", period="day")
    files = [path for path in (school.folder / "var").rglob("*") if path.is_file()]
    assert {"filterd.db", "counters"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        if path.suffix == ".fdx":
            assert MARKER.encode() not in content
            continue
        assert_clean(str(path), content)
        assert set(MAC.findall(content)) <= written_by_the_school(), path


def test_T8_log(school: RunningFilterd) -> None:
    assert_clean("the log", school.log.read_bytes())


@pytest.mark.parametrize("page", ["/metrics", "/metrics/local"])
def test_T8_metrics(school: RunningFilterd, page: str) -> None:
    text = get(f"http://127.0.0.1:{school.metrics}{page}")
    assert b"filterd_" in text
    assert_clean(page, text)


def test_T8_what_leaves_the_school(school: RunningFilterd) -> None:
    period = school.control.call("evidence.status")["period"]
    for method, fields in (
        ("evidence.status", {}),
        ("evidence.exposure", {}),
        ("evidence.summaries", {"first": "2000-01-01", "last": "2100-01-01"}),
        ("evidence.report", {"period": period, "format": "json"}),
        ("evidence.report", {"period": period, "format": "html"}),
    ):
        said = school.control.call(method, **fields)
        content = json.dumps(said, ensure_ascii=False).encode()
        if "content" in said:
            content += base64.b64decode(said["content"])
        assert_clean(method, content)
        assert not re.search(rb"pornhub|example\.org", content), method


def test_T8_backup(school: RunningFilterd, tmp_path: Path) -> None:
    """The archive is sealed; what goes in is the database, which was searched above."""
    listed = school.control.call("audit.list", limit=200)
    assert_clean("the audit log", json.dumps(listed).encode())
    copy = school.folder / "var" / "filterd.db-wal"
    if copy.exists():
        assert_clean("the write-ahead log", copy.read_bytes())


def test_T8_the_search_would_find_something() -> None:
    """The test itself can fail: a planted record is found."""
    with pytest.raises(AssertionError, match="holds"):
        assert_clean("planted", f"client {CLIENTS[3]} asked".encode())
    with pytest.raises(AssertionError, match="holds"):
        assert_clean("planted", f"{MARKER}.example.org".encode())
