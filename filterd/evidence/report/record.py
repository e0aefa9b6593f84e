"""The report record (requirements §4.2): everything a report says, before it is laid out. Pure.

Built from the same facts and functions as the office's view, then signed as a whole.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from filterd.evidence import signing
from filterd.evidence.calendar import Calendar, upcoming
from filterd.evidence.canonical import Json, canonical, digest
from filterd.evidence.decision import Decision, decide
from filterd.evidence.governance import Governance
from filterd.evidence.indicators import Facts, Indicator, compute
from filterd.evidence.method import Method
from filterd.evidence.records import Pair, Summary
from filterd.evidence.report.annex import annex
from filterd.policy.model import Policy

FORMAT = "filterd.report/1"
Record = dict[str, Json]
LIMITS = (
    *("no_content_inspection", "not_monitoring", "mobile_data", "vpn_residual", "offsite"),
    *("https_block_page", "history_not_kept", "by_segment", "no_csam_list", "proposed_thresholds"),
)
"""What a DNS filter cannot do, printed on page 1 whatever the result (requirements §3.2, §4)."""
RETENTION = (
    ("query", "0"),
    ("client_key", "1d"),
    ("blocked_aggregates", "7d"),
    ("malware_device", "30d"),
    ("top_domains", "30d"),
    ("indicators", "5y"),
    ("audit", "24m"),
    ("tickets", "12m"),
    ("handoff", "5y"),
)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a report is made of."""

    policy: Policy
    facts: Facts
    method: Method
    governance: Governance
    calendar: Calendar
    today: date


def build(sources: Sources, key: signing.DeviceKey) -> Record:
    """The signed record: `signature` covers the canonical bytes of everything else."""
    indicators = compute(sources.facts, sources.method)
    last = sources.facts.days[-1] if sources.facts.days else None
    actions = sources.governance.get("actions", [])
    decision = decide(indicators, sources.method, actions, sources.today)
    record: Record = {
        **_head(sources, decision),
        "gates": {id_: _gate(each, sources.method) for id_, each in indicators.items()},
        "annex": annex(indicators, decision, sources.method),
        **_state(sources, last),
        **_counts(sources.facts, indicators),
        **_people(sources),
        **_papers(sources, last),
    }
    body = canonical(record)
    signed = key.sign(signing.REPORT, body)
    record["signature"] = {
        "device": key.id,
        "public": key.public.hex(),
        "digest": digest(body),
        "ed25519": base64.b64encode(signed.signature).decode("ascii"),
    }
    return record


def verified(record: Record, public: bytes) -> bool:
    """Whether this record is the one that the key signed."""
    seal = record.get("signature")
    if not isinstance(seal, dict):
        return False
    body = canonical({name: value for name, value in record.items() if name != "signature"})
    signature = base64.b64decode(str(seal.get("ed25519", "")))
    signed = signing.Signed(signing.REPORT, str(seal.get("device")), body, signature)
    return signing.verify(signed, public, signing.REPORT) == body


def _head(sources: Sources, decision: Decision) -> Record:
    identity, period = sources.policy.identity, sources.facts.period
    limits = [each for each in LIMITS if each != "no_csam_list" or not _csam_served(sources.facts)]
    limits += [f"unmeasured_{id_}" for id_ in decision.limits]
    return {
        "format": FORMAT,
        "method_version": sources.method.version,
        "method_status": sources.method.status,
        "school_id": identity.id or "unregistered",
        "school_name": identity.name,
        "commune_id": identity.commune,
        "facility_type": sources.governance.get("facility_type", identity.facility_type),
        "levels": list(sources.governance.get("levels", [])),
        "period": {
            "id": period.id,
            "first": period.first.isoformat(),
            "last": period.last.isoformat(),
            "partial": period.partial,
        },
        "as_of": period.as_of.isoformat(),
        "made_on": sources.today.isoformat(),
        "days_with_evidence": len(sources.facts.days),
        "days_due": sources.facts.due_days,
        "status": decision.status.value,
        "reasons": [
            {"indicator": each.indicator, "verdict": each.verdict.value, "code": each.code}
            for each in decision.reasons
        ],
        "limits": list(limits),
    }


def _csam_served(facts: Facts) -> bool:
    lists = facts.days[-1]["lists"] if facts.days else []
    return any(fact["category"] == "csam" and fact["kind"] != "shipped" for fact in lists)


def _gate(each: Indicator, method: Method) -> Json:
    limit = method.thresholds[each.id]
    return {
        "value": each.value,
        "n": each.n,
        "threshold": each.threshold,
        "lower_is_better": limit.lower_is_better,
        "gate": limit.gate,
        "verdict": each.verdict.value,
        "measurable": each.measurable,
        "reason": each.reason,
        "parts": dict(each.parts),
    }


def _state(sources: Sources, last: Summary | None) -> Record:
    """What is in force on the last day that has evidence."""
    method, policy = sources.method, sources.policy
    tiers = last["tiers"] if last else {}
    return {
        "deployment": last["facility"]["deployment"] if last else "unknown",
        "policy_revision": last["policy"]["revision"] if last else 0,
        "policy_hash": last["policy"]["hash"] if last else "",
        "tiers": [
            {
                "id": str(tier.id),
                "title": {"vi": tier.title.vi, "en": tier.title.en},
                "pupils": tier.pupils,
                "hash": tiers[tier.id]["hash"] if tier.id in tiers else "",
                "blocked": list(tiers[tier.id]["blocked"]) if tier.id in tiers else [],
                "allow_only": tier.allow_only,
            }
            for tier in policy.tiers
        ],
        "locked_sets": [
            {"for": "everyone", "categories": [*sorted(method.locked_everyone)]},
            {"for": "pupils", "categories": [*sorted(method.locked_pupils)]},
        ],
        "lists": [
            {
                "source": fact["id"],
                "category": fact["category"],
                "kind": fact["kind"],
                "licence": fact["licence"],
                "version": fact["version"],
                "entries": fact["entries"],
                "checked_h": fact["checked_h"],
                "changed_h": fact["changed_h"],
                "intact": fact["intact"],
            }
            for fact in (last["lists"] if last else [])
        ],
    }


def _counts(facts: Facts, indicators: Mapping[str, Indicator]) -> Record:
    """Sums of the period."""
    bypass: dict[str, Pair] = {}
    excused: dict[str, str] = {}
    safe: dict[str, Pair] = {}
    for day in facts.days:
        for name, fact in day["bypass"].items():
            _add(bypass.setdefault(name, [0, 0]), [fact["passed"], fact["executed"]])
            if "not_applicable" in fact:
                excused[name] = fact["not_applicable"]
        for engines in day["safesearch"].values():
            for engine, pair in engines.items():
                _add(safe.setdefault(engine, [0, 0]), pair)
    return {
        "exposure": dict(indicators["I1"].parts),
        "bypass_suite": [
            {
                "test": name,
                "passed": p[0],
                "executed": p[1],
                "not_applicable": excused.get(name, ""),
            }
            for name, p in sorted(bypass.items())
        ],
        "safesearch": [
            {"engine": name, "passed": p[0], "executed": p[1]} for name, p in sorted(safe.items())
        ],
        "tickets": {
            **dict(indicators["I9"].parts),
            "within_sla": sum(day["tickets"]["within"] for day in facts.days),
        },
        "changes": dict(indicators["I10"].parts),
        "audit_head": facts.days[-1]["changes"]["head"] if facts.days else "",
        "suppressed_cells": sum(day["cells"]["hidden"] for day in facts.days if day["cells"]),
    }


def _people(sources: Sources) -> Record:
    """Entered by staff; sessions count apart from the filter (R8)."""
    period, governance = sources.facts.period, sources.governance

    def within(day: str) -> bool:
        return period.first.isoformat() <= day <= period.as_of.isoformat()

    return {
        "roles": [
            {"role": r["role"], "name": r["name"], "assigned_on": r["assigned_on"],
             "trained_on": r.get("trained_on")}
            for r in governance.get("roles", [])
        ],
        "reviews": [
            {"date": r["date"], "trigger": r["trigger"], "findings": r.get("findings", ""),
             "actions": r.get("actions", ""), "closed": r.get("closed", False)}
            for r in governance.get("reviews", [])
        ],
        "actions": [
            {"indicator": a["indicator"], "due": a["due"], "text": a["text"]}
            for a in governance.get("actions", [])
        ],
        "awareness_sessions": [
            {"date": s["date"], "title": s["title"], "grade": s.get("grade", ""),
             "participants": s["participants"]}
            for s in governance.get("sessions", [])
            if within(s["date"])
        ],
        "monitoring": governance.get("monitoring", "none"),
        "identification": "segment",
        "history": "not_kept",
        "offsite": "not_covered",
    }  # fmt: skip


def _papers(sources: Sources, last: Summary | None) -> Record:
    calendar, today = sources.calendar, sources.today
    notice = sources.governance.get("notice")
    return {
        "privacy": {
            "retention_table": [{"what": what, "keep": keep} for what, keep in RETENTION],
            "oldest_record_s": last["privacy"]["oldest_record_s"] if last else 0,
            "dpia_status": sources.governance.get("dpia", "none"),
            "notice_version": notice["version"] if notice else "",
        },
        "legal_basis": [
            {
                "document": {"vi": basis.document.vi, "en": basis.document.en},
                "in_force": basis.in_force(today),
                "valid_to": basis.valid_to.isoformat() if basis.valid_to else None,
                "source": basis.source,
            }
            for basis in calendar.bases.values()
        ],
        "recipients": _recipients(calendar, today),
    }


def _recipients(calendar: Calendar, today: date) -> list[Json]:
    return [
        {
            "obligation": due.obligation.id,
            "title": {"vi": due.obligation.title.vi, "en": due.obligation.title.en},
            "to": {
                "vi": calendar.recipients[due.obligation.recipient].vi,
                "en": calendar.recipients[due.obligation.recipient].en,
            },
            "nominal": due.nominal.isoformat(),
            "hand_in": due.hand_in.isoformat(),
            "basis_in_force": due.basis_in_force,
        }
        for due in upcoming([calendar], today, "school")
        if due.hand_in >= today
    ]


def _add(total: Pair, pair: Pair) -> None:
    total[0] += pair[0]
    total[1] += pair[1]
