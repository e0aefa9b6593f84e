"""Carries signed summaries to the office: in order, over HTTPS, again and again until taken.

Owns no key and changes no summary. Works behind NAT; the queue is the store, so a month without a
line loses nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from filterd.errors import EvidenceError
from filterd.evidence.signing import DeviceKey
from filterd.storage.evidence import EvidenceStore

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 20.0
AT_ONCE = 50
TAKEN = frozenset({200, 201, 202, 204, 409})
"""409: the office has this summary already, byte for byte."""
REFUSED = frozenset({400, 403, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class Office:
    """Where to send: `ca` is the PEM of the office's own certificate, None: the system's roots;
    `school` is this school's id in the office's register, once enrolled."""

    url: str
    ca: str | None = None
    school: str | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith("https://"):
            raise EvidenceError("invalid", "the office's address must begin with https://")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one round did. `waiting` is why the rest stays in the spool, None when it is empty."""

    taken: int = 0
    refused: int = 0
    waiting: str | None = None


class Courier:
    """Sends what the store has not sent yet."""

    def __init__(self, store: EvidenceStore, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock

    async def deliver(self, office: Office) -> Delivery:
        """One round: in counter order until everything is taken or the line fails.

        A refused summary is kept and shown with the office's answer; it does not hold up the rest.
        """
        import httpx  # 7 MiB, for schools that have an office alone

        taken = refused = 0
        async with _session(office) as session:
            while waiting := await self._store.unsent(AT_ONCE):
                for summary in waiting:
                    try:
                        reply = await session.post("api/v1/summaries", content=summary.envelope)
                    except httpx.HTTPError as error:
                        return Delivery(taken, refused, f"{type(error).__name__}: {error}")
                    now = self._clock().isoformat(timespec="seconds")
                    if reply.status_code in TAKEN:
                        await self._store.sent(summary.counter, now, None)
                        taken += 1
                    elif reply.status_code in REFUSED:
                        answer = f"{reply.status_code} {reply.text[:300]}"
                        await self._store.sent(summary.counter, now, answer)
                        refused += 1
                    else:
                        return Delivery(taken, refused, f"HTTP {reply.status_code}")
        return Delivery(taken, refused)


async def enrol(office: Office, code: str, key: DeviceKey) -> str:
    """Make this device known by the office's one-time code; the school id that the office gives.

    EvidenceError `refused` or `unavailable`.
    """
    import httpx

    content = {"code": code, "device": key.id, "public": key.public.hex()}
    try:
        async with _session(office) as session:
            reply = await session.post("api/v1/enrol", json=content)
            if reply.status_code not in (200, 201):
                raise EvidenceError("refused", f"the office said {reply.status_code}")
            return str(reply.json()["school"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise EvidenceError("unavailable", f"the office cannot be reached: {error}") from error


def _session(office: Office) -> httpx.AsyncClient:
    import httpx

    context = ssl.create_default_context(cadata=office.ca)
    return httpx.AsyncClient(
        base_url=office.url.rstrip("/") + "/",
        headers={"content-type": "application/json"},
        verify=context,
        timeout=TIMEOUT_S,
        trust_env=False,
    )
