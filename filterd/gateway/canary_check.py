"""Two canary questions to the filter of this box: exit code 0 only if it blocks and answers.

For keepalived, once a second: the standard library alone, started with `python3 -I -S`.
"""

from __future__ import annotations

import socket
import struct
import sys

TIMEOUT_S = 0.15
ATTEMPTS = 2
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
    decided = blocked[3] & 15 in (0, 3, 5)
    return decided and allowed[3] & 15 == 0 and ANSWER in allowed


def main(argv: list[str]) -> int:
    """Optional arguments: address and port of the filter."""
    host = argv[1] if len(argv) > 1 else "127.0.0.1"
    port = int(argv[2]) if len(argv) > 2 else 53
    return 0 if works((host, port)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
