"""What the fake control server answers for `evidence.*`: a month with a red gate, a failed test."""

from __future__ import annotations

from typing import Any

from tests.unit.admin_ui.fake_answers import HOSTILE, later


def indicator(id_: str, verdict: str, value: int | None, reason: str = "") -> dict[str, Any]:
    return {
        "id": id_, "value": value, "n": 0 if value is None else 1234, "threshold": 9950,
        "verdict": verdict, "measurable": value is not None, "reason": reason, "parts": {},
        "why": {"vi": f"Vì {reason}", "en": f"Because {reason}"} if reason else None,
        "title": {"vi": f"Chỉ số {id_}", "en": f"Indicator {id_}"}, "gate": id_ != "I9",
        "lower_is_better": id_ == "I2b",
    }  # fmt: skip


def evidence() -> dict[str, Any]:
    return {
        "period": "2026-11", "as_of": "2026-11-23",
        "method": {"version": "v0", "status": "proposed"}, "status": "not_met",
        "title": {"vi": "CHƯA ĐẠT", "en": "NOT MET"}, "limits": ["I6"], "now": "enforcing",
        "reasons": [{"indicator": "I4", "verdict": "fail", "code": "others_stale"}],
        "indicators": [
            indicator("I1", "pass", 9998), indicator("I2b", "unmeasured", None, "not_counted"),
            indicator("I4", "fail", 4200, "others_stale"), indicator("I6", "unmeasured", None),
            indicator("I9", "shown", 10000),
        ],
        "selftest": {"at": later(hours=-1), "scheduled": 9, "executed": 9, "failed": [],
                     "via": {}},
        "spool": {"waiting": 1, "oldest": "2026-11-22"}, "device": {"id": "d", "public": "ab"},
        "office": {"url": "https://so.example", "school": "VN-1"}, "due": [],
    }  # fmt: skip


def tested() -> dict[str, Any]:
    return {
        "passed": False, "at": later(), "scheduled": 9, "executed": 8, "unseen": 1,
        "block": {"primary": {"porn": [12, 12], "games": [3, 4]}, "staff": {"porn": [2, 2]}},
        "allow": {"primary": [5, 5]}, "safesearch": {"primary": {"google": [1, 1]}},
        "bypass": {"ddr": [1, 1]}, "tests": {"ddr": {"vi": "Tự nâng cấp", "en": "Discovery"}},
        "via": {"primary": "segment_address", "staff": "unreachable"},
        "failed": [{"kind": "block", "tier": "primary", "subject": "games", "transport": "udp",
                    "type": "A", "got": HOSTILE}],
    }  # fmt: skip


def due(id_: str, stage: str, days_left: int, **more: Any) -> dict[str, Any]:
    return {
        "id": id_, "title": {"vi": f"Báo cáo {id_}", "en": f"Report {id_}"}, "to": "commune",
        "nominal": "2026-11-25", "hand_in": "2026-11-24", "late_after": "2026-11-24",
        "reminders": ["2026-10-25", "2026-11-17", "2026-11-23"], "days_left": days_left,
        "stage": stage, "handed_in": None, "basis": "qd", "basis_in_force": False, **more,
    }  # fmt: skip


def spent(day: str, exposed: int) -> dict[str, Any]:
    whole = {"enforcing_s": 86000, "exposed_s": exposed, "offline_s": 0, "paused_s": 0}
    return {"day": day, "whole": whole, "service": {**whole, "exposed_s": 0}, "jumps": 0}


def summary(counter: int, sent: str | None, answer: str | None = None) -> dict[str, Any]:
    return {
        "counter": counter, "day": f"2026-11-{counter:02}", "digest": "ab", "sent_at": sent,
        "answer": answer, "envelope": HOSTILE,
    }  # fmt: skip


def evidence_answers() -> dict[str, Any]:
    """One answer for every method of the noun that the page asks."""
    return {
        "evidence.status": evidence(),
        "evidence.selftest": tested(),
        "evidence.exposure": {"total": {}, "items": [spent("2026-11-23", 90),
                                                     spent("2026-10-31", 600)]},
        "evidence.summaries": {"more": False, "items": [
            summary(20, later(days=-2), "before enrolment"), summary(21, later(days=-1)),
            summary(22, later(days=-1), "422 " + HOSTILE), summary(23, None),
        ]},
        "evidence.calendar": {
            "today": "2026-11-23", "semester": "2026-2027/1",
            "items": [due("year", "remind", 1), due("self", "done", 9, handed_in="2026-11-01")],
            "legal_basis": [{"id": "qd", "document": {"vi": "Quyết định", "en": "Decision"},
                             "valid_to": "2025-12-31", "in_force": False, "source": "sourced"}],
        },
        "evidence.report": lambda fields: {"file": f"filterd-x.{fields['format']}"} | (
            {"record": {"school_id": "Trường"}} if fields["format"] == "json"
            else {"content": "QUJD"}
        ),
    }  # fmt: skip
