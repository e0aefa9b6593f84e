"""A pupil in a namespace who goes on asking while something fails: blocked, known and new names."""

from __future__ import annotations

import contextlib
import itertools
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import dns.edns
import dns.message
import dns.rcode

from tests.lab.namespaces import udp_socket
from tests.lab.packets import Opt, query

BLOCKED, KNOWN = "porn.canary.filterd.test", "good.known.example"
KINDS = ("blocked", "known", "fresh")


@dataclass
class Steady:
    """What came back, by kind: `answers` by rcode and extended errors, `times` in seconds, and how
    many had no answer within `patience` seconds, in order on one socket."""

    sock: socket.socket
    rate: float = 100.0
    kinds: tuple[str, ...] = KINDS
    patience: float = 4.0
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    ended: bool = False

    def slowest(self, kind: str, share: float = 1.0) -> float:
        """The time within which that share of the answers came."""
        ordered = sorted(self.times.get(kind, ())) or [float("inf")]
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def run(self) -> None:
        """Ask until `ended`, then wait for what is under way."""
        waiting: dict[int, tuple[str, float]] = {}
        numbers, due, last = itertools.count(1), time.monotonic(), 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, selectors.EVENT_READ)
            while not self.ended or (waiting and time.monotonic() < last + self.patience):
                if not self.ended and time.monotonic() >= due:
                    self._ask(next(numbers) & 0xFFFF, waiting)
                    due, last = due + 1 / self.rate, time.monotonic()
                if selector.select(max(0.001, min(0.01, due - time.monotonic()))):
                    self._take(waiting)
        self.lost.update(kind for kind, _ in waiting.values())

    def _ask(self, number: int, waiting: dict[int, tuple[str, float]]) -> None:
        kind = self.kinds[number % len(self.kinds)]
        known = {"blocked": BLOCKED, "known": KNOWN}
        name = known.get(kind, f"good.s{time.monotonic_ns()}.example")
        waiting[number] = kind, time.monotonic()
        with contextlib.suppress(OSError):
            self.sock.send(query(name, ident=number, opt=Opt()))

    def _take(self, waiting: dict[int, tuple[str, float]]) -> None:
        with contextlib.suppress(OSError):
            wire = self.sock.recv(4096)
            kind, sent = waiting.pop(int.from_bytes(wire[:2], "big"), ("late", 0.0))
            self.times.setdefault(kind, []).append(time.monotonic() - sent)
            self.answers.setdefault(kind, Counter())[told(wire)] += 1


def told(wire: bytes) -> str:
    """rcode and the codes of extended errors (RFC 8914)."""
    message = dns.message.from_wire(wire)
    codes = [str(int(o.code)) for o in message.options if isinstance(o, dns.edns.EDEOption)]
    return " ".join([dns.rcode.to_text(message.rcode()), *codes])


@contextlib.contextmanager
def steady(
    place: str, address: str, rate: float = 100.0, kinds: tuple[str, ...] = KINDS
) -> Iterator[Steady]:
    """The pupil in that namespace asks that address, for the block."""
    with contextlib.closing(udp_socket(place, address)) as sock:
        pupil = Steady(sock, rate, kinds)
        thread = threading.Thread(target=pupil.run)
        thread.start()
        try:
            yield pupil
        finally:
            pupil.ended = True
            thread.join(20)
    for kind, found in pupil.answers.items():
        tails = " ".join(f"{pupil.slowest(kind, share) * 1000:.0f}" for share in (0.5, 0.99, 1))
        print(f"{kind}: {dict(found)}, lost {pupil.lost[kind]}; p50 p99 max {tails} ms")
