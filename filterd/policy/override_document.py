"""Reads the decisions in `school.yaml`: overrides, exams, orders of an authority.

Knows their keys and what makes an exception to the floor valid (contract §5); no tiers' contents.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from filterd.policy import values
from filterd.policy.model import (
    AuthorityEntry,
    Exam,
    Exception_,
    Name,
    Override,
    SegmentId,
    TierId,
)
from filterd.policy.reader import Fields, ValueProblem, choice, truth
from filterd.policy.tables import exception_stands

OVERRIDE_KEYS = (
    *("name", "action", "tiers", "segments", "reason", "author", "expires", "exception"),
    "safe_search",
)
EXAM_KEYS = ("segments", "until", "allowed", "reason", "author")
ORDER_KEYS = ("name", "document", "issuer", "issued", "expires")
Words = Callable[[str], str]
_MISSING = Name("missing.invalid")


def read_override(item: Fields, tier: Words, segment: Words) -> Override:
    """One override; an exception that would not stand is a problem, not a silent nothing."""
    allow = item.value("action", choice(("allow", "block")), "block", need=True) == "allow"
    found = Override(
        name=item.value("name", values.name_or_root, _MISSING, need=True),
        allow=allow,
        tiers=frozenset(map(TierId, item.values("tiers", tier))),
        segments=frozenset(map(SegmentId, item.values("segments", segment))),
        reason=item.value("reason", values.line, "", need=True),
        author=item.value("author", values.line, "", need=True),
        expires=item.value("expires", values.moment, None),
        exception=_exception(item),
        safe_search=item.value("safe_search", truth, False),
        line=item.line,
    )
    if found.exception is not None and not exception_stands(found):
        item.wrong(
            "exception",
            ValueProblem(
                "needs an allow with reason, author, another approver, and an end at most 30 days "
                "after the approval",
                "cần: cho phép, lý do, người lập, người duyệt khác, và hết hạn trong 30 ngày kể từ "
                "khi duyệt",
            ),
        )
    if not found.name and not (allow and found.expires and found.tiers):
        item.wrong(
            "name",
            ValueProblem(
                "`.` (everything: a pause of the filter) is an allow with tiers and an end",
                "`.` (mọi tên: tạm dừng lọc) phải là cho phép, có bậc và có lúc hết hạn",
            ),
        )
    if found.safe_search and not allow:
        item.wrong(
            "safe_search",
            ValueProblem("only an allow can carry it", "chỉ dùng với cho phép"),
        )
    return found


def _exception(item: Fields) -> Exception_ | None:
    child = item.child("exception", ("approved_by", "approved_at"))
    if child is None:
        return None
    by = child.value("approved_by", values.line, "", need=True)
    at = child.value("approved_at", values.moment, None, need=True)
    return Exception_(by, at) if at is not None else None


def read_exam(item: Fields, segment: Words) -> Exam | None:
    """One exam, or None when its end or its rooms cannot be read."""
    segments = frozenset(map(SegmentId, item.values("segments", segment)))
    until = item.value("until", values.moment, None, need=True)
    allowed = item.values("allowed", values.name)
    reason = item.value("reason", values.line, "")
    author = item.value("author", values.line, "")
    if not segments:
        item.wrong("segments", ValueProblem("names no segment", "chưa có phân đoạn mạng nào"))
    return Exam(segments, until, allowed, reason, author) if until and segments else None


def read_order(item: Fields) -> AuthorityEntry | None:
    """One order; without its document, issuer and date it is no order."""
    name = item.value("name", values.name, Name(""), need=True)
    document = item.value("document", values.line, "", need=True)
    issuer = item.value("issuer", values.line, "", need=True)
    issued: date | None = item.value("issued", values.day, None, need=True)
    expires = item.value("expires", values.day, None)
    if issued is None or not name:
        return None
    if expires is not None and expires < issued:
        item.wrong("expires", ValueProblem("lies before `issued`", "trước ngày ban hành"))
    return AuthorityEntry(name, document, issuer, issued, expires, item.line)
