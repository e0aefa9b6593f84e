"""How well an upstream does: round-trip times, failures in a row, and the hold-down.

PURE: the time comes in. An upstream that fails is held down for 2 s, then 4 … 60 s; while others
work it is only probed, and one good reply brings it back.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

HOLD_FIRST_SECONDS = 2.0
HOLD_MAX_SECONDS = 60.0
FAILURES_TO_HOLD = 3
RTT_UNKNOWN_SECONDS = 0.25
SUSPECT_SECONDS = 1.0


class State(enum.StrEnum):
    """What an upstream is used for."""

    UP = "up"
    HELD = "held"


@dataclass(slots=True)
class Health:
    """The record of one upstream; counters only grow."""

    queries: int = 0
    replies: int = 0
    failures: int = 0
    refusals: int = 0
    in_a_row: int = 0
    silent_seconds: float = 0.0
    silent_since: float = 0.0
    suspect: bool = False
    hold_seconds: float = 0.0
    held_until: float = 0.0
    srtt: float = 0.0
    deviation: float = 0.0

    @property
    def state(self) -> State:
        """HELD from the failure until a good reply, also when the hold has run out."""
        return State.HELD if self.hold_seconds else State.UP

    def patience(self, least: float, most: float) -> float:
        """About the 95th percentile of its replies, in seconds: after that, ask a second one."""
        if not self.srtt:
            return min(max(RTT_UNKNOWN_SECONDS, least), most)
        return min(max(self.srtt + 2 * self.deviation, least), most)

    def replied(self, rtt: float) -> None:
        """A usable reply came after `rtt` seconds (smoothed as RFC 6298 §2 does)."""
        self.replies += 1
        self.in_a_row = 0
        self.silent_seconds = self.silent_since = self.hold_seconds = 0.0
        self.suspect = False
        if not self.srtt:
            self.srtt, self.deviation = rtt, rtt / 2
            return
        self.deviation += (abs(rtt - self.srtt) - self.deviation) / 4
        self.srtt += (rtt - self.srtt) / 8

    def failed(self, now: float, *, certain: bool) -> bool:
        """No usable reply; True if this starts a hold-down.

        `certain`: the network itself said so (ICMP, no route, no handshake): believed at once.
        """
        self.failures += 1
        self.in_a_row += 1
        if self.hold_seconds or not (certain or self.in_a_row >= FAILURES_TO_HOLD):
            return False
        self._hold(now, HOLD_FIRST_SECONDS)
        return True

    def outrun(self, now: float, waited: float) -> bool:
        """Another was faster, `waited` seconds after this one was asked; True: time for a probe.

        That is after a second of silence, or when clients have waited a second in all. Only a
        probe can tell a slow upstream from a dead one here.
        """
        self.silent_seconds += waited
        self.silent_since = self.silent_since or now
        if self.hold_seconds or (
            self.silent_seconds < SUSPECT_SECONDS and now - self.silent_since < SUSPECT_SECONDS
        ):
            return False
        self.silent_seconds = self.silent_since = 0.0
        self.suspect = True
        return True

    def probe_failed(self, now: float) -> None:
        """The probe at the end of a hold-down failed too: twice as long."""
        self.failures += 1
        self._hold(now, min(self.hold_seconds * 2 or HOLD_FIRST_SECONDS, HOLD_MAX_SECONDS))

    def _hold(self, now: float, seconds: float) -> None:
        self.hold_seconds = seconds
        self.held_until = now + seconds
