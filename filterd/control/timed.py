"""`overrides.*`, `pause.*`: decisions with an end, each an edit of the policy document.

An override of at most eight hours for named segments is what a lesson needs and may be given by
whoever has the `timed` permission; a longer or wider one is judged like any edit. A pause opens the
staff tiers alone (everything above the floor); pupils' tiers are never paused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from filterd.control.approvals import Wish, second_person
from filterd.control.owner import Apply, Owner, not_found, required_reason
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Refusal, Route, plain
from filterd.control.short_edits import LESSON, TOO_LONG, ShortEdits, narrow_name
from filterd.live import LivePolicy
from filterd.policy.model import Name, Override, Policy, SegmentId, TierId

LONGEST_PAUSE = timedelta(hours=4)
EVERYTHING = Name("")
"""The name of a pause: an allow for the root and all below it."""


@dataclass(frozen=True, slots=True)
class AddOverride:
    """Give `minutes` or `until`, or neither for one without an end."""

    name: str
    allow: bool
    reason: str
    tiers: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    minutes: int | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ById:
    """An override by the id that the list shows."""

    id: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Open the staff tiers for some minutes."""

    minutes: int
    reason: str
    approval: str | None = None


def routes(owner: Owner, live: LivePolicy) -> dict[str, Route]:
    """The methods of these nouns."""
    overrides, pause = _Overrides(owner, live), _Pause(owner, live)
    return {
        "overrides.list": Route(Nothing, Permission.VIEW, overrides.list),
        "overrides.add": Route(AddOverride, Permission.TIMED, overrides.add),
        "overrides.cancel": Route(ById, Permission.TIMED, overrides.cancel),
        "pause.start": Route(Pause, Permission.EDIT, pause.start),
        "pause.stop": Route(Nothing, Permission.EDIT, pause.stop),
    }


def appliers(owner: Owner, live: LivePolicy) -> dict[str, Apply]:
    """How an approved pause is carried out."""
    pause = _Pause(owner, live)

    async def start(request: Mapping[str, Any], author: Caller, approver: str) -> dict[str, Any]:
        return await pause.begin(author, request["minutes"], request["reason"], approver)

    return {"pause.start": start}


def paused_until(policy: Policy, at: datetime) -> datetime | None:
    """When the pause that runs now ends; None: there is none."""
    ends = [o.expires for o in policy.overrides if _is_pause(o) and o.expires and o.expires > at]
    return max(ends, default=None)


def override_id(override: Override) -> str:
    """A stable id made of what the override says."""
    scope = (*sorted(override.tiers), "", *sorted(override.segments))
    parts = (override.name, str(override.allow), *scope, override.author, str(override.expires))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


class _Overrides(ShortEdits):
    async def list(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        now = self._owner.clock()
        return {
            "items": [
                {"id": override_id(o), "name": o.name, "allow": o.allow,
                 "tiers": sorted(o.tiers), "segments": sorted(o.segments), "expires": o.expires,
                 "author": o.author, "reason": o.reason}
                for o in self.policy.overrides
                if (o.expires is None or o.expires > now) and not _is_pause(o)
            ]
        }  # fmt: skip

    async def add(self, caller: Caller, request: AddOverride) -> dict[str, Any]:
        self.own_segments(caller, request.segments)
        reason, now = required_reason(request.reason), self._owner.clock()
        expires = self._end(request, now)
        made = Override(
            narrow_name(request.name), request.allow, frozenset(map(TierId, request.tiers)),
            frozenset(map(SegmentId, request.segments)), reason, caller.name, expires,
        )  # fmt: skip

        def change(policy: Policy) -> Policy:
            return replace(policy, overrides=(*policy.overrides, made))

        lesson = expires is not None and expires - now <= LESSON
        if lesson and (request.segments or not request.allow):
            revision = await self.change(caller, change, reason)
        elif Permission.EDIT in caller.permissions:
            asked = {**plain(request), "minutes": None, "until": plain(expires)}
            words = _words(made)
            wish = Wish("overrides.add", asked, *words, reason)
            revision = await self.judged_change(caller, change, wish)
        else:
            raise TOO_LONG
        return {"id": override_id(made), "revision": revision}

    def _end(self, request: AddOverride, now: datetime) -> datetime | None:
        if request.minutes is not None and request.minutes > 0:
            return (now + timedelta(minutes=request.minutes)).replace(microsecond=0)
        if request.until is not None and request.until <= now:
            raise Refusal("invalid", "Thời điểm đã qua", "That time has passed")
        return request.until

    async def cancel(self, caller: Caller, request: ById) -> dict[str, Any]:
        found = next((o for o in self.policy.overrides if override_id(o) == request.id), None)
        if found is None:
            raise not_found("override")
        self.own_segments(caller, tuple(found.segments))

        def change(policy: Policy) -> Policy:
            rest = tuple(o for o in policy.overrides if override_id(o) != request.id)
            return replace(policy, overrides=rest)

        reason = f"huỷ / cancel: {found.name or '*'}"
        # Ending an opening is stricter; a lesson's block ends soon anyway and may end early.
        left = found.expires - self._owner.clock() if found.expires else None
        if found.allow or (left is not None and left <= LESSON):
            return {"revision": await self.change(caller, change, reason)}
        if Permission.EDIT in caller.permissions:
            vi, en = f"Bỏ lệnh chặn {found.name}", f"End the block of {found.name}"
            wish = Wish("overrides.cancel", {"id": request.id}, vi, en, reason)
            return {"revision": await self.judged_change(caller, change, wish)}
        raise Refusal("denied", "Chỉ quản trị viên bỏ được lệnh chặn dài hạn",
                      "Only an administrator ends a lasting block")  # fmt: skip


def _words(made: Override) -> tuple[str, str]:
    vi, en = ("Mở", "Open") if made.allow else ("Chặn", "Block")
    return f"{vi} {made.name}", f"{en} {made.name}"


class _Pause(ShortEdits):
    async def start(self, caller: Caller, request: Pause) -> dict[str, Any]:
        reason = required_reason(request.reason)
        if not 1 <= request.minutes <= LONGEST_PAUSE.total_seconds() / 60:
            raise Refusal("invalid", "Từ 1 đến 240 phút", "From 1 to 240 minutes")
        wish = Wish(
            "pause.start", {"minutes": request.minutes, "reason": reason},
            f"Tạm dừng lọc cho nhân viên {request.minutes} phút",
            f"Pause filtering for staff for {request.minutes} minutes", reason,
        )  # fmt: skip
        await second_person(self._owner, caller, wish)
        return await self.begin(caller, request.minutes, reason, None)

    async def begin(
        self, caller: Caller, minutes: int, reason: str, approver: str | None
    ) -> dict[str, Any]:
        """Start a pause that was allowed."""
        staff = frozenset(tier.id for tier in self.policy.tiers if not tier.pupils)
        if not staff:
            raise Refusal("invalid", "Không có bậc nhân viên", "There is no staff tier")
        until = (self._owner.clock() + timedelta(minutes=minutes)).replace(microsecond=0)
        made = Override(EVERYTHING, True, staff, frozenset(), reason, caller.name, until)

        def change(policy: Policy) -> Policy:
            return replace(policy, overrides=(*_unpaused(policy).overrides, made))

        await self.change(caller, change, reason, approver)
        return {"until": until}

    async def stop(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        if paused_until(self.policy, self._owner.clock()) is not None:
            await self.change(caller, _unpaused, "kết thúc tạm dừng / pause ended")
        return {}


def _is_pause(override: Override) -> bool:
    return override.allow and override.name == EVERYTHING


def _unpaused(policy: Policy) -> Policy:
    rest = tuple(override for override in policy.overrides if not _is_pause(override))
    return replace(policy, overrides=rest)
