"""A school for the evidence: shipped policies, a clock that tests turn, facts that tests set."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from dnslib import RCODE, DNSRecord

from filterd.evidence.method import load
from filterd.evidence.ports import Gathered, Running
from filterd.evidence.selftest import checks
from filterd.evidence.selftest.checks import Check, Want
from filterd.evidence.suppression import Cell
from filterd.policy import document, taxonomy
from filterd.policy.model import Policy
from filterd.policy.taxonomy import Taxonomy
from tests.lab.school_month import HASH, perfect_day
from tests.lab.tiny_filter import Answer, address, blocked, failed, plain, source_tier

ROOT = Path(__file__).parents[2]
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
METHOD = load("v0")


def words() -> Taxonomy:
    return taxonomy.load(ROOT / "blocklists")


def shipped(known: Taxonomy) -> Policy:
    files = {path.name: path.read_text("utf-8") for path in (ROOT / "policies").glob("*.yaml")}
    return document.parse(files, known)


def gathered() -> Gathered:
    """What a well-run school's other rooms say of a day."""
    day = copy.deepcopy(perfect_day())
    return {
        "facility": day["facility"],
        "bundle": None,
        "lists": day["lists"],
        "segments": day["segments"],
        "path": day["path"],
        "flows": day["flows"],
        "tickets": day["tickets"],
        "changes": day["changes"],
        "governance": day["governance"],
        "privacy": day["privacy"],
        "firewall": {"dot_dropped": {"passed": 1, "executed": 1}},
        "queries": Cell(120_344, 80, 5_000),
        "bypass_blocked": Cell(44, 12, 8),
        "cells": {
            "primary": {
                "games": Cell(400, 31, 60),
                "ads": Cell(900, 40, 90),
                "self_harm": Cell(3, 1, 3),
            }
        },
    }


@dataclass
class FakeSchool:
    """Implements `evidence.ports.School`."""

    at: datetime = datetime(2026, 11, 23, 8, 0, tzinfo=ZONE)
    trusted: bool = True
    internet: bool | None = True
    stopped: bool = False
    closed: bool = False
    facts: Gathered = field(default_factory=gathered)
    policy: Policy | None = None
    known: Taxonomy = field(default_factory=words)

    def running(self) -> Running | None:
        policy = self.policy or shipped(self.known)
        self.policy = policy
        return Running(policy, self.known, 7, HASH, HASH, {})

    def now(self) -> datetime:
        return self.at

    def clock_trusted(self) -> bool:
        return self.trusted

    async def online(self) -> bool | None:
        return self.internet

    def paused(self) -> bool:
        return self.stopped

    def closed_when_down(self) -> bool:
        return self.closed

    async def gather(self, day: date) -> Gathered:
        return copy.deepcopy(self.facts)


def honest(policy: Policy, words: Taxonomy) -> Answer:
    """Knows nothing but the plan: answers every check as it should be."""
    wanted = {
        (check.tier, check.name, check.qtype): check
        for check in checks.plan(policy, words, METHOD, None)
    }
    tiers = {str(s.network): str(s.tier) for s in policy.segments}

    def answer(source: str, name: str, qtype: str, transport: str) -> DNSRecord | None:
        tier = source_tier(source, tiers) or checks.UNKNOWN
        check = wanted.get((tier, name, qtype))
        if check is None:
            return plain(RCODE.NXDOMAIN)
        return right(check)

    return answer


def right(check: Check) -> DNSRecord:
    match check.want:
        case Want.BLOCKED:
            return blocked()
        case Want.NOT_BLOCKED:
            return failed(22)
        case Want.REWRITTEN:
            target = check.target[0]
            return address(target) if target[0].isdigit() else plain(CNAME=target + ".")
        case Want.NXDOMAIN:
            return plain(RCODE.NXDOMAIN)
        case Want.NEGATIVE | Want.OWN_OR_NOTHING:
            return plain()
        case Want.NO_ECH:
            return plain(HTTPS="1 . alpn=h2 ipv4hint=192.0.2.1")
