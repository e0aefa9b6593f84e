"""RADIUS accounting: believed only with the secret; addresses, never a person."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import struct

from hypothesis import given
from hypothesis import strategies as st

from filterd.clients import radius
from filterd.clients.presence import Presence

SECRET = b"school"
MAC = "3c:52:82:00:00:01"
START, STOP, ON = 1, 2, 7


def request(status: int, secret: bytes = SECRET, address: str = "10.0.10.5") -> bytes:
    attributes = [
        (1, b"a pupil's name"),
        (40, struct.pack("!I", status)),
        (31, b"3C-52-82-00-00-01:School-WiFi"),
        (8, socket.inet_aton(address)),
        (168, socket.inet_pton(socket.AF_INET6, "fd00::5")),
    ]
    body = b"".join(bytes([kind, len(value) + 2]) + value for kind, value in attributes)
    head = struct.pack("!BBH", 4, 9, 20 + len(body))
    return head + hashlib.md5(head + bytes(16) + body + secret).digest() + body


def presence() -> Presence:
    return Presence(lambda: frozenset({MAC}), lambda _: None)


def test_a_start_is_learnt_a_stop_is_forgotten_a_restart_forgets_all() -> None:
    table = presence()
    for status, expected in (
        (START, {"10.0.10.5": MAC, "fd00::5": MAC}),
        (STOP, {}),
        (START, {"10.0.10.5": MAC, "fd00::5": MAC}),
        (ON, {}),
    ):
        report = radius.read(request(status), SECRET)
        assert report is not None
        radius.apply(report, table)
        assert table.table() == expected


def test_a_wrong_secret_or_a_changed_packet_is_nothing() -> None:
    assert radius.read(request(START, b"guess"), SECRET) is None
    packet = bytearray(request(START))
    packet[-1] ^= 1
    assert radius.read(bytes(packet), SECRET) is None


def test_the_name_of_a_person_is_not_kept() -> None:
    assert "pupil" not in repr(radius.read(request(START), SECRET))


@given(st.binary(max_size=300), st.booleans())
def test_any_datagram_is_read_or_dropped(octets: bytes, signed: bool) -> None:
    if signed and len(octets) >= 20:
        head = struct.pack("!BBH", 4, octets[1], len(octets))
        digest = hashlib.md5(head + bytes(16) + octets[20:] + SECRET).digest()
        octets = head + digest + octets[20:]
        assert radius.read(octets, SECRET) is not None
    else:
        radius.read(octets, SECRET)


async def test_over_a_socket_only_the_one_with_the_secret_is_answered() -> None:
    table = presence()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: radius.Listener(SECRET, table), local_addr=("127.0.0.1", 0)
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(transport.get_extra_info("sockname"))
        client.send(request(START, b"guess"))
        asked = request(START)
        client.send(asked)
        async with asyncio.timeout(5):
            reply = await loop.sock_recv(client, 100)
    transport.close()
    assert reply == radius.response(asked, SECRET)
    expected = hashlib.md5(reply[:4] + asked[4:20] + SECRET).digest()
    assert reply[:2] == b"\x05\x09" and reply[4:] == expected
    assert table.table()["10.0.10.5"] == MAC
