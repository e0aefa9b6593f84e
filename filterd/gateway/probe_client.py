"""The test client itself: `python -m filterd.gateway.probe_client JSON`, run inside its namespace.

Asks a resolver that does not exist (RFC 5737 and RFC 3849 addresses), so that an answer can only
come from the filter that caught the question. Knows nothing of nftables.
"""

from __future__ import annotations

import errno
import json
import socket
import struct
import sys
from collections.abc import Callable

NOBODY4, NOBODY6 = "192.0.2.53", "2001:db8::53"
CANARY = b"\x07allowed\x06canary\x07filterd\x04test\x00"
ANSWER = socket.inet_aton("192.0.2.1")
TIMEOUT_S = 2.0
_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH)
Outcome = tuple[bool, str]


def main(argument: str) -> int:
    """Run every attempt and print the outcomes as JSON."""
    given = json.loads(argument)
    found = [{"subject": s, "good": g, "text": t} for s, (g, t) in _attempts(given)]
    print(json.dumps(found))
    return 0


def _attempts(given: dict[str, object]) -> list[tuple[str, Outcome]]:
    v4, v6 = socket.AF_INET, socket.AF_INET6
    found = [
        ("another resolver, UDP", _try(_captured, v4, NOBODY4, socket.SOCK_DGRAM)),
        ("another resolver, TCP", _try(_captured, v4, NOBODY4, socket.SOCK_STREAM)),
        ("DNS over TLS", _try(_refused, v4, NOBODY4, 853)),
    ]
    resolvers = given["resolvers"]
    if isinstance(resolvers, list) and resolvers:
        found.append((f"DNS over HTTPS to {resolvers[0]}", _try(_refused, v4, resolvers[0], 443)))
    if given["six"]:
        found += [
            ("another resolver, IPv6 UDP", _try(_captured, v6, NOBODY6, socket.SOCK_DGRAM)),
            ("DNS over TLS, IPv6", _try(_refused, v6, NOBODY6, 853)),
        ]
    return found


def _try(attempt: Callable[[int, str, int], Outcome], family: int, host: str, last: int) -> Outcome:
    try:
        return attempt(family, host, last)
    except OSError as error:
        return False, f"no answer ({error})"


def _captured(family: int, host: str, kind: int) -> Outcome:
    """The filter must answer its own canary although somebody else was asked."""
    query = struct.pack("!6H", 0x4653, 0x0100, 1, 0, 0, 0) + CANARY + b"\0\1\0\1"
    with socket.socket(family, kind) as link:
        link.settimeout(TIMEOUT_S)
        link.connect((host, 53))
        if kind == socket.SOCK_STREAM:
            link.sendall(struct.pack("!H", len(query)) + query)
            reply = link.recv(4096)[2:]
        else:
            link.send(query)
            reply = link.recv(4096)
    if reply[:2] != query[:2] or not reply.endswith(ANSWER):
        return False, "answered, but not by this filter"
    return True, "answered by the filter"


def _refused(family: int, host: str, port: int) -> Outcome:
    with socket.socket(family, socket.SOCK_STREAM) as link:
        link.settimeout(TIMEOUT_S)
        try:
            link.connect((host, port))
        except ConnectionRefusedError:
            return True, "refused at once"
        except OSError as error:
            if error.errno in _NO_WAY:
                return True, "there is no way out"
            raise
    return False, "a connection was made"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
