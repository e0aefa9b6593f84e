"""An upstream in a thread. Unless a test answers itself, every A is 198.51.100.7, every AAAA
2001:db8::7, anything else empty."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dnslib import AAAA, QTYPE, RR, A, DNSRecord

ADDRESS = "198.51.100.7"


def answer(wire: bytes) -> bytes:
    asked = DNSRecord.parse(wire)
    reply = asked.reply()
    if asked.q.qtype == QTYPE.A:
        reply.add_answer(RR(asked.q.qname, QTYPE.A, rdata=A(ADDRESS), ttl=60))
    elif asked.q.qtype == QTYPE.AAAA:
        reply.add_answer(RR(asked.q.qname, QTYPE.AAAA, rdata=AAAA("2001:db8::7"), ttl=60))
    return bytes(reply.pack())


@contextmanager
def serve(reply: Callable[[bytes], bytes] = answer) -> Iterator[str]:
    """Yields the upstream's address as the settings write it; `reply` answers a query."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        door.settimeout(0.1)
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                try:
                    wire, source = door.recvfrom(4096)
                except TimeoutError:
                    continue
                door.sendto(reply(wire), source)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"udp://127.0.0.1:{door.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()
