"""Fifty-four queries that are broken by construction, each in one way: FORMERR or nothing is right.

What they break: names, pointers, counts, the ends of records, OPT (RFC 6891 §6.1.1), options, a
COOKIE's length (RFC 7873 §5.2.2), octets behind the message. See RFC 9267 for why.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from dataclasses import dataclass

from tests.lab.packets import SOURCE

_NAME = b"\3www\3lab\7example\0"
_TAIL = b"\0\1\0\1"
_COUNT = 54


def _header(qd: int = 1, an: int = 0, ns: int = 0, ar: int = 0) -> bytes:
    return struct.pack("!5H", 0x0100, qd, an, ns, ar)


def _with_name(name: bytes) -> bytes:
    return _header() + name + _TAIL


def _record(owner: bytes, rtype: int, length: int, rdata: bytes) -> bytes:
    return owner + struct.pack("!HHIH", rtype, 1, 60, length) + rdata


def _more(octets: bytes, count: int = 1) -> bytes:
    return _header(ar=count) + _NAME + _TAIL + octets


def _opt(length: int, rdata: bytes = b"", owner: bytes = b"\0") -> bytes:
    return owner + struct.pack("!HHIH", 41, 1232, 0, length) + rdata


def _option(code: int, length: int, value: bytes) -> bytes:
    rdata = struct.pack("!HH", code, length) + value
    return _opt(len(rdata), rdata)


def queries() -> dict[str, bytes]:
    """What is broken → the query without its id."""
    found = {
        "a label of 64 octets": _with_name(b"\x40" + b"a" * 64 + b"\0"),
        "a label of type 0x80": _with_name(b"\x80abc\0"),
        "a label of type 0xBF": _with_name(b"\xbf" + b"a" * 63 + b"\0"),
        "a name that does not end": _header() + b"\3www\3lab",
        "a name without its root": _header() + _NAME[:-1],
        "a name of 256 octets": _with_name(b"\x3f" + b"a" * 63 + (b"\x3f" + b"b" * 63) * 2
                                           + b"\x3e" + b"c" * 62 + b"\0"),
        "a pointer to itself": _with_name(b"\xc0\x0c"),
        "a pointer forwards": _with_name(b"\xc0\x20"),
        "a pointer behind the end": _with_name(b"\xff\xff"),
        "a pointer into the header": _with_name(b"\xc0\x00"),
        "a label, then a pointer to itself": _with_name(b"\3www\xc0\x10"),
        "half a pointer": _header() + b"\3www\xc0",
    }  # fmt: skip
    found |= {f"a question that ends {4 - size} octets early": _header() + _NAME + _TAIL[:size]
              for size in range(4)}  # fmt: skip
    found |= {
        "no question counted": _header(0) + _NAME + _TAIL,
        "two questions counted": _header(2) + _NAME + _TAIL,
        "two questions": _header(2) + (_NAME + _TAIL) * 2,
        "65,535 questions counted": _header(65_535) + _NAME + _TAIL,
        "an answer counted": _header(an=1) + _NAME + _TAIL,
        "an authority counted": _header(ns=1) + _NAME + _TAIL,
        "a record counted": _header(ar=1) + _NAME + _TAIL,
        "65,535 records counted": _header(ar=65_535) + _NAME + _TAIL,
    }
    whole = _record(b"\xc0\x0c", 1, 4, bytes(4))
    found |= {f"a record cut after {size} octets": _more(whole[:size]) for size in (1, 2, 4, 8, 11)}
    found |= {
        f"an RDLENGTH of {length} for 4 octets": _more(_record(b"\xc0\x0c", 1, length, bytes(4)))
        for length in (5, 6, 260, 65_535)
    }
    found |= {
        "a record's owner that points forwards": _more(_record(b"\xc0\xff", 1, 4, bytes(4))),
        "a record's owner that points to itself": _more(_record(b"\xc0\x21", 1, 4, bytes(4))),
        "a record's owner of type 0x40": _more(_record(b"\x41a\0", 1, 4, bytes(4))),
        "a record's owner that does not end": _more(b"\x3f" + b"a" * 20),
        "OPT with an RDLENGTH of 1 and nothing": _more(_opt(1)),
        "OPT with an RDLENGTH of 65,535": _more(_opt(65_535)),
        "OPT with an RDLENGTH too short": _more(_opt(2, b"\0\3\0\0")),
        "OPT at a name": _more(_opt(0, owner=b"\3www\0")),
        "OPT at a pointer": _more(_opt(0, owner=b"\xc0\x0c")),
        "two OPTs": _more(_opt(0) * 2, 2),
        "three OPTs": _more(_opt(0) * 3, 3),
        "OPT cut in its fixed part": _more(_opt(0)[:7]),
    }
    found |= {
        f"an option's length of {length} for {len(value)} octets": _more(_option(3, length, value))
        for length, value in ((1, b""), (9, b"12345678"), (65_535, b"1"))
    }
    found |= {f"{size} octets of an option's head": _more(_opt(size, b"\0\3\0"[:size]))
              for size in (1, 2, 3)}  # fmt: skip
    found |= {f"a COOKIE of {size} octets": _more(_option(10, size, bytes(size)))
              for size in (1, 7, 41)}  # fmt: skip
    assert len(found) == _COUNT, len(found)
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many were refused with FORMERR, got nothing, or something else (what, and for what)."""

    formerr: int
    silent: int
    wrong: dict[str, int]


def send(port: int, seconds: float = 1.5) -> Outcome:
    """All of them at once, each with an id of its own."""
    named = list(queries().items())
    rcodes: dict[int, int] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((SOURCE, 0))
        sock.connect(("127.0.0.1", port))
        sock.settimeout(0.1)
        for number, (_, octets) in enumerate(named):
            sock.send(struct.pack("!H", number) + octets)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                reply = sock.recv(4096)
                rcodes[struct.unpack_from("!H", reply)[0]] = reply[3] & 15
    wrong = {title: rcodes[number] for number, (title, _) in enumerate(named)
             if rcodes.get(number, 1) != 1}  # fmt: skip
    formerr = sum(rcode == 1 for rcode in rcodes.values())
    return Outcome(formerr, len(named) - len(rcodes), wrong)
