"""`overrides.*`, `exams.*`, `pause.*`: decisions with an end, each an edit of the policy document.

An override of at most eight hours is what a lesson needs and may be given by whoever has the
`timed` permission; a longer one is judged like any edit. A pause opens the staff tiers alone
(everything above the floor); pupils' tiers are never paused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from filterd.control.approvals import Wish, second_person
from filterd.control.edits import Change, Proposal, changed_files, put, put_or_ask
from filterd.control.owner import Apply, Owner, not_found, required_reason
from filterd.control.permissions import Permission, Role
from filterd.control.protocol import Caller, Nothing, Refusal, Route
from filterd.live import LivePolicy
from filterd.policy.model import Exam, Name, Override, Policy, SegmentId, TierId
from filterd.wire import names

LESSON = timedelta(hours=8)
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
    """An override or an exam by the id that the list shows."""

    id: str


@dataclass(frozen=True, slots=True)
class AddExam:
    """Allow-only for some segments until a time."""

    segments: tuple[str, ...]
    until: datetime
    reason: str
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pause:
    """Open the staff tiers for some minutes."""

    minutes: int
    reason: str
    approval: str | None = None


def routes(owner: Owner, live: LivePolicy) -> dict[str, Route]:
    """The methods of these nouns."""
    overrides, exams, pause = _Overrides(owner, live), _Exams(owner, live), _Pause(owner, live)
    return {
        "overrides.list": Route(Nothing, Permission.VIEW, overrides.list),
        "overrides.add": Route(AddOverride, Permission.TIMED, overrides.add),
        "overrides.cancel": Route(ById, Permission.TIMED, overrides.cancel),
        "exams.list": Route(Nothing, Permission.VIEW, exams.list),
        "exams.add": Route(AddExam, Permission.TIMED, exams.add),
        "exams.cancel": Route(ById, Permission.TIMED, exams.cancel),
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


def exam_id(exam: Exam) -> str:
    """A stable id made of what the exam says."""
    parts = (",".join(sorted(exam.segments)), str(exam.until), exam.author)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


class _Edits:
    def __init__(self, owner: Owner, live: LivePolicy) -> None:
        self._owner = owner
        self._live = live

    @property
    def policy(self) -> Policy:
        return self._live.running.policy

    def own_segments(self, caller: Caller, segments: tuple[str, ...]) -> None:
        """A teacher acts on the segments of the account alone."""
        if caller.role is Role.TEACHER and not (segments and set(segments) <= set(caller.segments)):
            raise Refusal(
                "denied",
                "Bạn chỉ được mở cho phòng của mình",
                "You may do this for your own rooms only",
            )

    async def change(
        self, caller: Caller, change: Change, reason: str, approver: str | None = None
    ) -> int:
        """Apply a change whose right was checked."""
        files = changed_files(self._live, change, self._owner.clock())
        proposal = Proposal(files, None, reason, approver)
        return await put(self._owner, self._live, caller, proposal)

    async def judged_change(self, caller: Caller, change: Change, reason: str) -> int:
        """Apply a change, or ask a second person when it weakens protection."""
        files = changed_files(self._live, change, self._owner.clock())
        proposal = Proposal(files, self._live.running.revision, reason)
        return await put_or_ask(self._owner, self._live, caller, ("policy.apply", proposal))


class _Overrides(_Edits):
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
            _name(request.name), request.allow, frozenset(map(TierId, request.tiers)),
            frozenset(map(SegmentId, request.segments)), reason, caller.name, expires,
        )  # fmt: skip

        def change(policy: Policy) -> Policy:
            return replace(policy, overrides=(*policy.overrides, made))

        if expires is not None and expires - now <= LESSON:
            revision = await self.change(caller, change, reason)
        elif Permission.EDIT in caller.permissions:
            revision = await self.judged_change(caller, change, reason)
        else:
            raise Refusal("denied", "Tối đa 8 giờ", "At most eight hours")
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
        if found.allow or Permission.EDIT not in caller.permissions:
            return {"revision": await self.change(caller, change, reason)}
        return {"revision": await self.judged_change(caller, change, reason)}


class _Exams(_Edits):
    async def list(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        now = self._owner.clock()
        return {
            "items": [
                {"id": exam_id(e), "segments": sorted(e.segments), "until": e.until,
                 "allowed": e.allowed, "author": e.author, "reason": e.reason}
                for e in self.policy.exams if e.until > now
            ]
        }  # fmt: skip

    async def add(self, caller: Caller, request: AddExam) -> dict[str, Any]:
        self.own_segments(caller, request.segments)
        reason = required_reason(request.reason)
        if not request.segments or request.until <= self._owner.clock():
            raise Refusal("invalid", "Cần phòng và giờ kết thúc", "Give segments and a later end")
        allowed = tuple(_name(name) for name in request.allowed)
        segments = frozenset(map(SegmentId, request.segments))
        made = Exam(segments, request.until, allowed, reason, caller.name)

        def change(policy: Policy) -> Policy:
            return replace(policy, exams=(*policy.exams, made))

        return {"id": exam_id(made), "revision": await self.change(caller, change, reason)}

    async def cancel(self, caller: Caller, request: ById) -> dict[str, Any]:
        found = next((e for e in self.policy.exams if exam_id(e) == request.id), None)
        if found is None:
            raise not_found("exam")
        self.own_segments(caller, tuple(found.segments))

        def change(policy: Policy) -> Policy:
            return replace(policy, exams=tuple(e for e in policy.exams if exam_id(e) != request.id))

        return {"revision": await self.change(caller, change, "huỷ kiểm tra / cancel the exam")}


class _Pause(_Edits):
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


def _name(text: str) -> Name:
    try:
        return names.from_text(text.strip())
    except ValueError:
        raise Refusal("invalid", f"“{text}” không phải tên miền", f"{text!r} is no name") from None
