"""A school with IPv6 alone: its addresses come late, its way to the Internet goes and comes."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.namespaces import Row, UpstreamThere, inside, need, row, udp_socket
from tests.lab.packets import query
from tests.lab.running import RunningFilterd, shipped_with, until
from tests.lab.steady import BLOCKED, KNOWN, steady

pytestmark = pytest.mark.root
GATEWAY, TENTATIVE, LATE, LINK = "fd09:1::1", "fd09:1::9", "fd09:1::7", "fe80::53"
FAR = "2001:db8::53"
"""Where the upstream is: beyond the default route."""
CANARY = "allowed.canary.filterd.test"


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Row, RunningFilterd]]:
    need()
    folder = tmp_path_factory.mktemp("six")
    policies = shipped_with(folder, {"id": "six", "network": "fd09:1::/64"})
    with row() as place:
        for name, devices in ((place.gateway, ("lan", "wan", "lo")), (place.client, ("eth0",))):
            for device in devices:
                place.run(name, "ip", "-4", "addr", "flush", "dev", device)
        place.run(place.gateway, "ip", "addr", "add", f"{LINK}/64", "dev", "lan", "nodad")
        place.run(place.upstream, "ip", "addr", "add", f"{FAR}/128", "dev", "lo", "nodad")
        back(place)
        with UpstreamThere(place.upstream, FAR):
            listened = (f"[{GATEWAY}]:53", f"[{TENTATIVE}]:53", f"[{LATE}]:53", f"[{LINK}%lan]:53")
            made = RunningFilterd(folder, {
                "workers": 1, "policies": str(policies), "metrics": None,
                "listen": {"dns": list(listened)}, "upstreams": [f"udp://[{FAR}]:53"],
            })  # fmt: skip
            made.prefix = ("ip", "netns", "exec", place.gateway)
            # duplicate address detection goes on while the filter starts (RFC 4862 §5.4)
            place.run(place.gateway, "ip", "addr", "add", f"{TENTATIVE}/64", "dev", "lan")
            assert "tentative" in place.run(place.gateway, "ip", "addr", "show", "dev", "lan")
            try:
                made.start()
                yield place, made
            finally:
                made.stop()


def back(place: Row) -> None:
    """The way to the Internet."""
    place.run(place.gateway, "ip", "route", "replace", "default", "via", "fd09:2::2")


def rcode(place: Row, address: str, name: str, seconds: float = 1) -> int | None:
    """The answer of that address, and of no other: the socket is connected."""
    wire = query(name)
    with contextlib.closing(udp_socket(place.client, address)) as sock:
        sock.settimeout(seconds)
        try:
            sock.send(wire)
            return int(sock.recv(4096)[3] & 15)
        except OSError:
            return None


@pytest.mark.parametrize("address", [GATEWAY, TENTATIVE])
def test_an_address_that_was_tentative_at_the_start(
    school: tuple[Row, RunningFilterd], address: str
) -> None:
    place, _ = school
    until(lambda: rcode(place, address, CANARY) == 0, 20, "an answer from the address")
    assert rcode(place, address, BLOCKED) == 3
    assert rcode(place, address, f"good.{address[-1]}.example") == 0


def test_an_address_that_comes_after_the_start(school: tuple[Row, RunningFilterd]) -> None:
    place, _ = school
    assert rcode(place, LATE, CANARY, 0.2) is None
    place.run(place.gateway, "ip", "addr", "add", f"{LATE}/64", "dev", "lan", "nodad")
    until(lambda: rcode(place, LATE, CANARY) == 0, 10, "an answer from the new address")
    assert rcode(place, LATE, BLOCKED) == 3
    place.run(place.gateway, "ip", "addr", "del", f"{LATE}/64", "dev", "lan")
    assert rcode(place, GATEWAY, CANARY) == 0
    place.run(place.gateway, "ip", "addr", "add", f"{LATE}/64", "dev", "lan", "nodad")
    until(lambda: rcode(place, LATE, BLOCKED) == 3, 10, "an answer from the address that is back")


def test_a_device_that_has_only_a_link_local_address(school: tuple[Row, RunningFilterd]) -> None:
    """fe80:: asks fe80::, by UDP and TCP: the answer goes back over the same link. It is in no
    segment, so the strictest tier is its own."""
    place, _ = school

    def sock(kind: socket.SocketKind) -> socket.socket:
        made = socket.socket(socket.AF_INET6, kind)
        made.settimeout(5)
        made.connect((LINK, 53, 0, socket.if_nametoindex("eth0")))
        return made

    wire = query(BLOCKED)
    with inside(place.client, lambda: sock(socket.SOCK_DGRAM)) as udp:
        assert udp.getsockname()[0].startswith("fe80::")
        udp.send(wire)
        assert udp.recv(4096)[3] & 15 == 3
        udp.send(query(CANARY))
        assert udp.recv(4096)[3] & 15 == 0
    with inside(place.client, lambda: sock(socket.SOCK_STREAM)) as tcp:
        tcp.sendall(len(wire).to_bytes(2, "big") + wire)
        assert tcp.recv(4096)[5] & 15 == 3


def quiet(filterd: RunningFilterd, lines_before: int) -> None:
    """No exception, and no line for each question."""
    assert "Traceback" not in filterd.text() and "never retrieved" not in filterd.text()
    assert len(filterd.text().splitlines()) - lines_before < 40


def test_the_default_route_goes_and_comes_back(school: tuple[Row, RunningFilterd]) -> None:
    place, filterd = school
    until(lambda: rcode(place, GATEWAY, KNOWN) == 0, 20, "an upstream")
    lines = len(filterd.text().splitlines())
    workers = [each["pid"] for each in filterd.control.call("status.get")["workers"]]
    place.run(place.gateway, "ip", "-6", "route", "del", "default")
    try:
        with steady(place.client, GATEWAY) as pupil:
            time.sleep(2)
    finally:
        back(place)
    assert set(pupil.answers["blocked"]) == {"NXDOMAIN 15"}
    assert {text.split()[0] for text in pupil.answers["known"]} == {"NOERROR"}
    for text in pupil.answers["fresh"]:
        assert text.split()[0] == "SERVFAIL" and len(text.split()) > 1, "with a reason (RFC 8914)"
    assert pupil.slowest("fresh") < 2.5
    assert not pupil.lost
    until(
        lambda: rcode(place, GATEWAY, f"good.a{time.monotonic_ns()}.example") == 0, 70, "new names"
    )
    assert [each["pid"] for each in filterd.control.call("status.get")["workers"]] == workers
    quiet(filterd, lines)


@pytest.mark.slow
def test_the_link_goes_down_and_up_twenty_times_under_load(
    school: tuple[Row, RunningFilterd],
) -> None:
    place, filterd = school
    until(lambda: rcode(place, GATEWAY, KNOWN) == 0, 70, "an upstream")
    lines = len(filterd.text().splitlines())
    with steady(place.client, GATEWAY) as pupil:
        for _ in range(20):
            place.run(place.gateway, "ip", "link", "set", "wan", "down")
            time.sleep(0.2)
            place.run(place.gateway, "ip", "link", "set", "wan", "up")
            # addresses and routes of IPv6 leave with the link: networkd or ifupdown brings them
            place.run(place.gateway, "ip", "addr", "replace", "fd09:2::1/64", "dev", "wan", "nodad")
            back(place)
            time.sleep(0.2)
    assert not pupil.lost
    assert {text.split()[0] for text in pupil.answers["known"]} == {"NOERROR"}
    assert {text.split()[0] for text in pupil.answers["blocked"]} == {"NXDOMAIN"}
    until(
        lambda: rcode(place, GATEWAY, f"good.f{time.monotonic_ns()}.example") == 0, 70, "new names"
    )
    quiet(filterd, lines)


def test_nothing_of_it_had_an_ipv4_address(school: tuple[Row, RunningFilterd]) -> None:
    place, filterd = school
    assert place.run(place.gateway, "ip", "-4", "addr", "show", "up") == ""
    assert filterd.control.call("status.get")["state"] in ("enforcing", "degraded")
    assert Path(filterd.folder / "var" / "filterd.db").exists()
