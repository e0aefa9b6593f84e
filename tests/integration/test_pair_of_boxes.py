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
from filterd.lists.state import SourceState, State
from filterd.lists.state import Version as Body
from filterd.lists.store import Store
from tests.lab.running import RunningFilterd, free_ports, until

NOTHING = Version(0, "0" * 64)
_NOW = "2026-11-22T00:00:00+00:00"
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

    def told(self, number: int, word: str) -> str:
        path = self.boxes[number].folder / "var/run/pair.json"
        return str(json.loads(path.read_text())[word]) if path.exists() else ""

    def state(self, number: int) -> str:
        return self.told(number, "state")

    def problem(self, number: int) -> str:
        return self.told(number, "problem")


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


def fetched(box: RunningFilterd, list_id: str, *bodies: str) -> None:
    """A source of the school's with these versions, as its updates left it; the last is in use."""
    store = Store(box.folder / "var/lists")
    store.prepare()
    known = SourceState(due="2099-01-01T00:00:00+00:00", checked=_NOW)
    for body in bodies:
        part = store.part(list_id)
        part.write_text(body)
        version, size = store.adopt(list_id, part)
        known = known.with_version(Body(version, _NOW, 1, size))
    entry = {"id": list_id, "title": list_id, "category": "malware",
             "url": "https://lists.example/a.txt"}  # fmt: skip
    store.save(State({list_id: known}, added=(entry,), switched={list_id: True}))


def same_answers(pair: Pair, expected: dict[str, bool]) -> bool:
    """Whether both boxes block and open the same names."""
    return all({name: blocked(box, name) for name in expected} == expected for box in pair.boxes)


def test_a_pupil_gets_the_same_answer_from_both_boxes(pair: Pair) -> None:
    """Fetched, imported and own lists, and what people decide on them, on either box."""
    one, two = pair.boxes
    fetched(one, "tin", "cu.example\n", "moi.example\n")
    one.start()
    two.start()
    own = {"category": "malware", "reason": "hai hộp"}
    one.control.call("lists.local_set", text="tu-go.example\n", **own)
    assert not blocked(two, "moi.example") and not blocked(two, "tu-go.example")
    pair.introduce()
    everything = {"moi.example": True, "cu.example": False, "tu-go.example": True}
    until(lambda: same_answers(pair, everything), 90, "the first box's lists, on both")
    until(lambda: (pair.state(0), pair.state(1)) == ("same", "same"), 60, "at rest")

    two.control.call("lists.local_set", text="khac.example\n", **own)
    two.control.call("lists.local_set", text="khac.example\n", **{**own, "category": "phishing"})
    until(lambda: blocked(one, "khac.example"), 60, "an own list typed on the second box")
    twins = one.folder / "var/lists/local/phishing.txt"
    until(twins.exists, 60, "two lists with the same text")
    assert not blocked(one, "tu-go.example"), "what was taken out is out on both"
    one.control.call("lists.rollback", id="tin", reason="hai hộp")
    until(
        lambda: same_answers(pair, {"cu.example": True, "moi.example": False}), 60, "the way back"
    )
    folder = one.folder / "given"
    folder.mkdir()
    (folder / "malware.txt").write_text("dua-vao.example\n")
    assert one.command("lists", "compile", "--from", str(folder)).returncode == 0
    until(lambda: same_answers(pair, {"dua-vao.example": True}), 60, "lists brought in by hand")
    done = [each["action"] for each in two.control.call("audit.list", limit=50)["items"]]
    assert "lists.pair" in done


def test_lists_that_the_policy_is_against_are_told_and_not_taken(pair: Pair) -> None:
    """The other box's list breaks an expectation of the policy here: what was in use stays."""
    one, two = pair.boxes
    one.start()
    two.start()
    current = two.control.call("policy.get")
    files = dict(current["files"])
    name = "can-thiet.example"
    files["staff.yaml"] = files["staff.yaml"].replace(
        "\nexpect:\n", f'\nexpect:\n  "{name}": allowed\n', 1
    )
    assert files != current["files"]
    two.control.call("policy.apply", files=files, base=current["revision"], reason="kỳ vọng")
    one.stop()
    fetched(one, "tin", f"{name}\n", f"{name}\nkhac.example\n")
    one.start()
    pair.introduce()
    until(lambda: name in pair.problem(1), 90, "the refusal")
    assert pair.state(1) == "refused" and pair.behind(1) == "1" and not blocked(two, name)


def keys(folder: Path) -> tuple[Path, Path]:
    """A box's certificate and key."""
    key = signing.device_key(folder)
    return pair_link.make_certificate(key.private, folder), folder / signing.KEY_FILE


async def test_only_the_box_whose_certificate_is_there_gets_an_answer(tmp_path: Path) -> None:
    mine, theirs, stranger = (keys(tmp_path / name) for name in ("mine", "theirs", "stranger"))

    async def serve(version: Version) -> bytes:
        return b"the policy" if version == NOTHING else b""

    secret = tmp_path / "list"
    secret.write_bytes(b"x" * 600_000)
    door = pair_link.Door(
        {pair_link.POLICY: serve}, lambda path, _digest: secret if path == "local/a.txt" else None
    )
    port = await door.start("127.0.0.1", 0, pair_link.context(True, mine, theirs[0]))
    try:
        good = pair_link.context(False, theirs, mine[0])
        other = pair_link.Other("127.0.0.1", port, good)
        assert await pair_link.fetch(other, NOTHING) == b"the policy"
        assert await pair_link.fetch(other, Version(1, "a" * 64)) == b""
        await pair_link.fetch_piece(other, "local/a.txt", "0" * 24, tmp_path / "came")
        assert (tmp_path / "came").read_bytes() == secret.read_bytes()
        with pytest.raises(PairError):
            await pair_link.fetch_piece(other, "keys/x", "0" * 24, tmp_path / "came")
        with pytest.raises(PairError):
            await pair_link.fetch(other, NOTHING, "keys")
        for who, whom in ((stranger, mine[0]), (theirs, stranger[0])):
            tls = pair_link.context(False, who, whom)
            with pytest.raises((ssl.SSLError, PairError, ConnectionError)):
                await pair_link.fetch(pair_link.Other("127.0.0.1", port, tls), NOTHING)
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
