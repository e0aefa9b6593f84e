"""Two canary questions to the filter of this box, for keepalived.

`canary_check.py [ADDRESS [PORT]]` asks once: exit code 0 only if the filter blocks and answers.
`canary_check.py --track FILE [ADDRESS [PORT]]` asks five times a second and keeps FILE at 0 while
it does, 1 while it does not: keepalived sees that at once, its own scripts run once a second. The
standard library alone, started with `python3 -I -S`.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Callable

TIMEOUT_S = 0.1
ATTEMPTS = 2
EVERY_S = 0.2
STEADY_S = 2.0
"""How long a filter must be well again before this box is: addresses must not wander to and fro."""
ANSWER = bytes((192, 0, 2, 1))


def ask(address: tuple[str, int], name: str) -> bytes:
    """The reply to an A question, asked twice if need be; OSError without one."""
    labels = b"".join(bytes([len(x)]) + x.encode("ascii") for x in name.split("."))
    query = struct.pack("!6H", 0x6664, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as link:
        link.settimeout(TIMEOUT_S)
        link.connect(address)
        for attempt in range(ATTEMPTS):
            link.send(query)
            try:
                return link.recv(4096)
            except TimeoutError:
                if attempt == ATTEMPTS - 1:
                    raise
    raise TimeoutError


def works(address: tuple[str, int]) -> bool:
    """The blocked canary is decided (SERVFAIL means: cannot), the allowed one has its address."""
    try:
        blocked = ask(address, "malware.canary.filterd.test")
        allowed = ask(address, "allowed.canary.filterd.test")
    except OSError:
        return False
    if len(blocked) < 12 or len(allowed) < 12:
        return False
    decided = blocked[3] & 15 in (0, 3, 5) and ANSWER not in blocked
    return decided and allowed[3] & 15 == 0 and ANSWER in allowed


def track(path: str, good: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
    """Keep the file as the filter is, for ever."""
    failing, since = True, clock() - STEADY_S
    while True:
        now = clock()
        if not good():
            since = now
            if not failing:
                failing = _write(path, True)
        elif failing and now - since >= STEADY_S:
            failing = _write(path, False)
        time.sleep(max(0.0, EVERY_S - (clock() - now)))


def _write(path: str, failing: bool) -> bool:
    # in place and never empty: keepalived reads it whenever it was written
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.write(handle, b"%d\n" % failing)
    finally:
        os.close(handle)
    return failing


def main(argv: list[str]) -> int:
    """See above."""
    arguments = argv[1:]
    path = ""
    if arguments[:1] == ["--track"]:
        path, arguments = arguments[1], arguments[2:]
    host = arguments[0] if arguments else "127.0.0.1"
    port = int(arguments[1]) if len(arguments) > 1 else 53
    if path:
        _write(path, True)
        track(path, lambda: works((host, port)))
    return 0 if works((host, port)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
