"""DNS over UDP to one upstream: a fresh port, id and letter case each time, and TCP when in doubt.

Waits liars out (TuDoor: what does not fit or does not parse never ends the wait). Two wrong ids,
a changed case or a missing cookie take the question to TCP, where a stranger cannot reach it.
"""

from __future__ import annotations

import os

from filterd.errors import UpstreamError
from filterd.upstream.attempt import Arrival, Attempt, Done, Outcome, Transport
from filterd.upstream.habits import Habits
from filterd.upstream.handover import What
from filterd.upstream.message import Fit, bare_refusal, build, cookie_option, fit, mix_case
from filterd.upstream.question import UpstreamQuestion
from filterd.upstream.scan import Facts, inspect
from filterd.upstream.sockets import RECEIVE_BYTES, Socket, Sockets
from filterd.wire import constants as iana

WRONG_IDS_TO_TCP = 2
MAX_SENT = 3


class Udp:
    """The transport `udp`; `tcp` takes over what UDP cannot be trusted with."""

    def __init__(
        self, address: tuple[str, int], sockets: Sockets, tcp: Transport, habits: Habits
    ) -> None:
        self.address = address
        self.sockets = sockets
        self.tcp = tcp
        self.habits = habits

    def start(self, question: UpstreamQuestion, done: Done) -> Attempt:
        """Send one datagram; raises UpstreamError when the network says no at once."""
        exchange = Exchange(self, question, done)
        exchange.send()
        return exchange

    def adopt(self, question: UpstreamQuestion, query: bytes, done: Done) -> Exchange:
        """Go on with an exchange whose datagram somebody else has sent."""
        exchange = Exchange(self, question, done)
        exchange.adopted(query)
        return exchange

    async def close(self) -> None:
        """Close the TCP side; sockets belong to their exchanges."""
        await self.tcp.close()


class Exchange:
    """One question on its way over UDP, and over TCP if it comes to that."""

    __slots__ = (
        "_done",
        "_follower",
        "_owner",
        "_query",
        "_question",
        "_sock",
        "_wrong_ids",
        "lied_to",
        "own_sent",
    )

    def __init__(self, owner: Udp, question: UpstreamQuestion, done: Done) -> None:
        self._owner, self._question, self._done = owner, question, done
        self._sock: Socket | None = None
        self._follower: Attempt | None = None
        self._query = b""
        self._wrong_ids = self.own_sent = 0
        self.lied_to = False

    @property
    def sent(self) -> int:
        """Queries sent, those over TCP included."""
        return self.own_sent + (self._follower.sent if self._follower else 0)

    def send(self) -> None:
        """Draw port, id and case anew and send; raises UpstreamError."""
        habits, question = self._owner.habits, self._question
        chance = os.urandom(2 + len(question.name_wire))
        name = mix_case(question.name_wire, chance[2:]) if habits.keeps_case else question.name_wire
        cookie = cookie_option(habits.client_cookie, habits.server_cookie)
        ident = chance[0] << 8 | chance[1]
        self._query = build(question, ident, name=name, options=cookie, edns=habits.edns)
        self._release()
        sock = self._sock = self._owner.sockets.open(self._owner.address, self)
        try:
            sock.send(self._query)
        except OSError as error:
            self._release()
            raise UpstreamError(f"cannot send: {error.strerror}", iana.EDE_NETWORK) from error
        self.own_sent += 1

    def adopted(self, query: bytes) -> None:
        """Begin with one query sent already."""
        self._query = query
        self.own_sent = 1

    def heard(self, what: What, datagram: bytes | None, errno: int) -> None:
        """What whoever sent the query has heard of it; silence is the race's to notice."""
        if what is What.ODD and datagram is not None:
            self._judge(datagram)
        elif what is What.LIED:
            self._go_tcp()
        elif what is What.REFUSED:
            reason = UpstreamError(f"refused: {os.strerror(errno)}", iana.EDE_NETWORK)
            self._finish(reason)

    def cancel(self) -> None:
        """Close the socket and call off the TCP exchange."""
        self._release()
        if self._follower is not None:
            self._follower.cancel()

    def on_readable(self) -> None:
        """Drain what has come; stops as soon as the exchange has left this socket."""
        sock = self._sock
        while sock is not None and sock is self._sock:
            try:
                datagram = sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                self._finish(UpstreamError(f"refused: {error.strerror}", iana.EDE_NETWORK))
                return
            self._judge(datagram)

    def _judge(self, datagram: bytes) -> None:
        match fit(self._query, datagram):
            case Fit.GOOD:
                self._judge_fitting(datagram)
            case Fit.WRONG_CASE:
                self._go_tcp()
            case Fit.WRONG_ID:
                self._owner.habits.wrong_ids += 1
                self._wrong_ids += 1
                self.lied_to = True
                if self._wrong_ids >= WRONG_IDS_TO_TCP:
                    self._go_tcp()
            case Fit.FOREIGN if bare_refusal(self._query, datagram):
                self._go_tcp()
            case Fit.FOREIGN:
                self._owner.habits.malformed += 1
                self.lied_to = True

    def _judge_fitting(self, datagram: bytes) -> None:
        name = self._question.name_wire
        # the case drawn for this exchange must not live on in a cache
        datagram = datagram[:12] + name + datagram[12 + len(name) :]
        facts = inspect(datagram)
        if facts is None:
            self._owner.habits.malformed += 1
            self.lied_to = True
        elif facts.truncated:
            self._go_tcp()
        elif (
            facts.rcode in (iana.FORMERR, iana.NOTIMP)
            and not facts.has_opt
            and self._owner.habits.edns
        ):
            self._owner.habits.edns = False
            self._again()
        elif self._cookie_fits(facts):
            self._finish(Arrival(datagram[: facts.end], facts, "udp"))

    def _again(self) -> None:
        if self.sent >= MAX_SENT:
            self._finish(UpstreamError("refuses EDNS and the query is out of tries"))
            return
        try:
            self.send()
        except UpstreamError as error:
            self._finish(error)

    def _cookie_fits(self, facts: Facts) -> bool:
        """RFC 7873 §5.3: a reply with a foreign client cookie is dropped; learn the server's."""
        habits = self._owner.habits
        cookie = facts.cookie
        if cookie is None:
            if habits.server_cookie:
                self._go_tcp()
                return False
            return True
        if cookie[:8] != habits.client_cookie:
            self.lied_to = True
            return False
        if 16 <= len(cookie) <= 40:
            habits.server_cookie = cookie[8:]
        if facts.rcode == iana.BADCOOKIE:
            self._go_tcp()
            return False
        return True

    def _go_tcp(self) -> None:
        """Leave UDP for good: whoever guesses there is no longer heard."""
        self._release()
        self._owner.habits.to_tcp += 1
        try:
            self._follower = self._owner.tcp.start(self._question, self._finish)
        except UpstreamError as error:
            self._finish(error)

    def _finish(self, outcome: Outcome) -> None:
        self._release()
        self._done(outcome)

    def _release(self) -> None:
        if self._sock is not None:
            self._owner.sockets.release(self._sock)
            self._sock = None
