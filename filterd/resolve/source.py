"""One client: its address, its rules, what it may take. Knows no message and no policy."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from filterd.policy.verdict import Asker, Placement

if TYPE_CHECKING:
    from filterd.resolve.rules import Rules

_RELEASE_SECONDS = 0.01
_MAPPED = bytes(10) + b"\xff\xff"
_LOOPBACK6 = bytes(15) + b"\1"
_BOX4 = _MAPPED + b"\x7f\0\0\1"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one address may ask: `rate` responses a second beyond a `burst`, 0: as many as it
    likes (its network: see `allowance`); `pending` queries that wait for an upstream;
    `burst_bytes` of answers that were waited for go out whole in 10 ms, the others truncated. A
    class of 40 behind one translated address fits in (1,000 is unbound's wait-limit too). Loopback
    has no rate; this box itself, 127.0.0.1 or ::1, is bounded by `in_flight` alone. With `crowd`
    exchanges under way, new ones are for whoever waits for fewer than `share`: one who asks for
    names that no server answers for leaves room for the others. Each worker counts for itself,
    and the memo besides."""

    rate: float = 2000.0
    burst: float = 4000.0
    pending: int = 1000
    in_flight: int = 10_000
    crowd: int = 500
    share: int = 100
    burst_bytes: int = 65_536


class Bucket:
    """A token bucket, full at first; `now` is monotonic."""

    __slots__ = ("_filled", "_tokens")

    def __init__(self) -> None:
        self._tokens = 0.0
        self._filled: float | None = None

    def spend(self, rate: float, burst: float, now: float) -> bool:
        """Take one token of the `rate` a second that are given, `burst` at most."""
        gained = burst if self._filled is None else (now - self._filled) * rate
        self._tokens = min(burst, self._tokens + gained)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Source:
    """One client as the handler sees it.

    `cookie` is the last one that was made or believed: (when it was made, the option's octets).
    """

    __slots__ = (
        "_bucket", "_limits", "_released", "_window", "address", "allowed", "asker",
        "cookie", "free", "most_pending", "network", "own", "pending", "placement", "rules", "tag",
    )  # fmt: skip

    def __init__(
        self, address: bytes, placement: Placement, rules: Rules, allowed: bool, limits: Limits
    ) -> None:
        self.address = address
        self.placement = placement
        self.tag = 0
        self.rules = rules
        self.allowed = allowed
        self.asker = Asker(address=_text(address))
        self.pending = 0
        self.cookie = (0, b"")
        self.network = network_of(address)
        self._limits = limits
        own = address in (_BOX4, _LOOPBACK6)
        self.most_pending = limits.in_flight if own else limits.pending
        self.free = loopback(address) or limits.rate <= 0
        self.own = own
        self._bucket = Bucket()
        self._released = 0
        self._window = 0.0

    def spend(self, now: float) -> bool:
        """Take one response from the client's allowance."""
        return self.free or self._bucket.spend(self._limits.rate, self._limits.burst, now)

    def release(self, size: int, now: float) -> bool:
        """Whether an answer of `size` octets that was waited for may go out whole just now."""
        if self.own:
            return True
        if now - self._window > _RELEASE_SECONDS:
            self._window, self._released = now, 0
        self._released += size
        return self._released <= self._limits.burst_bytes


def unmapped(address: bytes) -> bytes:
    """4 octets of an IPv4-mapped address, else the 16 as they are."""
    return address[12:] if address.startswith(_MAPPED) else address


def loopback(address: bytes) -> bool:
    """Whether a 16-octet address is this machine's own."""
    return address == _LOOPBACK6 or (address.startswith(_MAPPED) and address[12] == 127)


def network_of(address: bytes) -> bytes:
    """The /24 (IPv4 mapped) or /56 of a 16-octet address."""
    return address[:15] if address.startswith(_MAPPED) else address[:7]


def _text(address: bytes) -> str:
    return str(ip_address(unmapped(address)))
