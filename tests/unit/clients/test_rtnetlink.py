"""What the kernel says about neighbours, octet for octet (linux/netlink.h, linux/neighbour.h)."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.clients.neighbours import take
from filterd.clients.rtnetlink import Done, Neighbour, read, request

REACHABLE, FAILED, STALE = 0x02, 0x20, 0x04
MAC = bytes.fromhex("525400a1b2c3")


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    """One netlink message, padded as the kernel pads."""
    raw = struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body
    return raw + bytes(-len(raw) % 4)


def neighbour(kind: int, address: bytes, state: int, link: bytes | None = MAC) -> bytes:
    """A neighbour message with a NDA_PROBES attribute between, which nobody asked for."""
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    body = struct.pack("=BxxxiHBB", family, 2, state, 0, 1)
    parts = [(1, address), (4, b"\0\0\0\1"), *([(2, link)] if link is not None else [])]
    for attribute, value in parts:
        raw = struct.pack("=HH", 4 + len(value), attribute) + value
        body += raw + bytes(-len(raw) % 4)
    return message(kind, body)


V4, V6 = socket.inet_pton(socket.AF_INET, "10.0.10.5"), bytes.fromhex("fd00" + 13 * "00" + "02")


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        (neighbour(28, V4, REACHABLE), [Neighbour("10.0.10.5", MAC)]),
        (neighbour(28, V6, STALE), [Neighbour("fd00::2", MAC)]),
        (neighbour(28, V4, FAILED), [Neighbour("10.0.10.5", None)]),
        (neighbour(28, V4, REACHABLE, None), [Neighbour("10.0.10.5", None)]),
        (neighbour(29, V4, REACHABLE), [Neighbour("10.0.10.5", None)]),
        (neighbour(28, V4, REACHABLE) + message(3, b"\0" * 4, 2), [Neighbour("10.0.10.5", MAC),
                                                                  Done(False)]),
        (message(3, b"\0" * 4, 0x12), [Done(True)]),
        (message(2, struct.pack("=i", 0)), []),
        (message(24, b"a route" * 5), []),
    ],
    ids=["IPv4", "IPv6", "unanswered", "no hardware address", "gone", "the table's end",
         "the table changed", "acknowledged", "not ours"],
)  # fmt: skip
def test_a_message_says(told: bytes, meant: list[Neighbour | Done]) -> None:
    assert list(read(told)) == meant


def test_a_refusal_of_the_kernel_is_an_error_of_the_system() -> None:
    with pytest.raises(PermissionError):
        list(read(message(2, struct.pack("=i", -errno.EPERM))))


@given(st.binary(max_size=200), st.integers(28, 29))
def test_whatever_comes_is_read_or_refused(body: bytes, kind: int) -> None:
    for datagram in (body, message(kind, body)):
        with contextlib.suppress(OSError):
            for one in read(datagram):
                assert isinstance(one, (Neighbour, Done))


class Noted:
    """A table that notes what it was told."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    def learn(self, source: str, address: str, key: str) -> None:
        self.rows[address] = key

    def forget(self, source: str, address: str) -> None:
        self.rows.pop(address, None)

    def replace(self, source: str, rows: object) -> None:
        self.rows.clear()


def test_only_addresses_of_cards_are_taken() -> None:
    table = Noted()
    take(Neighbour("10.0.10.5", MAC), table)
    assert table.rows == {"10.0.10.5": "52:54:00:a1:b2:c3"}
    for nothing in (None, bytes(6), b"\x0a\0\0\1", bytes(20)):
        take(Neighbour("10.0.10.6", nothing), table)
    assert list(table.rows) == ["10.0.10.5"]
    take(Neighbour("10.0.10.5", None), table)
    assert table.rows == {}


@pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="netlink is Linux's")
def test_the_kernel_understands_the_request() -> None:
    """The real table of this machine, whatever is in it, to its end."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.settimeout(10)
        netlink.sendto(request(1), (0, 0))
        told: list[Neighbour | Done] = []
        while not any(isinstance(one, Done) for one in told):
            told += read(netlink.recv(65_536))
