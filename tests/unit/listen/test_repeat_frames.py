"""A stream's buffer answered from the memo in one call: the specification and C say the same."""

from __future__ import annotations

import struct
import time
from typing import Any

import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.listen.memo_python import PythonMemo
from filterd.metrics import layout
from filterd.wire import padding

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


def padded(octets: int, question: bytes = KNOWN) -> bytes:
    """A framed query that asks for padding, with so many octets of its own."""
    options = struct.pack("!HH", 12, octets) + bytes(octets)
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(options)) + options
    wire = b"\0\7" + struct.pack("!5H", 0x0100, 1, 0, 0, 1) + question + opt
    return len(wire).to_bytes(2, "big") + wire


def reply(size: int, question: bytes = KNOWN, code: int = 15) -> bytes:
    """A response with a NULL record of so many octets and an OPT that holds an extended error."""
    ede = struct.pack("!HHH", code, 2, 17)
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(ede)) + ede
    record = b"\xc0\x0c" + struct.pack("!HHIH", 10, 1, 60, size) + bytes(size)
    return struct.pack("!6H", 0, 0x8180, 1, 1, 0, 1) + question + record + opt


@pytest.mark.parametrize("transport", [layout.TCP, layout.DOT, layout.DOH])
@pytest.mark.parametrize("size", [0, 1, 420, 421, 422, 423, 424, 900, 3500, 3600, 3900])
def test_who_pads_gets_whole_blocks_where_nobody_can_read_them(transport: int, size: int) -> None:
    """RFC 7830 §6: only where it is encrypted. One entry serves those who pad and those who do
    not."""
    said = []
    for kind in KINDS:
        memo, now = memo_of(kind, bytearray(64)), time.monotonic_ns() // 1_000_000
        whole = reply(size)
        memo.put(1, transport << 4 | 1, KNOWN, whole, (), (2,), now, now + 600_000, 4)
        answers, used = memo.repeat_frames(padded(40), SOURCE, transport)
        said.append((answers, used))
        if not used:
            continue
        if transport == layout.TCP:
            assert answers[4:] == whole[2:]
            continue
        assert len(answers[2:]) % 468 == 0
        read = dns.message.from_wire(answers[2:])
        assert [option.otype for option in read.options] == [15, 12]
        assert read.answer == dns.message.from_wire(whole).answer
    assert said[0] == said[1]
    assert bool(said[0][1]) == (transport == layout.TCP or size < 3600), "too long is the handler's"


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=120),
    st.lists(st.integers(0, 2), min_size=3, max_size=3),
    st.sampled_from([b"", b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0), b"\xc0", b"\0\0\x29"]),
)
def test_what_is_no_message_is_filled_by_neither(
    body: bytes, counts: list[int], tail: bytes
) -> None:
    """Both walk the records alike, however wrong they are."""
    said = []
    whole = struct.pack("!6H", 0, 0x8180, 1, *counts) + KNOWN + body + tail
    for kind in KINDS:
        memo, now = memo_of(kind, bytearray(64)), time.monotonic_ns() // 1_000_000
        memo.put(1, layout.DOT << 4 | 1, KNOWN, whole, (), (2,), now, now + 600_000, 4)
        said.append(memo.repeat_frames(padded(0), SOURCE, layout.DOT))
    assert said[0] == said[1]
    assert said[0][0][4:] in (whole[2:], padding.fill(b"\0\7" + whole[2:])[2:])


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
            st.builds(padded, st.integers(0, 500), st.sampled_from([KNOWN, LONG])),
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
