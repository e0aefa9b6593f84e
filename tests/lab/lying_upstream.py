"""A scripted upstream: the first label of the question says how it lies. Runs in a thread.

    with LyingUpstream() as upstream:            # 127.0.0.1, a free port, UDP and TCP
        … ask upstream.address …
        upstream.log                             # what arrived: port, id, case, EDNS options

A lie marked (+) is followed by the good answer LATE seconds later, so a resolver that waits gets
it. Digits at the end of the label are its argument; TCP always gets the good answer unless said.

    good, anything else   A 192.0.2.1, AAAA 2001:db8::1, others NODATA with an SOA; TTL 300
    wrongid(+) empty(+) short(+) wrongname(+) wrongtype(+) noquestion(+)
    notreply(+) opcode(+) loop(+) headeronly(+) rdlen(+)    the lies of a stranger or a broken box
    extra           good, plus A records for bank.example in every section
    manyids50       50 replies with wrong ids over UDP and nothing good there
    slow(ms)        good after that many ms (1000);  hold: when `release()` is called
    dead            never, TCP neither;  refused, servfail, notimp: that rcode, TCP too
    bogus           SERVFAIL with EDE 6, TCP too;  formerr: FORMERR if the query has an OPT
    nxdomain, nodata, ttl(n), alias (CNAME www.<rest>, target included)
    tc              TC over UDP;  big(n): n A records (100), TC over UDP when too long
    rebind(0-13)    one of the fourteen private address forms, A or AAAA as the form is
    cnameloop       CNAME to itself;  ring: a CNAME circle of two;  chain(n): n CNAMEs (20)
    lowercase       answers with the question in lower case, TCP too
    nocookie        answers without the COOKIE it gave before;  wrongcookie(+); badcookie

`replies` maps further first labels to a function (query, transport) -> [(delay, wire), …].
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import NamedTuple

from dnslib import QTYPE, DNSError, DNSRecord

from tests.lab.lies import LATE, LIES, REBIND, TWELVE, Reply, good, options_of

__all__ = ["LATE", "REBIND", "TWELVE", "LyingUpstream", "Seen"]


class Seen(NamedTuple):
    """One query as it arrived; `qname` in the case it was asked, `options` by code."""

    transport: str
    port: int
    ident: int
    qname: str
    qtype: int
    options: dict[int, bytes]
    edns_size: int
    do: bool
    cd: bool
    at: float


class LyingUpstream:
    """Start with `with` or `start`/`stop`; safe to look at from the test's thread."""

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, replies: Mapping[str, Reply] | None = None
    ) -> None:
        self._host, self._port = host, port
        self._extra = dict(replies or {})
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="lying upstream", daemon=True)
        self._held: list[Callable[[], None]] = []
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self.log: list[Seen] = []
        self.connections = 0
        self.address = (host, port)

    @property
    def url(self) -> str:
        """As an upstream is written in the settings."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"udp://{host}:{self.address[1]}"

    def queries(self, label: str) -> list[Seen]:
        """What arrived for names whose first label is `label`, whatever its case."""
        return [one for one in self.log if one.qname.split(".")[0].lower() == label]

    def release(self) -> None:
        """Let every `hold` answer go at once."""
        self._loop.call_soon_threadsafe(self._release)

    def start(self) -> LyingUpstream:
        """Listen; returns when it does."""
        self._thread.start()
        self._ready.wait(10)
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """Close everything and end the thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    def __enter__(self) -> LyingUpstream:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            self._failure = error
            self._ready.set()
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        for _ in range(20):
            server = await asyncio.start_server(self._on_tcp, self._host, self._port)
            port = server.sockets[0].getsockname()[1]
            try:
                udp.bind((self._host, port))
            except OSError:
                server.close()
                continue
            break
        self._loop.add_reader(udp, self._on_udp, udp)
        self.address = (self._host, port)
        self._ready.set()
        await self._stopping.wait()
        self._loop.remove_reader(udp)
        udp.close()
        server.close()
        # asyncio would complain of each connection that a cancelled handler leaves (3.11)
        self._loop.set_exception_handler(lambda _loop, _context: None)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _on_udp(self, udp: socket.socket) -> None:
        """A socket of our own: asyncio's endpoints do not send empty datagrams."""

        def send(wire: bytes) -> None:
            if udp.fileno() >= 0:
                udp.sendto(wire, source)

        query, source = udp.recvfrom(4096)
        self.arrived(query, "udp", source[1], send)

    async def _on_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        port = writer.get_extra_info("peername")[1]
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                query = await reader.readexactly(length)

                def send(wire: bytes) -> None:
                    if not writer.is_closing():
                        writer.write(struct.pack("!H", len(wire)) + wire)

                self.arrived(query, "tcp", port, send)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def arrived(
        self, query: bytes, transport: str, port: int, send: Callable[[bytes], None]
    ) -> None:
        """Note the query and answer it as its name demands."""
        try:
            record = DNSRecord.parse(query)
        except DNSError:
            return  # dnslib reads no labels that are not text: such a name has no answer here
        self.log.append(_seen(record, transport, port, self._loop.time()))
        label, argument = _first_label(record)
        lie = self._extra.get(label) or LIES.get(label)
        if label == "hold":
            self._held.append(lambda: send(good(record).pack()))
            return
        if lie is None:
            replies = [(0.0, good(record).pack())]
        elif label in self._extra:
            replies = lie(record, transport)
        else:
            record.argument = argument
            replies = lie(record, transport)
        for delay, wire in replies:
            if delay:
                self._loop.call_later(delay, send, wire)
            else:
                send(wire)

    def _release(self) -> None:
        held, self._held = self._held, []
        for send in held:
            send()


def _first_label(record: DNSRecord) -> tuple[str, int | None]:
    label = str(record.q.qname).split(".")[0].lower()
    if label in LIES:
        return label, None
    match = re.fullmatch(r"([a-z]+)(\d+)", label)
    return (match[1], int(match[2])) if match else (label, None)


def _seen(record: DNSRecord, transport: str, port: int, at: float) -> Seen:
    opt = next((rr for rr in record.ar if rr.rtype == QTYPE.OPT), None)
    name = b".".join(record.q.qname.label).decode("latin-1")
    return Seen(
        transport, port, record.header.id, name, record.q.qtype, options_of(record),
        opt.rclass if opt else 0, bool(opt and opt.ttl & 0x8000), bool(record.header.cd), at,
    )  # fmt: skip
