"""What the fake control server answers: one plain value for every method of docs/control.md."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filterd.control.permissions import Role

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>\\032.x"


def texts(folder: str, names: tuple[str, ...]) -> dict[str, str]:
    return {name: (ROOT / folder / name).read_text("utf-8") for name in names}


def policy_files() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in (ROOT / "policies").glob("*.yaml")}


def tier_files() -> dict[str, str]:
    """What the portal is given: `school.yaml` names devices and people, so it stays inside."""
    return {name: text for name, text in policy_files().items() if name != "school.yaml"}


def taxonomy_files() -> dict[str, str]:
    names = ("taxonomy.yaml", "services.yaml", "safesearch.yaml", "must_allow.yaml")
    return texts("blocklists", (*names, "protected.yaml"))


def later(**shift: float) -> str:
    return (NOW + timedelta(**shift)).isoformat()


def account(role: str) -> dict[str, Any]:
    return {
        "id": f"id-{role}", "name": role, "title": f"Cô {role}", "role": role,
        "language": "", "segments": [], "totp": True,
    }  # fmt: skip


def status() -> dict[str, Any]:
    return {
        "state": "enforcing", "since": later(days=-3), "paused_until": None, "version": "0.1.0",
        "revision": 7, "hash": "ab" * 32, "clock_trusted": True,
        "school": {"id": "x", "name": "THCS Nguyễn Trãi"},
        "workers": [{"number": 0, "pid": 1, "alive": True, "lag": 0.0, "restarts": 0}],
        "upstreams": [{"address": "tls://9.9.9.9", "healthy": True, "rtt_ms": 12, "failures": 0}],
        "lists": {"total": 21, "stale": 0, "quarantined": 1, "oldest_seconds": 86400},
        "decisions": {"approvals": 1, "tickets": 3, "quarantined": 1, "unknown": 2},
        "selftest": {"at": later(hours=-1), "passed": 120, "failed": 0},
    }  # fmt: skip


def traffic() -> dict[str, Any]:
    return {
        "start": later(days=-1), "step_seconds": 3600,
        "tiers": {
            "primary": {"queries": [None, 40, 90, 120] * 6, "blocked": [None, 4, 9, 10] * 6},
            "staff": {"queries": [10, 20, 30, 20] * 6, "blocked": [0, 1, 0, 2] * 6},
        },
        "categories": {"primary": {"games": 120, "ads": 900, "self_harm": None}},
    }  # fmt: skip


def revision(number: int, **more: Any) -> dict[str, Any]:
    return {
        "revision": number, "at": later(days=-number), "author": "admin",
        "reason": f"Lý do {number} {HOSTILE}", "hash": "cd" * 32, "weakens": number % 2 == 0,
        "current": number == 7, **more,
    }  # fmt: skip


def change(weakens: bool = False) -> dict[str, Any]:
    return {"vi": "THCS: mở trò chơi", "en": "Lower secondary: games open", "weakens": weakens}


def ticket(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number, "type": "unblock", "name": HOSTILE, "tier": "primary", "state": "open",
        "opened": later(hours=-5), "due": later(days=1), "late": number % 2 == 0,
        "decided_at": None, "decision": None, **more,
    }  # fmt: skip


def blocklist(key: str, **more: Any) -> dict[str, Any]:
    return {
        "id": key, "title": {"vi": f"Danh sách {key}", "en": f"List {key}"}, "category": "games",
        "url": f"https://lists.example/{key}.txt", "homepage": None, "licence": "MIT",
        "attribution": None, "enabled": True, "own": False, "state": "fresh", "entries": 120000,
        "unique": 4000, "checked": later(hours=-3), "changed": later(days=-1),
        "max_age_seconds": 604800, "error": None, "dropped": {"protected_name": 2},
        "samples": ["google.com"], "quarantine": None,
        "versions": [
            {"version": "b" * 12, "at": later(days=-1), "entries": 120000, "current": True},
            {"version": "a" * 12, "at": later(days=-8), "entries": 119000, "current": False},
        ], **more,
    }  # fmt: skip


def quarantined() -> dict[str, Any]:
    return blocklist(
        "held",
        state="quarantined",
        quarantine={
            "at": later(hours=-2), "reason": "shrank by 42 %", "before": 1000, "after": 580,
            "added": 10, "removed": 430, "added_samples": ["new.example"],
            "removed_samples": [HOSTILE], "protected": ["moet.gov.vn"],
        },
    )  # fmt: skip


def verdict(tier: str) -> dict[str, Any]:
    return {
        "tier": tier, "verdict": "blocked", "step": "category", "rule": HOSTILE, "list": "games",
        "category": "games", "file": "lists/games.txt", "line": 12, "answer": None,
        "chain": [{"name": HOSTILE, "verdict": "blocked", "rule": HOSTILE, "list": "games",
                   "category": "games"}],
        "change": {"vi": "Mở trong ma trận", "en": "Open it in the matrix"},
    }  # fmt: skip


def override() -> dict[str, Any]:
    return {
        "id": "o1", "name": "youtube.com", "allow": True, "tiers": [], "segments": [],
        "expires": later(minutes=30), "author": "cô Lan", "reason": "Bài giảng",
    }  # fmt: skip


def person(role: str) -> dict[str, Any]:
    return {**account(role), "locked": False, "last_login": later(hours=-2)}


def session(key: str, current: bool) -> dict[str, Any]:
    return {
        "id": key, "account": "admin", "since": later(hours=-2), "last": later(minutes=-1),
        "address": "10.0.0.5", "agent": HOSTILE, "current": current,
    }  # fmt: skip


def entry(number: int) -> dict[str, Any]:
    return {
        "id": number, "at": later(hours=-number), "actor": "admin", "action": "policy.apply",
        "target": HOSTILE, "reason": "=1+1", "before_hash": "a", "after_hash": "b",
    }  # fmt: skip


def approval(state: str, mine: bool = False) -> dict[str, Any]:
    return {
        "id": f"a-{state}-{mine}", "method": "policy.apply", "mine": mine, "state": state,
        "summary": {"vi": "Đổi chính sách", "en": "Policy change"}, "changes": [change(True)],
        "author": "admin", "reason": HOSTILE, "at": later(hours=-1), "decided_by": None,
        "decided_at": None,
    }  # fmt: skip


def contact() -> dict[str, Any]:
    return {
        "id": "111", "title": {"vi": "Tổng đài 111", "en": "Helpline 111"}, "value": "111",
        "kind": "phone", "note": {"vi": "Miễn phí", "en": "Free"},
    }  # fmt: skip


def device(number: int) -> dict[str, Any]:
    return {
        "key": f"02:00:00:00:00:{number:02x}", "address": f"10.1.0.{number}", "vendor": HOSTILE,
        "segment": None, "tier": "preschool", "known": False, "random": True,
        "last": later(minutes=-number),
    }  # fmt: skip


def policy_answers() -> dict[str, Any]:
    blast = {"since": later(days=-1), "k": 10, "hidden": 3, "names": [
        {"tier": "primary", "name": HOSTILE, "before": "allowed", "after": "blocked", "clients": 24}
    ]}  # fmt: skip
    return {
        "status.get": status(),
        "status.traffic": traffic(),
        "pause.start": {"until": later(minutes=10)},
        "policy.get": {
            "revision": 7, "hash": "ab" * 32, "files": policy_files(), "taxonomy": taxonomy_files(),
        },
        "policy.preview": {
            "problems": [], "changes": [change(), change(True)], "failures": [], "weakens": True,
            "needs_approval": True, "blast": blast,
        },
        "policy.apply": {"revision": 8},
        "policy.rollback": {"revision": 8},
        "policy.history": {"items": [revision(n) for n in range(7, 0, -1)], "more": False},
        "policy.revision": lambda fields: revision(
            fields["revision"], files=policy_files(), changes=[change()], approved_by="head"
        ),
        "drafts.get": {"files": None, "base": None, "at": None},
        "approvals.list": {
            "items": [approval("open"), approval("open", True), approval("refused")]
        },
    }  # fmt: skip


def care_answers() -> dict[str, Any]:
    tiers = ("preschool", "primary", "lower_secondary", "upper_secondary", "staff")
    return {
        "overrides.list": {"items": [override()]},
        "exams.list": {"items": [
            {"id": "e1", "segments": ["room-3"], "until": later(hours=1), "allowed": [],
             "author": "cô Lan", "reason": "Thi"}
        ]},
        "explain": lambda fields: {
            "name": fields["name"], "type": "A", "at": later(), "revision": 7,
            "verdicts": [verdict(tier) for tier in tiers],
        },
        "tickets.list": {"items": [ticket(n) for n in range(5, 0, -1)], "more": True,
                         "counts": {"open": 5}},
        "tickets.get": lambda fields: ticket(
            fields["id"], note=HOSTILE, handoff=None,
            history=[{"at": later(), "author": None, "what": "opened", "reason": HOSTILE}],
        ),
        "tickets.submit": {"number": 12, "due": later(days=2)},
        "contacts.get": {"items": [contact()]},
    }  # fmt: skip


def people_answers() -> dict[str, Any]:
    return {
        "people.list": {"items": [person(role) for role in Role], "approvers": 1,
                        "rests_hours": 24},
        "people.add": {"id": "n", "password": "once-only-secret"},
        "people.reset": {"password": "once-only-secret"},
        "people.totp_begin": {"secret": "JBSWY3DPEHPK3PXP",
                              "uri": "otpauth://totp/filterd:x?secret=JBSWY3DPEHPK3PXP"},
        "sessions.list": {"items": [session("s1", True), session("s2", False)]},
        "audit.list": {"items": [entry(n) for n in range(9, 0, -1)], "more": False},
        "audit.verify": {"ok": True, "checked": 9, "first_bad": None},
    }  # fmt: skip


def list_answers() -> dict[str, Any]:
    return {
        "lists.status": {"items": [blocklist("games"), quarantined()], "version": "v"},
        "lists.overlap": {"ids": ["games", "held"], "shared": [[9, 2], [2, 5]]},
        "lists.local_get": {"items": [{"category": "games", "text": "x.example\n", "entries": 1}]},
        "lists.add_source": {"id": "new"},
        "lists.local_set": {"entries": 2, "dropped": {}},
        "seen.clients": {"segments": [], "items": [device(n) for n in (1, 2)], "more": False},
        "tokens.list": {"items": []},
        "tokens.add": {"id": "t", "token": "shown-once"},
        "tail.state": {"on": False, "until": None, "author": None, "approved_by": None,
                       "reason": None},
        "tail.rows": {"items": []},
        "backup.export": {"archive": "QUJD", "file": "filterd.backup"},
        "backup.inspect": {"made": later(), "school": "x", "parts": ["policy"],
                           "changes": [change()]},
    }  # fmt: skip


def box_answers() -> dict[str, Any]:
    return {
        "describe": {"methods": {
            "status.get": {"permission": "view", "text": "State", "fields": {}, "required": []},
            "tickets.get": {"permission": "decide", "text": "One", "required": ["id"],
                            "fields": {"id": {"type": "integer"}}},
            "pause.start": {"permission": "edit", "text": "Pause", "required": ["minutes"],
                            "fields": {"minutes": {"type": "integer"}}},
            "sessions.start": {"permission": "guest", "text": "", "fields": {}, "required": []},
        }},
        "setup.state": {"done": False, "steps": {"approver": False}},
        "portal.device": {
            "tier": "primary", "title": {"vi": "Tiểu học", "en": "Primary"}, "known": True,
            "revision": 7, "hash": "ab" * 32, "state": "enforcing",
            "lists": [{"title": {"vi": "Trò chơi", "en": "Games"}, "age_seconds": 7200}],
        },
        "evidence.challenge": lambda fields: {
            "envelope": "{}", "public": "ab" * 32,
            "body": json.dumps({
                "nonce": fields["nonce"], "at": "2026-11-21T08:00:00+07:00", "passed": 1,
                "executed": 2, "checks": [
                    {"kind": "block", "name": "porn.canary.filterd.test", "passed": True},
                    {"kind": "block", "name": "csam.canary.filterd.test", "passed": False},
                    {"kind": "allow", "name": "moet.gov.vn", "passed": None},
                ],
            }),
        },
        "portal.why": lambda fields: {
            "tier": "primary", "name": fields["name"], "verdict": "blocked", "step": "category",
            "category": "games", "list_title": {"vi": "Trò chơi", "en": "Games"}, "until": None,
        },
        "portal.notice": {
            "school": {"id": "x", "name": "THCS Nguyễn Trãi"}, "revision": 7, "at": later(),
            "files": tier_files(), "taxonomy": taxonomy_files(),
        },
    }  # fmt: skip


def answers() -> dict[str, Any]:
    """One answer for every method; a callable gets the fields."""
    parts = (policy_answers, care_answers, people_answers, list_answers, box_answers)
    return {key: value for part in parts for key, value in part().items()}
