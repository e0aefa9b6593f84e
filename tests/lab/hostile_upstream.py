"""An upstream that answers with octets of the test's choice: bombs and broken replies, over TCP."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator

from dnslib import DNSRecord

from tests.lab.lies import Replies, truncated
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.packets import RD, Opt, name_wire

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class HostileUpstream:
    """Answers over TCP with the octets in `hurl` under the question that was asked.

    `x.q7.…` gets those in `many[7]`.
    """

    def __init__(self) -> None:
        self.hurl = b""
        self.many: list[bytes] = []

    def reply(self, record: DNSRecord, transport: str) -> Replies:
        """As `LyingUpstream` wants it."""
        if transport == "udp":
            return truncated(record, transport)
        asked = bytes(record.pack())
        labels = record.q.qname.label
        question = asked[12 : 12 + sum(len(label) + 1 for label in labels) + 5]
        second = labels[1].decode("ascii", "replace") if len(labels) > 1 else ""
        hurl = self.many[int(second[1:])] if second[1:].isdigit() else self.hurl
        return [(0.0, asked[:2] + hurl[2:12] + question + hurl[12 + len(question) :])]

    @contextlib.contextmanager
    def serving(self) -> Iterator[LyingUpstream]:
        """Answer for names whose first label is one letter, or three of the same."""
        labels = {letter * 3: self.reply for letter in LETTERS}
        with LyingUpstream(replies=labels | dict.fromkeys(LETTERS, self.reply)) as upstream:
            yield upstream


def asking(wire: bytes, letter: str) -> bytes:
    """The question that a bomb answers, its first label changed to the letter."""
    questions = struct.unpack_from("!H", wire, 4)[0]
    size = wire[12] if questions == 1 else 3
    if size == 1:
        end = wire.index(b"\0", 12)
        question = b"\1" + letter.encode() + wire[14 : end + 5]
    else:
        kind = struct.unpack_from("!H", wire, 25)[0] if questions == 1 else 1
        question = name_wire(f"{letter * 3}.example") + struct.pack("!HH", kind, 1)
        if questions == 1:
            question = name_wire(f"{letter * 3}.example")[:-1] + wire[24:29]
    return struct.pack("!6H", ord(letter), RD, 1, 0, 0, 1) + question + Opt().wire()
