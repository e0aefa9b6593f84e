"""Feeds the native drain loop, through its sockets, with everything: `python -m … SECONDS SEED`.

Meant for the build of `sanitized`; each round a new memo that knows the questions of half of the
messages, small enough that entries are thrown out while they are used, and a forwarding loop with
hostile upstreams and a judge that forgets what is in use.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import sys
import time
from array import array
from typing import Any

from filterd.listen.drain_form import plain_form
from filterd.resolve.forwarding import places
from tests.fuzz import sanitized
from tests.lab.bombs import as_queries, bombs
from tests.lab.malformed import messages
from tests.lab.packets import DO, Opt, name_wire, query

SOURCE = b"\0" * 10 + b"\xff\xff\x7f\0\0\1"


def corpus(seed: int) -> list[bytes]:
    """Messages nearly right, questions and answers, the bombs, and pieces of them all."""
    chance = random.Random(seed)
    found = [*messages(seed, 800), *messages(seed + 1, 400, replies=True)]
    found += [wire[:4200] for wire in (*bombs().values(), *as_queries().values())]
    found += [wire[: chance.randrange(len(wire) + 1)] for wire in found[::5]]
    found += [wire[:2] + bytes([wire[2] & 0x7F]) + wire[3:] for wire in found if len(wire) > 2]
    chance.shuffle(found)
    return found


def _put(memo: Any, chance: random.Random, wire: bytes) -> None:
    """Let the memo know the question of a message, with a response of any size it may have."""
    form = plain_form(wire)
    question = form[1] if form else wire[12:280]
    reply = wire[:12] + question + chance.randbytes(chance.choice((0, 4, 40, 600, 1400, 4000)))
    most = max(1, len(reply) - 3)
    ttls = tuple(chance.randrange(most) for _ in range(chance.randrange(6)))
    stored = time.monotonic_ns() // 1_000_000 - chance.choice((0, 0, 5_000, 1 << 40))
    variant = form[0] if form else chance.randrange(16)
    tally = chance.choice((255, 0, 31, 32, 254))
    try:
        memo.put(1, variant, question, reply[:5000], ttls, (0, 3), stored, 1 << 60, tally)
    except (ValueError, OverflowError):
        return


def once(module: Any, seed: int) -> int:
    """One memo and one corpus; how many messages went through."""
    chance = random.Random(seed)
    counters = bytearray(256)
    memo = module.Memo(memoryview(counters), chance.choice((4096, 1 << 16, 1 << 20)))
    family, where = chance.choice(((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")))
    with socket.socket(family, socket.SOCK_DGRAM) as server, socket.socket(family, 2) as client:
        server.bind((where, 0))
        client.connect(server.getsockname()[:2])
        client.setblocking(False)
        loop = module.Drain(server.fileno(), memo, (8, 16))
        source = SOURCE if family == socket.AF_INET else bytes(15) + b"\1"
        sent = corpus(seed)
        for number, wire in enumerate(sent):
            if number % 3 == 0:
                _put(memo, chance, wire)
            if number % 97 == 0:
                memo.place(source, 1, chance.randrange(256), chance.choice((0.0, 50.0)), 20.0)
            client.send(wire)
            if number % 50 == 49:
                _drain(loop, client, chance)
            if number % 401 == 400:
                chance.choice((memo.flush, memo.forget_sources, memo.harvest))()
                memo.harvest(module.Names())
                memo.harvest_sources()
        del loop
    return len(sent)


def _drain(loop: Any, client: socket.socket, chance: random.Random) -> None:
    for _, _, token in loop.run(2):
        loop.send(token, chance.randbytes(40))
        loop.send(chance.randbytes(chance.randrange(60)), b"to nobody")
    try:
        while True:
            client.recv(8192)
    except OSError:
        return


class Forwarding:
    """A drain loop that forwards to two upstreams, of which this is the hostile side."""

    def __init__(self, module: Any, chance: random.Random) -> None:
        self.module, self.chance = module, chance
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
        server, self.client, *self.upstreams = self.sockets
        for sock in (server, *self.upstreams):
            sock.bind(("127.0.0.1", 0))
        self.client.connect(server.getsockname())
        for sock in self.sockets:
            sock.setblocking(False)
        self.memo = module.Memo(memoryview(bytearray(1 << 16)), 1 << 14)
        self.native = module.Forward(
            self.memo, chance.choice((4096, 1 << 16)), places(), (0, 86_400), 60, self.judge,
            self.order,
        )  # fmt: skip
        self.loop = module.Drain(server.fileno(), self.memo, (8, 16), self.native, 0)
        self.epoll = select.epoll()
        self.standby = module.Standby(self.epoll.fileno(), 2)
        self.standby.add(self.loop)
        self.standby.add(self.native)
        self.lanes: list[int] = []
        self.names = module.Names()
        self.memo.place(SOURCE, 1, 3, 0.0, 0.0)

    def judge(self, rules: int, address: bytes, key: bytes) -> tuple[int, int] | None:
        """Anything but honest: it also forgets, while it is asked."""
        what = self.chance.randrange(40)
        if what == 0:
            self.memo.forget_sources()
        elif what == 1:
            self.memo.flush()
        elif what == 2:
            self.native.flush()
        elif what == 3:
            raise RuntimeError("the judge breaks")
        elif what == 5:
            self.standby.remove(self.chance.choice((self.loop, self.native)))
        return None if what == 4 else (self.chance.randrange(9), 0)

    def wait(self) -> None:
        """As the loop does; whom the judge removed in the middle of it is there again after."""
        self.standby.wait(0.0)
        for watched in (self.loop, self.native):
            self.standby.remove(watched)
            self.standby.add(watched)

    def order(self) -> None:
        """Two upstreams, one, or one that is not there."""
        chosen = self.chance.sample(self.upstreams, self.chance.choice((1, 2, 2)))
        lanes = [(*sock.getsockname(), self.chance.randbytes(8), self.chance.random() < 0.8, 40)
                 for sock in chosen]  # fmt: skip
        if self.chance.random() < 0.05:
            lanes[0] = ("127.0.0.1", 9, bytes(8), True, 40)
        until = time.monotonic_ns() // 1_000_000 + self.chance.choice((5, 250))
        self.lanes += self.native.order(lanes, until)

    def round(self, names: int, replies: list[bytes]) -> None:
        """Questions, hostile replies to them, and whatever else a listener does."""
        for _ in range(12):
            kind = self.chance.choice((1, 1, 28))
            opt = self.chance.choice((None, Opt(), Opt(512, flags=DO)))
            label = f"n{self.chance.randrange(names)}.Example"
            self.client.send(query(label, kind, opt=opt, ident=self.chance.randrange(65_536)))
        if self.chance.random() < 0.7:
            self.wait()
        for _, _, token in self.loop.run(2):
            self.loop.send(token, b"handler")
        for sock in self.upstreams:
            self._reply(sock, replies)
        self.native.run()
        if self.chance.random() < 0.1:
            self.native.hand_over(name_wire(f"n{self.chance.randrange(names)}.example")
                                  + b"\0\1\0\1")  # fmt: skip
        if self.chance.random() < 0.05:
            begins = array("Q", (0, (198 << 24) + (18 << 16), (198 << 24) + (19 << 16)))
            empty = array("Q"), array("Q"), array("I")
            some = array("Q", (0, 0, 0)), begins, array("I", (0, 7, 0))
            listed = (
                None,
                lambda address: address[-1] == 1,
                self.module.Networks([(some, empty), (some, empty)]),
            )
            note = (None, lambda address, ttl: None)
            self.native.watch(self.chance.choice(listed), self.chance.choice(note))
            self.chance.choice((self.native.flush, self.memo.forget_sources, self.native.harvest))()
            self.native.harvest_some(self.names)
            self.memo.harvest_some(self.names)
            for lane in self.lanes[-3:]:
                self.native.seen(lane)
        self.memo.place(SOURCE, 1, 3, 0.0, 0.0)
        with contextlib.suppress(OSError):
            while self.client.recv(8192):
                pass

    def _reply(self, sock: socket.socket, replies: list[bytes]) -> None:
        with contextlib.suppress(OSError):
            while True:
                asked, peer = sock.recvfrom(4096)
                for _ in range(self.chance.choice((0, 1, 1, 1, 2, 20))):
                    sock.sendto(self._hostile(asked, replies), peer)

    def _hostile(self, asked: bytes, replies: list[bytes]) -> bytes:
        """The good answer, or nearly, or anything under the question that was asked."""
        end = asked.index(b"\0", 12) + 5
        count = self.chance.choice((1, 1, 2, 16, 17))
        width = 4 if asked[end - 4 : end - 2] == b"\0\1" else 16
        record = b"\xc0\x0c" + asked[end - 4 : end] + struct.pack("!IH", 60, width)
        body = b"".join(record + self.chance.randbytes(width) for _ in range(count))
        cookie = struct.pack("!HH", 10, 16) + asked[-8:] + self.chance.randbytes(8)
        opt = b"\0\0\x29\x04\xd0\0\0\0\0" + struct.pack("!H", len(cookie)) + cookie
        if self.chance.random() < 0.4:
            return self._nearly(self._none(asked, end, opt))
        good = asked[:2] + struct.pack("!5H", 0x8180, 1, count, 0, 1) + asked[12:end] + body + opt
        what = self.chance.randrange(8)
        if what < 2:
            return good
        if what == 2:
            return good[: self.chance.randrange(len(good) + 1)]
        if what == 3:
            return self.chance.randbytes(2) + good[2:]
        if what == 4:
            return self._nearly(good)
        other = self.chance.choice(replies)
        return asked[:2] + other[2:12] + asked[12:end] + other[end:4000]

    def _nearly(self, good: bytes) -> bytes:
        made = bytearray(good)
        for _ in range(self.chance.choice((0, 1, 1, 4))):
            made[self.chance.randrange(2, len(made))] = self.chance.randrange(256)
        return bytes(made)

    def _none(self, asked: bytes, end: int, opt: bytes) -> bytes:
        """That there is none: an SOA, servers, or nothing; names that point anywhere."""
        names = [b"\xc0\x0c", b"\2ns\xc0\x0c", b"\0", b"\1a\xc0" + self.chance.randbytes(1)]
        owner, count = self.chance.choice(names), self.chance.choice((0, 1, 1, 2, 34, 65))
        records = b""
        for _ in range(count):
            data = self.chance.choice(names)
            if count == 1:
                data += self.chance.choice(names) + self.chance.randbytes(20)
            kind = 6 if count == 1 else 2
            records += owner + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
        head = struct.pack("!5H", 0x8180 | self.chance.choice((0, 3)), 1, 0, count, 1)
        return asked[:2] + head + asked[12:end] + records + opt


def forwarded(module: Any, seed: int) -> int:
    """One forwarding loop until some hundred questions are through."""
    chance = random.Random(seed)
    lab = Forwarding(module, chance)
    replies = list(messages(seed, 200, replies=True))
    for _ in range(60):
        lab.round(chance.choice((3, 40, 4000)), replies)
    until = time.monotonic() + 0.1
    while time.monotonic() < until:  # whoever waits refers to the loop: after 40 ms nobody does
        lab.native.run()
        time.sleep(0.02)
    del lab.loop, lab.native, lab.standby
    lab.epoll.close()
    for sock in lab.sockets:
        sock.close()
    return 60 * 12


def main() -> int:
    """Until the time is over; prints what was done."""
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    module = sys.modules[sanitized.NAME]
    sys.unraisablehook = lambda _: None  # a judge that breaks on purpose
    until, done = time.monotonic() + seconds, 0
    while not done or time.monotonic() < until:
        done += once(module, seed) + forwarded(module, seed)
        seed += 1
    print(f"{done} messages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
