"""Test names whose "upstream" is filterd itself: what comes back is judged like any other answer.

`cloak-<category>`, `rebind` and `ech` below `canary.filterd.test` are on no list. Their answers are
made here, where a real upstream's would arrive, so that the self-test walks the whole path behind
the cache: CNAME targets, private addresses and the ech parameter (RFC 9460 §14.3.2, RFC 9849).
"""

from __future__ import annotations

import asyncio
import struct
from typing import Protocol

from filterd.policy.special_names import PROBE_PREFIX, PROBES
from filterd.upstream.question import Told, UpstreamQuestion, UpstreamReply
from filterd.wire.constants import AAAA, CNAME, HTTPS, A

_ZONE = b"\x06canary\x07filterd\x04test\x00"
_TTL = 10
_CANARY = bytes((192, 0, 2, 1))
_PRIVATE = {A: bytes((10, 0, 0, 1)), AAAA: bytes.fromhex("fd00" + "00" * 13 + "01")}
_SVC = struct.pack("!HB", 1, 0) + b"".join(
    struct.pack("!2H", key, len(value)) + value
    for key, value in ((1, b"\x02h2"), (4, _CANARY), (5, b"\x00\x08canary!!"))
)
_QUESTION = 0xC00C
"""A pointer to the question's name (RFC 1035 §4.1.4): it begins behind the header."""


class Upstreams(Protocol):
    """The pool, as far as it is needed here."""

    def ask(self, question: UpstreamQuestion, deadline: float, done: Told) -> object:
        """Tell `done` a reply or an UpstreamError, later."""


class WithCanaries:
    """A pool that knows the test names; every other question goes through untouched."""

    def __init__(self, pool: Upstreams) -> None:
        self._pool = pool

    def plain(self, name: bytes) -> bool:
        """Whether a name is nothing of ours and goes to the upstreams for everything."""
        return not name.endswith(_ZONE)

    def ask(self, question: UpstreamQuestion, deadline: float, done: Told) -> object:
        """Tell `done` the pool's reply, or ours for a test name."""
        if not question.name_wire.endswith(_ZONE) or (reply := canary_reply(question)) is None:
            return self._pool.ask(question, deadline, done)
        return asyncio.get_running_loop().call_soon(done, reply)


def canary_reply(question: UpstreamQuestion) -> UpstreamReply | None:
    """What the "Internet" says about a test name; None for all other names."""
    name = question.name_wire
    if not name.endswith(_ZONE) or len(name) != 1 + name[0] + len(_ZONE):
        return None
    label = name[1 : 1 + name[0]]
    if label.startswith(PROBE_PREFIX.encode()):
        target = label.removeprefix(PROBE_PREFIX.encode())
        answers = _cloaked(target, question.qtype)
    elif label.decode("latin-1") in PROBES:
        answers = _plain(label, question.qtype)
    else:
        return None
    flags = 0x8180 | (0x0010 if question.cd else 0)
    header = struct.pack("!6H", 0, flags, 1, len(answers), 0, 0)
    asked = name + struct.pack("!2H", question.qtype, question.qclass)
    return UpstreamReply(header + asked + b"".join(answers), "canary", "udp")


def _cloaked(target: bytes, qtype: int) -> list[bytes]:
    owner = bytes((len(target),)) + target + _ZONE
    answers = [_record(struct.pack("!H", _QUESTION), CNAME, owner)]
    if qtype == A:
        answers.append(_record(owner, A, _CANARY))
    return answers


def _plain(label: bytes, qtype: int) -> list[bytes]:
    owner = struct.pack("!H", _QUESTION)
    if label == b"rebind" and qtype in _PRIVATE:
        return [_record(owner, qtype, _PRIVATE[qtype])]
    if label == b"ech" and qtype == HTTPS:
        return [_record(owner, HTTPS, _SVC)]
    return [_record(owner, A, _CANARY)] if label == b"ech" and qtype == A else []


def _record(owner: bytes, rtype: int, value: bytes) -> bytes:
    return owner + struct.pack("!2HIH", rtype, 1, _TTL, len(value)) + value
