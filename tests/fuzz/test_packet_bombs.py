"""Messages made to burn time: each is read or refused within its budget of processor time.

The budget of 20 ms a message is the product's promise; it is asserted five times as wide, so that
a busy machine does not fail it.
"""

from __future__ import annotations

import contextlib
import time

import pytest

from filterd.errors import WireError
from filterd.resolve.answers import Clamp, normalise
from filterd.wire.query import parse_query
from filterd.wire.records import parse_reply
from tests.lab.bombs import as_queries, bombs

BUDGET_SECONDS = 0.020 * 5


@pytest.mark.parametrize("name", bombs())
def test_a_bomb_as_a_reply(name: str) -> None:
    wire = bombs()[name]
    start = time.process_time()
    with contextlib.suppress(WireError):
        message = parse_reply(wire)
        normalise(message, message.question.lower(), 0.0, Clamp())
    assert time.process_time() - start < BUDGET_SECONDS


@pytest.mark.parametrize("name", as_queries())
def test_a_bomb_as_a_query(name: str) -> None:
    wire = as_queries()[name]
    start = time.process_time()
    with pytest.raises(WireError):
        parse_query(wire)
    assert time.process_time() - start < BUDGET_SECONDS
