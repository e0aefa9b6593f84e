"""What the firewall check leaves, read as evidence: fresh, stale, missing, beside the line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from filterd.app.firewall_report import TESTS, bypass_facts, closed
from filterd.config import Settings
from filterd.config.model import GatewaySettings
from filterd.gateway.enforce import REPORT, Finding, leave

GOOD = [
    Finding("rules", True, "as wanted"),
    Finding("another resolver, UDP", True, ""),
    Finding("another resolver, TCP", True, ""),
    Finding("DNS over TLS", True, ""),
    Finding("DNS over HTTPS to 8.8.8.8", True, ""),
    Finding("another resolver, IPv6 UDP", True, ""),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "run").mkdir()
    return Settings(
        state_dir=tmp_path, policies=tmp_path, catalogue=tmp_path / "c",
        gateway=GatewaySettings(interfaces=("eth1",)),
    )  # fmt: skip


def test_a_good_check_passes_every_test_and_proves_the_box_closed(settings: Settings) -> None:
    leave(settings, GOOD)
    facts = bypass_facts(settings)
    assert {name: (f["passed"], f["executed"]) for name, f in facts.items()} == {
        "dns_redirected": (2, 2), "dot_dropped": (1, 1), "doh_addresses": (1, 1),
        "ipv6_path": (1, 1),
    }  # fmt: skip
    assert closed(settings)


def test_a_hole_is_a_failed_test(settings: Settings) -> None:
    leave(settings, [*GOOD[:3], Finding("DNS over TLS", False, "connected")])
    assert bypass_facts(settings)["dot_dropped"] == {"passed": 0, "executed": 1}
    assert not closed(settings)


def test_without_ipv6_the_reason_is_given(settings: Settings) -> None:
    leave(settings, GOOD[:5])
    assert bypass_facts(settings)["ipv6_path"]["not_applicable"] == "no_ipv6"


def test_in_line_without_a_fresh_check_nothing_is_excused(settings: Settings) -> None:
    missing = bypass_facts(settings)
    leave(settings, GOOD)
    path = settings.state_dir / "run" / REPORT
    old = json.loads(path.read_text("utf-8"))
    old["at"] = (datetime.now(UTC) - timedelta(hours=27)).isoformat()
    path.write_text(json.dumps(old), "utf-8")
    for facts in (missing, bypass_facts(settings)):
        assert facts == {test: {"passed": 0, "executed": 0} for test in TESTS}
    assert not closed(settings)


def test_beside_the_line_they_do_not_apply(settings: Settings) -> None:
    beside = replace(settings, gateway=GatewaySettings())
    assert {f["not_applicable"] for f in bypass_facts(beside).values()} == {"not_inline"}


@pytest.mark.parametrize("text", ["", "[]", '{"at": 1}', '{"at": "2026", "findings": 3}'])
def test_a_spoilt_file_is_no_check(settings: Settings, text: str) -> None:
    (settings.state_dir / "run" / REPORT).write_text(text, "utf-8")
    assert not closed(settings)
