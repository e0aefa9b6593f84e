"""Two real filters, one policy: edits travel both ways, a box that was away catches up first."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from filterd.evidence import signing
from filterd.gateway import pair_link
from filterd.gateway.pair import PairError, Version
from tests.lab.running import RunningFilterd, free_ports, until

NOTHING = Version(0, "0" * 64)
pytestmark = pytest.mark.timeout(240)


class Pair:
    """Boxes 0 and 1, each with the other's certificate where its settings say."""

    def __init__(self, folder: Path) -> None:
        self.ports = free_ports(2)
        self.boxes = []
        for number in (0, 1):
            place = folder / str(number)
            place.mkdir()
            settings = {
                "workers": 1,
                "pair": {
                    "listen": f"127.0.0.1:{self.ports[number]}",
                    "peer": f"127.0.0.1:{self.ports[1 - number]}",
                    "certificate": str(place / "other.pem"),
                },
            }
            self.boxes.append(RunningFilterd(place, settings))

    def introduce(self) -> None:
        for here, there in (self.boxes, self.boxes[::-1]):
            shutil.copy(here.folder / "var/keys/pair.crt", there.folder / "other.pem")

    def behind(self, number: int) -> str:
        return (self.boxes[number].folder / "var/run/pair-behind").read_text().strip()

    def state(self, number: int) -> str:
        path = self.boxes[number].folder / "var/run/pair.json"
        return str(json.loads(path.read_text())["state"]) if path.exists() else ""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    try:
        yield made
    finally:
        for box in made.boxes:
            if box.process is not None:
                box.stop()


def block(box: RunningFilterd, name: str) -> None:
    box.control.call("overrides.add", name=name, allow=False, minutes=60, reason="hai hộp")


def blocked(box: RunningFilterd, name: str) -> bool:
    return box.outcome(name, "staff").startswith("NXDOMAIN")


def test_edits_travel_both_ways_and_a_box_that_was_away_yields(pair: Pair) -> None:
    one, two = pair.boxes
    one.start()
    block(one, "mot.example")  # a history of its own, which a new box must not wipe out
    two.start()
    assert pair.behind(1) == "1"
    pair.introduce()
    until(lambda: blocked(two, "mot.example"), 30, "the first box's policy on the second")
    block(two, "hai.example")
    until(lambda: blocked(one, "hai.example"), 30, "the second box's edit on the first")
    until(lambda: (pair.state(0), pair.state(1)) == ("same", "same"), 30, "the same policy")
    assert (pair.behind(0), pair.behind(1)) == ("0", "0")
    history = one.control.call("policy.history")["items"]
    assert "hộp kia" in history[0]["reason"]

    one.stop()
    block(two, "ba.example")
    until(lambda: pair.state(1) == "alone", 30, "alone")
    assert pair.behind(1) == "0"  # nobody else is there: it keeps the address
    one.spawn()
    until(lambda: pair.behind(0) == "1", 30, "the box that was away says so")
    until(lambda: pair.state(0) == "same", 60, "caught up")
    assert pair.behind(0) == "0" and blocked(one, "ba.example")


def keys(folder: Path) -> tuple[Path, Path]:
    """A box's certificate and key."""
    key = signing.device_key(folder)
    return pair_link.make_certificate(key.private, folder), folder / signing.KEY_FILE


async def test_only_the_box_whose_certificate_is_there_gets_an_answer(tmp_path: Path) -> None:
    mine, theirs, stranger = (keys(tmp_path / name) for name in ("mine", "theirs", "stranger"))

    async def serve(version: Version) -> bytes:
        return b"the policy" if version == NOTHING else b""

    door = pair_link.Door(serve)
    port = await door.start("127.0.0.1", 0, pair_link.context(True, mine, theirs[0]))
    try:
        good = pair_link.context(False, theirs, mine[0])
        assert await pair_link.fetch("127.0.0.1", port, good, NOTHING) == b"the policy"
        assert await pair_link.fetch("127.0.0.1", port, good, Version(1, "a" * 64)) == b""
        for who, whom in ((stranger, mine[0]), (theirs, stranger[0])):
            tls = pair_link.context(False, who, whom)
            with pytest.raises((ssl.SSLError, PairError, ConnectionError)):
                await pair_link.fetch("127.0.0.1", port, tls, NOTHING)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"0 " + b"0" * 64 + b"\n")
        async with asyncio.timeout(10):
            assert b"policy" not in await reader.read()
        writer.close()
    finally:
        door.stop()


def test_the_certificate_of_a_key_is_always_the_same(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    first = pair_link.make_certificate(key, tmp_path).read_bytes()
    (tmp_path / pair_link.CERTIFICATE).unlink()
    assert pair_link.make_certificate(key, tmp_path).read_bytes() == first
    assert len(pair_link.public_of(tmp_path / pair_link.CERTIFICATE)) == 32
