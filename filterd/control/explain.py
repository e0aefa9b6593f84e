"""`explain`: one name in every tier, from the running ruleset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from filterd.control.owner import Owner
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Refusal, Route
from filterd.live import LivePolicy
from filterd.policy.expect import outcome
from filterd.policy.model import Name
from filterd.policy.verdict import Alias, Blocked, Placement, Question, Rewritten, Verdict
from filterd.wire import names

TYPES = {"A": 1, "AAAA": 28, "HTTPS": 65, "SVCB": 64, "CNAME": 5, "MX": 15, "TXT": 16, "NS": 2,
         "PTR": 12, "SRV": 33, "ANY": 255}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Explain:
    """A name as people type it, a type, a time (None: now)."""

    name: str
    type: str = "A"
    at: datetime | None = None


def routes(owner: Owner, live: LivePolicy) -> dict[str, Route]:
    """The methods of this noun."""
    noun = _Explain(owner, live)
    return {"explain": Route(Explain, Permission.VIEW, noun.explain)}


def typed_name(text: str) -> Name:
    """A domain name from what people type or paste: a URL, capitals, a final dot."""
    host = text.strip()
    if "://" in host:
        host = host.partition("://")[2]
    host = host.partition("/")[0].rpartition("@")[2]
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return names.from_text(host)
    except ValueError:
        raise Refusal(
            "invalid", f"“{text[:80]}” không phải tên miền", f"{text[:80]!r} is not a name"
        ) from None


class _Explain:
    def __init__(self, owner: Owner, live: LivePolicy) -> None:
        self._owner = owner
        self._live = live

    async def explain(self, caller: Caller, request: Explain) -> dict[str, Any]:
        number = TYPES.get(request.type.upper())
        if number is None:
            raise Refusal("invalid", "Kiểu không đúng", f"type is one of {', '.join(TYPES)}")
        name, at = typed_name(request.name), request.at or self._owner.clock()
        running = self._live.running
        question = Question(name, number)
        return {
            "name": name,
            "type": request.type.upper(),
            "at": at,
            "revision": running.revision,
            "verdicts": [
                {"tier": tier.id,
                 **shown(running.ruleset.effective(Placement(tier.id), at).verdict(question))}
                for tier in running.policy.tiers
            ],
        }  # fmt: skip


def shown(verdict: Verdict) -> dict[str, Any]:
    """A verdict with its origin, as the console shows it."""
    origin = verdict.origin
    return {
        "verdict": outcome(verdict),
        "step": origin.step,
        "rule": origin.rule,
        "list": origin.list,
        "category": origin.category,
        "file": origin.file,
        "line": origin.line,
        "answer": _answer(verdict),
        "chain": [],
        "change": _change(verdict),
    }


def _answer(verdict: Verdict) -> str | None:
    if isinstance(verdict, Rewritten):
        if isinstance(verdict.answer, Alias):
            return f"CNAME {verdict.answer.target}"
        return ", ".join(value for *_, value in verdict.answer.records) or None
    return verdict.action.value if isinstance(verdict, Blocked) else None


_CHANGES = {
    "floor_everyone": ("Không ai ở trường nới được", "Nobody at the school can loosen this"),
    "floor_pupils": (
        "Chỉ bằng ngoại lệ tối đa 30 ngày, có người duyệt",
        "Only by an exception of at most 30 days with a second approver",
    ),
    "override": ("Sửa hoặc huỷ quyết định riêng này", "Change or cancel this override"),
    "service": ("Mở dịch vụ này cho bậc", "Allow this service for the tier"),
    "category": ("Mở loại nội dung này hoặc thêm quyết định riêng",
                 "Open this category, or add an override for the name"),
    "allow_only": ("Thêm tên này vào danh sách được phép", "Add the name to the allowed ones"),
    "safe_search": ("Đổi chế độ tìm kiếm an toàn của bậc", "Change the tier's safe search"),
}  # fmt: skip


def _change(verdict: Verdict) -> dict[str, str] | None:
    found = _CHANGES.get(verdict.origin.step.value)
    return None if found is None else {"vi": found[0], "en": found[1]}
