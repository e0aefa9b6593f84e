"""A school in a few lines for tests of the handler: two tiers, a scripted upstream, one bench."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from filterd import tasks
from filterd.errors import UpstreamError
from filterd.listen.drain import open_memo
from filterd.metrics.counters import Counters
from filterd.metrics.seen import Seen
from filterd.policy.model import Action, CategoryId, ListId, TierId
from filterd.policy.verdict import (
    Alias,
    Allowed,
    Blocked,
    Local,
    Origin,
    Placement,
    Question,
    Rewritten,
    Step,
    Verdict,
)
from filterd.resolve.cache import Cache
from filterd.resolve.handler import Equipment, Handler
from filterd.resolve.ports import Running
from filterd.resolve.source import Limits
from filterd.resolve.via import Via
from filterd.upstream.question import Told, UpstreamQuestion, UpstreamReply
from filterd.wire.names import from_text

MAPPED = bytes(10) + b"\xff\xff"
PUPIL = MAPPED + bytes([127, 0, 11, 1])
STAFF = MAPPED + bytes([127, 0, 14, 1])
STRANGER = MAPPED + bytes([192, 0, 2, 9])
ALLOW = Allowed(Origin(Step.FORWARD, "forward"))


def block(category: str = "games", action: Action = Action.NXDOMAIN, ede: int = 15) -> Blocked:
    """A refusal by a list of that category, for 30 seconds."""
    origin = Origin(Step.CATEGORY, "rule", ListId("list"), CategoryId(category))
    return Blocked(origin, action, 30, ede)


def alias(target: str) -> Rewritten:
    """A safe-search rewrite."""
    return Rewritten(Origin(Step.SAFE_SEARCH, "safe"), Alias(from_text(target)))


def local(rcode: int, *records: tuple[str, str, int, str]) -> Rewritten:
    """An answer of the school's own."""
    return Rewritten(Origin(Step.LOCAL, "local"), Local(rcode, records), None)


@dataclass
class Rules:
    """One tier's rules: names at and below a key get its verdict; private IPv4 is rebinding."""

    names: dict[str, Verdict]
    key: int
    until: datetime | None = None
    addresses: dict[bytes, Blocked] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def verdict(self, question: Question) -> Verdict:
        self.asked.append(question.name)
        labels = question.name.split(".")
        for start in range(len(labels)):
            found = self.names.get(".".join(labels[start:]))
            if found is not None:
                return found
        return ALLOW

    def target_verdict(self, question: Question, asked: Verdict) -> Blocked | None:
        found = self.verdict(question)
        return found if isinstance(found, Blocked) else None

    def answer_verdict(self, question: Question, addresses: Iterable[bytes]) -> Blocked | None:
        for address in addresses:
            if address in self.addresses:
                return self.addresses[address]
            if address[0] in (10, 127) and len(address) == 4:
                return Blocked(Origin(Step.SPECIAL, "rebinding"), Action.NXDOMAIN, 30)
        return None


class School:
    """Pupils ask from 127.0.11.0/24 and anywhere else, staff from 127.0.14.0/24."""

    def __init__(self, pupil: Rules, staff: Rules) -> None:
        self.tiers = {"primary": pupil, "staff": staff}

    def place(self, address: bytes, device_key: str | None = None) -> Placement:
        tier = "staff" if address[2] == 14 or device_key == "staff" else "primary"
        return Placement(TierId(tier))

    def effective(self, placement: Placement, at: datetime | None) -> Rules:
        return self.tiers[placement.tier]

    def running(self, portal: tuple[bytes, ...] = ()) -> Running:
        return Running(self, self, portal)


def pupils_without(names: Mapping[str, Verdict]) -> School:
    """A school whose pupils get these verdicts and whose staff get everything."""
    return School(Rules(dict(names), 1), Rules({}, 2))


Script = Mapping[str, list[str] | Callable[[dns.message.Message], bytes] | Exception]


class Upstream:
    """Answers from a script: "name TYPE" (or "name TYPE cd") → records, octets, or an error.

    An owner that begins with "!" makes the answer NXDOMAIN; SOA records go to the authority.
    """

    def __init__(self, script: Script) -> None:
        self.script = dict(script)
        self.asked: list[UpstreamQuestion] = []
        self.gate: asyncio.Event | None = None

    def ask(self, question: UpstreamQuestion, deadline: float, done: Told) -> None:
        self.asked.append(question)
        name = dns.name.from_wire(question.name_wire, 0)[0].to_text(omit_final_dot=True)
        found = self.script.get(f"{name} {dns.rdatatype.to_text(question.qtype)}")
        if isinstance(found, Exception) and not isinstance(found, UpstreamError):
            raise found
        tasks.spawn(self._answer(question, done), "fake upstream")

    async def _answer(self, question: UpstreamQuestion, done: Told) -> None:
        try:
            done(await self._reply(question))
        except UpstreamError as error:
            done(error)

    async def _reply(self, question: UpstreamQuestion) -> UpstreamReply:
        if self.gate is not None:
            async with asyncio.timeout(5):
                await self.gate.wait()
        name = dns.name.from_wire(question.name_wire, 0)[0]
        query = dns.message.make_query(name, question.qtype, want_dnssec=question.do)
        kind = dns.rdatatype.to_text(question.qtype)
        mode = " cd" if question.cd else ""
        found = self.script.get(f"{str(name).rstrip('.')} {kind}{mode}")
        if isinstance(found, Exception):
            raise found
        if callable(found):
            return UpstreamReply(found(query), "fake", "udp")
        return UpstreamReply(_reply(query, found or []), "fake", "udp")


def _reply(query: dns.message.Message, lines: list[str]) -> bytes:
    reply = dns.message.make_response(query, recursion_available=True)
    for line in lines:
        owner, ttl, rtype, *rdata = line.split(maxsplit=3)
        section = reply.authority if rtype == "SOA" else reply.answer
        if owner.startswith("!"):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        section.append(dns.rrset.from_text(owner.lstrip("!"), int(ttl), "IN", rtype, *rdata))
    return reply.to_wire()


DOWN = UpstreamError("nobody answers", 22)


class Bench:
    """A handler with everything around it; `skew` moves its monotonic clock, `at` is the day's."""

    def __init__(
        self, school: School, script: Script | None = None, limits: Limits | None = None
    ) -> None:
        self.upstream = Upstream(script or {})
        self.counters = Counters.private()
        self.memo = open_memo(self.counters.values, 1 << 20)
        self.seen = Seen(bytes(16))
        self.cache = Cache(1 << 20, 86_400)
        self.at: datetime | None = None
        self.skew = 0.0
        self.sent: list[bytes] = []
        self.handler = Handler(
            Equipment(
                self.upstream,
                self.counters,
                self.memo,
                self.seen,
                self.cache,
                lambda: self.at,
                self.now,
                lambda address: address[:1] == b"\x7f",
                bytes(16),
                limits=limits or Limits(),
            )
        )
        self.handler.placements.swap(school.running())

    def now(self) -> float:
        return asyncio.get_running_loop().time() + self.skew

    def send(self, response: bytes, token: object) -> None:
        self.sent.append(response)

    def via(self, transport: int = 0, device: str | None = None, pad: int = 0) -> Via:
        keepalive = None if transport == 0 else 100
        return Via(transport, self.send, device, keepalive, pad)

    async def wire(self, query: bytes, source: bytes = PUPIL, via: Via | None = None) -> bytes:
        """The response to raw octets; fails the test when none comes."""
        before = len(self.sent)
        response = self.handler.try_answer(query, source, self.now(), via or self.via())
        if response is not None:
            return response
        await self.answers(before + 1)
        return self.sent[-1]

    async def answers(self, count: int) -> list[dns.message.Message]:
        """Wait until so many late answers were sent; they are returned as dnspython reads them."""
        async with asyncio.timeout(5):
            while len(self.sent) < count:
                await asyncio.sleep(0)
        return [dns.message.from_wire(each) for each in self.sent]

    async def ask(
        self, name: str, rtype: str = "A", source: bytes = PUPIL, **options: int | bool
    ) -> dns.message.Message:
        """The response as dnspython reads it; `options` go to make_query."""
        query = dns.message.make_query(name, rtype, **options)  # type: ignore[arg-type]
        response = dns.message.from_wire(await self.wire(query.to_wire(), source))
        assert response.id == query.id
        assert response.flags & dns.flags.QR
        return response
