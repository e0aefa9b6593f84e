"""A tiny DNS server for namespaces: `python answering.py ADDRESS ANSWER LOG [PORT ...]`.

Answers every A question with ANSWER over UDP and TCP on the ports (53 if none) and appends one line
to LOG for each question or connection: that line is how a test sees that somebody came through.
"""

from __future__ import annotations

import selectors
import socket
import struct
import sys
from pathlib import Path


def reply(query: bytes, answer: str) -> bytes:
    end = 12
    while query[end]:
        end += query[end] + 1
    question = query[12 : end + 5]
    if query[12:].startswith(b"\x07malware\x06canary"):
        return query[:2] + struct.pack("!5H", 0x8183, 1, 0, 0, 0) + question
    head = query[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0)
    return head + question + b"\xc0\x0c\0\1\0\1\0\0\0\x0a\0\4" + socket.inet_aton(answer)


def main(address: str, answer: str, log: str, *ports: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    chosen = selectors.DefaultSelector()
    for port in ports or ("53",):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            link = socket.socket(family, kind)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            link.bind((address, int(port)))
            if kind == socket.SOCK_STREAM:
                link.listen()
            chosen.register(link, selectors.EVENT_READ, kind)
    Path(log).write_text("")
    while True:
        for key, _ in chosen.select():
            serve(key.fileobj, key.data, answer, Path(log))  # type: ignore[arg-type]


def serve(link: socket.socket, kind: int, answer: str, log: Path) -> None:
    if kind == socket.SOCK_DGRAM:
        query, source = link.recvfrom(4096)
        note(log, f"udp {link.getsockname()[1]} from {source[0]}")
        link.sendto(reply(query, answer), source)
        return
    connection, source = link.accept()
    with connection:
        note(log, f"tcp {link.getsockname()[1]} from {source[0]}")
        connection.settimeout(2)
        try:
            query = connection.recv(4096)[2:]
            out = reply(query, answer)
            connection.sendall(struct.pack("!H", len(out)) + out)
        except (OSError, IndexError):
            return


def note(log: Path, line: str) -> None:
    with log.open("a") as out:
        out.write(line + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
