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
from tests.fuzz.targets import TARGETS
from tests.lab.malformed import messages

_CPU_SECONDS = 0.1


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
    for wire in messages(99, 3000, replies=replies):
        began = time.process_time()
        TARGETS[target](wire)
        worst = max(worst, time.process_time() - began)
    assert worst < _CPU_SECONDS


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
