"""What the last `filterd firewall check` found, as facts for the evidence.

The check needs rights that the supervisor does not have, so it runs on its own (systemd timer) and
leaves its findings in `run/firewall-check.json`.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypedDict

from filterd.config import Settings
from filterd.evidence.records import BypassFact, FlowFact, PathFact
from filterd.gateway import follow
from filterd.gateway.enforce import REPORT

FRESH = timedelta(hours=26)
TESTS = ("dns_redirected", "dot_dropped", "doh_addresses", "ipv6_path")
_SUBJECTS = (
    ("ipv6_path", "IPv6"),
    ("dns_redirected", "another resolver"),
    ("dot_dropped", "DNS over TLS"),
    ("doh_addresses", "DNS over HTTPS"),
)


def deployment(settings: Settings) -> str:
    """inline where the settings name the school's interfaces, else dns_only."""
    return "inline" if settings.gateway.interfaces else "dns_only"


def closed(settings: Settings) -> bool:
    """Whether a fresh check proved that nothing gets around the filter."""
    found = _findings(settings)
    return found is not None and bool(found) and all(each["good"] for each in found)


def bypass_facts(settings: Settings) -> dict[str, BypassFact]:
    """The four firewall tests. In line without a fresh check they count as not executed, which the
    method takes for a failure; beside the line they do not apply."""
    if deployment(settings) != "inline":
        return {
            test: {"passed": 0, "executed": 0, "not_applicable": "not_inline"} for test in TESTS
        }
    facts: dict[str, BypassFact] = {test: {"passed": 0, "executed": 0} for test in TESTS}
    found = _findings(settings) or []
    if found and not any("IPv6" in each["subject"] for each in found):
        facts["ipv6_path"]["not_applicable"] = "no_ipv6"
    for each in found:
        test = next((name for name, words in _SUBJECTS if words in each["subject"]), None)
        if test is not None:
            facts[test]["executed"] += 1
            facts[test]["passed"] += bool(each["good"])
    return facts


class PathFacts(TypedDict):
    """Two facts of a day; None: not measured."""

    path: PathFact | None
    flows: FlowFact | None


def path_facts(settings: Settings, day: date) -> PathFacts:
    """I2 and I2b of that day as `filterd firewall follow` counted it, in line only.

    The number of devices is rounded up to tens: at a small school it would tell who was absent.
    """
    found = follow.days(settings.state_dir / "run").get(day.isoformat())
    if found is None or deployment(settings) != "inline":
        return {"path": None, "flows": None}
    path: PathFact | None = None
    flows: FlowFact | None = None
    if found.active:
        used = min(found.used, found.active) * 10_000 // found.active
        path = {"used_bp": used, "active": -(-found.active // 10) * 10}
    if found.flows:
        strange = min(found.unresolved, found.flows) * 10_000 // found.flows
        flows = {"unresolved_bp": strange, "flows": found.flows}
    return {"path": path, "flows": flows}


def _findings(settings: Settings) -> list[dict[str, Any]] | None:
    path = settings.state_dir / "run" / REPORT
    try:
        raw = json.loads(path.read_text("utf-8"))
        at = datetime.fromisoformat(raw["at"])
        if not timedelta(minutes=-10) < datetime.now(UTC) - at < FRESH:
            return None
        return [{"subject": str(f["subject"]), "good": bool(f["good"])} for f in raw["findings"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
