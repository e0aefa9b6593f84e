"""`exams.*`: allow-only for some segments until a time, each an edit of the policy document."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from filterd.control.approvals import Wish, second_person
from filterd.control.owner import Owner, not_found, required_reason
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Refusal, Route, plain
from filterd.control.short_edits import LESSON, TOO_LONG, ShortEdits, whole_name
from filterd.live import LivePolicy
from filterd.policy.model import Exam, Policy, SegmentId


@dataclass(frozen=True, slots=True)
class AddExam:
    """Allow-only for some segments until a time."""

    segments: tuple[str, ...]
    until: datetime
    reason: str
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ById:
    """An exam by the id that the list shows."""

    id: str


def routes(owner: Owner, live: LivePolicy) -> dict[str, Route]:
    """The methods of this noun."""
    exams = _Exams(owner, live)
    return {
        "exams.list": Route(Nothing, Permission.VIEW, exams.list),
        "exams.add": Route(AddExam, Permission.TIMED, exams.add),
        "exams.cancel": Route(ById, Permission.TIMED, exams.cancel),
    }


def exam_id(exam: Exam) -> str:
    """A stable id made of what the exam says."""
    parts = (",".join(sorted(exam.segments)), str(exam.until), exam.author)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


class _Exams(ShortEdits):
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
        allowed = tuple(whole_name(name) for name in request.allowed)
        segments = frozenset(map(SegmentId, request.segments))
        made = Exam(segments, request.until, allowed, reason, caller.name)

        def change(policy: Policy) -> Policy:
            return replace(policy, exams=(*policy.exams, made))

        # Where a tier is allow-only already, the names of an exam are opened: as in a lesson.
        opens = bool(allowed) and any(self._walled(segment) for segment in segments)
        if not opens or request.until - self._owner.clock() <= LESSON:
            revision = await self.change(caller, change, reason)
        elif Permission.EDIT in caller.permissions:
            found = "Kỳ kiểm tra dài mở thêm tên", "A long exam opens names"
            await self._second(caller, found, request)
            revision = await self.change(caller, change, reason)
        else:
            raise TOO_LONG
        return {"id": exam_id(made), "revision": revision}

    def _walled(self, segment: SegmentId) -> bool:
        tier = next((s.tier for s in self.policy.segments if s.id == segment), None)
        return any(t.id == tier and t.allow_only for t in self.policy.tiers)

    async def _second(self, caller: Caller, words: tuple[str, str], request: AddExam) -> None:
        reason = required_reason(request.reason)
        names = ", ".join(request.allowed)[:400]
        wish = Wish(
            "exams.add", plain(request), f"{words[0]}: {names}", f"{words[1]}: {names}", reason
        )
        await second_person(self._owner, caller, wish)

    async def cancel(self, caller: Caller, request: ById) -> dict[str, Any]:
        found = next((e for e in self.policy.exams if exam_id(e) == request.id), None)
        if found is None:
            raise not_found("exam")
        self.own_segments(caller, tuple(found.segments))

        def change(policy: Policy) -> Policy:
            return replace(policy, exams=tuple(e for e in policy.exams if exam_id(e) != request.id))

        return {"revision": await self.change(caller, change, "huỷ kiểm tra / cancel the exam")}
