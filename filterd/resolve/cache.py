"""Upstream answers in a bounded number of octets, shared by all tiers. PURE: time is an argument.

Holds no verdict: what it gives out is judged again on every use. Segmented LRU: an answer is on
probation until it is asked for again, so a scan of names that nobody repeats cannot push out
what a school uses. Also holds failures (RFC 9520), for 1 to 30 seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from filterd.wire.records import Body

_PROTECTED_SHARE = 0.8
_FAILURES = 8192
_FAILURE_FIRST = 1.0
_FAILURE_MOST = 30.0


class Cached(NamedTuple):
    """One upstream answer, normalised: only what answers the question, TTLs clamped.

    `key` is lower-case name, type and class (one octet more for answers that were asked for
    with CD). `plain` is for clients without DO, `secure` for those with it. `targets` are the
    lower-case wire names and `addresses` the packed addresses that need a verdict.
    `options` are EDNS options (extended errors) that came with it.
    """

    key: bytes
    rcode: int
    plain: Body
    secure: Body
    targets: tuple[bytes, ...]
    addresses: tuple[bytes, ...]
    born: float
    lifetime: int
    ad: bool = False
    options: bytes = b""

    @property
    def expires(self) -> float:
        """When it turns stale."""
        return self.born + self.lifetime

    @property
    def size(self) -> int:
        """Octets it is charged with: its own and a flat price for the objects around them."""
        bodies = len(self.plain.octets) + len(self.plain.ttls) * 40
        if self.secure is not self.plain:
            bodies += len(self.secure.octets) + len(self.secure.ttls) * 40
        return 600 + len(self.key) + bodies + 60 * (len(self.targets) + len(self.addresses))


class Held:
    """A cached answer's seat; `hits` counts its uses since it came, `renewed`: it took the place of
    an older one."""

    __slots__ = ("cached", "hits", "protected", "renewed", "size")

    def __init__(self, cached: Cached) -> None:
        self.cached = cached
        self.size = cached.size
        self.hits = 0
        self.protected = self.renewed = False


Behind = Callable[[bytes], tuple[Cached, int] | None]
"""Who keeps answers that are not in here: the answer to a question, and how often it was used."""


class Cache:
    """`capacity` in octets; `stale` in seconds is how long an answer is kept past its end."""

    def __init__(self, capacity: int, stale: float) -> None:
        self._capacity = capacity
        self._stale = stale
        self._probation: OrderedDict[bytes, Held] = OrderedDict()
        self._protected: OrderedDict[bytes, Held] = OrderedDict()
        self._failures: OrderedDict[bytes, tuple[Cached, int]] = OrderedDict()
        self._protected_size = 0
        self.size = 0
        self.evictions = 0
        self.behind: Behind | None = None
        self.noted: Callable[[bytes], None] = lambda key: None
        """Told of each question whose answer or failure is kept."""

    def __len__(self) -> int:
        return len(self._probation) + len(self._protected)

    def get(self, key: bytes, now: float) -> Held | None:
        """The answer, fresh or stale (compare `cached.expires`); None when there is none."""
        held = self._protected.get(key)
        if held is not None:
            self._protected.move_to_end(key)
        else:
            held = self._probation.get(key) or self._fetch(key)
            if held is None:
                return None
            if held.hits:
                self._promote(key, held)
        if now >= held.cached.expires + self._stale:
            self._remove(key)
            return None
        held.hits += 1
        return held

    def look(self, key: bytes) -> tuple[Cached, bool] | None:
        """The youngest answer that is held, and whether there may have been another before it; it
        counts as no use."""
        held = self._protected.get(key) or self._probation.get(key)
        found = self.behind(key) if self.behind is not None else None
        if found is not None and (held is None or held.cached.born < found[0].born):
            return found[0], True
        return (held.cached, held.renewed) if held is not None else None

    def used(self, key: bytes, uses: int) -> None:
        """Count uses that did not pass here: the memo repeated the answer."""
        held = self._protected.get(key)
        if held is not None:
            self._protected.move_to_end(key)
        elif (held := self._probation.get(key)) is not None:
            self._promote(key, held)
        if held is not None:
            held.hits += uses

    def knows(self, key: bytes) -> bool:
        """Whether something is held in here: an answer, fresh or stale, or a failure."""
        return key in self._probation or key in self._protected or key in self._failures

    def put(self, cached: Cached) -> None:
        """Take an answer in; replaces an older one and forgets a failure of the same question."""
        self._failures.pop(cached.key, None)
        self.noted(cached.key)
        old = self._probation.get(cached.key) or self._protected.get(cached.key)
        if old is not None:
            self.size += cached.size - old.size
            if old.protected:
                self._protected_size += cached.size - old.size
            # an unpopular answer has to earn its prefetch anew
            old.cached, old.size, old.hits = cached, cached.size, min(old.hits, 1)
            old.renewed = True
        else:
            self._probation[cached.key] = held = Held(cached)
            self.size += held.size
        while self.size > self._capacity and len(self):
            self._evict()

    def fail(self, cached: Cached) -> Cached:
        """Keep a failure: 1 s the first time, twice as long for each that follows, 30 s at most.

        Returns it with the lifetime it was given. The streak is forgotten by a success.
        """
        _, streak = self._failures.pop(cached.key, (cached, 0))
        lifetime = int(min(_FAILURE_MOST, _FAILURE_FIRST * 2**streak))
        kept = Cached(
            cached.key, cached.rcode, cached.plain, cached.secure, cached.targets,
            cached.addresses, cached.born, lifetime, False, cached.options,
        )  # fmt: skip
        self._failures[cached.key] = (kept, min(streak + 1, 8))
        self.noted(cached.key)
        if len(self._failures) > _FAILURES:
            self._failures.popitem(last=False)
        return kept

    def failure(self, key: bytes, now: float) -> Cached | None:
        """A failure that is still to be believed."""
        found = self._failures.get(key)
        return found[0] if found is not None and now < found[0].expires else None

    def flush(self, suffix: bytes | None = None) -> int:
        """Forget the names at and below a lower-case wire name, or everything; how many went."""
        keys = [
            key
            for segment in (self._probation, self._protected)
            for key in segment
            if suffix is None or _below(key, suffix)
        ]
        for key in keys:
            self._remove(key)
        self._failures.clear()
        return len(keys)

    def _fetch(self, key: bytes) -> Held | None:
        """Take over what native forwarding keeps, with the uses it had there."""
        found = self.behind(key) if self.behind is not None else None
        if found is None:
            return None
        self.put(found[0])
        held = self._probation.get(key)
        if held is not None:
            held.hits = found[1]
        return held

    def _promote(self, key: bytes, held: Held) -> None:
        del self._probation[key]
        self._protected[key] = held
        held.protected = True
        self._protected_size += held.size
        while self._protected_size > self._capacity * _PROTECTED_SHARE:
            back, demoted = self._protected.popitem(last=False)
            demoted.protected = False
            demoted.hits = 0
            self._protected_size -= demoted.size
            self._probation[back] = demoted

    def _evict(self) -> None:
        segment = self._probation or self._protected
        self._remove(next(iter(segment)))
        self.evictions += 1

    def _remove(self, key: bytes) -> None:
        held = self._probation.pop(key, None)
        if held is None:
            held = self._protected.pop(key)
            self._protected_size -= held.size
        self.size -= held.size


def _below(key: bytes, suffix: bytes) -> bool:
    """Whether the name in a cache key is `suffix` or ends in it at a label's border."""
    position = 0
    while True:
        if key[position:].startswith(suffix) and len(key) - position - len(suffix) in (4, 5):
            return True
        length = key[position]
        if not length:
            return False
        position += length + 1
