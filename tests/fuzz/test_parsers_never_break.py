"""Every reader of network octets, fed with anything: it gives a result or WireError, in time.

A short walk with a fixed seed and with hypothesis here; `python -m tests.fuzz.atheris_target` is
the coverage-guided form for hours (needs `pip install atheris`, which is no dependency).
"""

from __future__ import annotations

import contextlib
import time

import dns.exception
import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.errors import WireError
from filterd.wire.query import parse_query
from tests.fuzz.records import broken_archives
from tests.fuzz.targets import TARGETS
from tests.lab.malformed import messages

_CPU_SECONDS = 0.1
_LINE_CPU_SECONDS = 6.0
"""For one line read in each of the 13 formats: 0.3 s, wide for a busy machine."""
OF_DNS = {"query", "reply", "scan", "native reply", "refusal", "fit", "upstream frames"}
CRAFTED = {
    "arrays in arrays": b"[" * 60_000,
    "objects in objects": b'{"a":' * 12_000,
    "digits": b"9" * 10_000,
    "half of a surrogate pair": b'{"format": "\\ud800"}',
    "colons": b":" * 60_000,
    "ports": b":1" * 3_000,
    "labels": b"a." * 8_000,
    "brackets": b"/" + b"(" * 5_000 + b"/",
    "modifiers": b"||a^$" + b"dnstype=a," * 2_000,
    "clients": b"||a^$client=" + b"a|" * 5_000,
    "blanks": b"0.0.0.0" + b" a" * 8_000,
}
"""What made a reader recurse, or look at each octet once for each other one, or might."""


@pytest.mark.parametrize("target", TARGETS)
@given(st.binary(max_size=600))
@settings(max_examples=150, deadline=None)
def test_anything_at_all(target: str, octets: bytes) -> None:
    TARGETS[target](octets)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("replies", [False, True], ids=["queries", "replies"])
def test_messages_that_are_nearly_right(target: str, replies: bool) -> None:
    worst = 0.0
    TARGETS[target](b"")  # what is read at the first use only is no reader's time
    for wire in messages(99, 3000 if target in OF_DNS else 200, replies=replies):
        began = time.process_time()
        TARGETS[target](wire)
        worst = max(worst, time.process_time() - began)
    assert worst < _CPU_SECONDS


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_made_to_take_long(target: str) -> None:
    TARGETS[target](b"")
    for what, octets in CRAFTED.items():
        began = time.process_time()
        TARGETS[target](octets)
        assert time.process_time() - began < _LINE_CPU_SECONDS, what


def test_archives_that_are_nearly_right() -> None:
    for octets in broken_archives(3, 200):
        TARGETS["archive"](octets)


def test_what_is_read_as_a_query_dnspython_reads_alike() -> None:
    """The other opinion: name, type and class of every generated message that we accept."""
    accepted = 0
    for wire in messages(5, 6000):
        with contextlib.suppress(WireError, dns.exception.DNSException, ValueError):
            query = parse_query(wire)
            theirs = dns.message.from_wire(wire)
            accepted += 1
            question = theirs.question[0]
            assert question.name.to_wire().lower() == query.name_wire
            assert (int(question.rdtype), int(question.rdclass)) == (query.qtype, query.qclass)
    assert accepted > 100
