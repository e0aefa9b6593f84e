"""A stream's buffer answered from the memo in one call: the specification and C say the same."""

from __future__ import annotations

import struct
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.listen.memo_python import PythonMemo
from filterd.metrics import layout

SOURCE = b"\0" * 10 + b"\xff\xff\x7f\0\0\1"
KNOWN = b"\3www\7example\3com\0\0\1\0\1"
LONG = b"\4long\7example\0\0\1\0\1"
HEAD = struct.pack("!5H", 0x0100, 1, 0, 0, 0)
SHORT = st.sampled_from([b"", b"\0", b"\0\x03abc", b"\0\0", b"\0\x0c" + bytes(12)])
KINDS = ("python", "native")


def memo_of(kind: str, counters: bytearray) -> Any:
    if kind == "python":
        made: Any = PythonMemo(memoryview(counters), 1 << 20)
    else:
        module = pytest.importorskip("filterd.listen._native", reason="built without a C compiler")
        made = module.Memo(memoryview(counters), 1 << 20)
    now = time.monotonic_ns() // 1_000_000
    made.place(SOURCE, 1, 5, 0.0, 0.0)
    for question, size in ((KNOWN, 4), (LONG, 3900)):
        reply = struct.pack("!6H", 0, 0x8180, 1, 0, 0, 0) + question + bytes(size)
        for transport in (layout.TCP, layout.DOT):
            made.put(1, transport << 4, question, reply, (), (2,), now, now + 600_000, 4)
    return made


def frame(ident: int, question: bytes = KNOWN) -> bytes:
    wire = ident.to_bytes(2, "big") + HEAD + question
    return len(wire).to_bytes(2, "big") + wire


def idents(answers: bytes) -> list[int]:
    found, at = [], 0
    while at < len(answers):
        found.append(int.from_bytes(answers[at + 2 : at + 4], "big"))
        at += 2 + int.from_bytes(answers[at : at + 2], "big")
    assert at == len(answers)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_whole_frames_are_answered_up_to_the_first_unknown_one(kind: str) -> None:
    counters = bytearray(64)
    memo = memo_of(kind, counters)
    known, unknown = frame(1) + frame(2), frame(3, b"\7unknown\0\0\1\0\1")
    answers, used = memo.repeat_frames(known + unknown + frame(4), SOURCE, layout.TCP)
    assert (idents(answers), used) == ([1, 2], len(known))
    answers, used = memo.repeat_frames(memoryview(known + frame(5)[:-1]), SOURCE, layout.DOT)
    assert (idents(answers), used) == ([1, 2], len(known))
    assert memo.repeat_frames(unknown, SOURCE, layout.TCP) == (b"", 0)
    assert memo.repeat_frames(known, bytes(16), layout.TCP) == (b"", 0), "nobody that was placed"
    assert struct.unpack_from("Q", counters, 16)[0] == 4, "each was counted once"
    assert sum(hits for _rules, _question, hits, _tags in memo.harvest()) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_answers_come_in_bounded_pieces(kind: str) -> None:
    memo = memo_of(kind, bytearray(64))
    asked, given_back = b"".join(frame(number, LONG) for number in range(100)), list[int]()
    while asked:
        answers, used = memo.repeat_frames(asked, SOURCE, layout.TCP)
        assert used
        assert len(answers) < 65_536 + 4_098
        given_back += idents(answers)
        asked = asked[used:]
    assert given_back == list(range(100))


@pytest.mark.parametrize("kind", KINDS)
def test_only_streams_and_addresses_are_taken(kind: str) -> None:
    memo = memo_of(kind, bytearray(64))
    for source, transport in ((SOURCE[:4], layout.TCP), (SOURCE, layout.UDP), (SOURCE, 4)):
        with pytest.raises(ValueError, match="no such"):
            memo.repeat_frames(frame(1), source, transport)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.builds(frame, st.integers(0, 65_535), st.sampled_from([KNOWN, LONG])),
            st.binary(max_size=40).map(lambda octets: frame(0, octets)),
            st.binary(max_size=8),
            SHORT,
        ),
        max_size=12,
    )
)
def test_both_say_the_same(parts: list[bytes]) -> None:
    octets = b"".join(parts)
    said = [
        memo_of(kind, bytearray(64)).repeat_frames(octets, SOURCE, layout.TCP) for kind in KINDS
    ]
    assert said[0] == said[1]
