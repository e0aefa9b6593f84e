"""Feeds the native drain loop, through its sockets, with everything: `python -m … SECONDS SEED`.

Meant for the build of `sanitized`; each round a new memo that knows the questions of half of the
messages, small enough that entries are thrown out while they are used.
"""

from __future__ import annotations

import random
import socket
import sys
import time
from typing import Any

from filterd.listen.drain_form import plain_form
from tests.fuzz import sanitized
from tests.lab.bombs import as_queries, bombs
from tests.lab.malformed import messages

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


def main() -> int:
    """Until the time is over; prints what was done."""
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    module = sys.modules[sanitized.NAME]
    until, done = time.monotonic() + seconds, 0
    while not done or time.monotonic() < until:
        done += once(module, seed)
        seed += 1
    print(f"{done} messages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
