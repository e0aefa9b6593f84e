"""What people ask a running filter: why, for whom, a pause, a way back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from filterd.control.client import CallError
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.running import TIERS, RunningFilterd, until

GOOD = "NOERROR 192.0.2.1"


@pytest.fixture(scope="module")
def filterd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFilterd]:
    with LyingUpstream() as upstream:
        folder = tmp_path_factory.mktemp("asked")
        running = RunningFilterd(folder, {"upstreams": [upstream.url], "workers": 1})
        yield running.start()
        running.stop()


def test_explain_through_the_socket(filterd: RunningFilterd) -> None:
    found = filterd.control.call("explain", name="https://Porn.Canary.filterd.test/x")
    by_tier = {verdict["tier"]: verdict for verdict in found["verdicts"]}
    assert set(by_tier) == set(TIERS)
    assert by_tier["primary"]["verdict"] == "blocked"
    assert by_tier["primary"]["step"] == "floor_pupils"


def test_explain_follows_the_answer_as_the_filter_does(filterd: RunningFilterd) -> None:
    """The name is on no list; what it leads to is, and the console, the command line and the
    filter itself say the same."""
    name = "cloak-games.canary.filterd.test"
    found = filterd.control.call("explain", name=name)
    target = "games.canary.filterd.test"
    for row in found["verdicts"]:
        answered = filterd.outcome(name, row["tier"])
        if row["step"] == "allow_only":
            continue
        assert answered.startswith("NXDOMAIN") == (row["verdict"] == "blocked"), row
        assert row["chain"][0]["name"] == target
    by_tier = {row["tier"]: row for row in found["verdicts"]}
    assert (by_tier["primary"]["verdict"], by_tier["primary"]["category"]) == ("blocked", "games")
    assert by_tier["staff"]["chain"][-1]["name"] == "192.0.2.1"
    command = [sys.executable, "-m", "filterd", "explain", "--json", "--config"]
    shown = subprocess.run(
        [*command, str(filterd.config), "--tier", "primary", name],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    (row,) = json.loads(shown.stdout)["verdicts"]
    assert row["chain"] == by_tier["primary"]["chain"] and row["rule"] == target
    why = filterd.control.call("portal.why", "@portal", address="127.0.11.7", name=name)
    assert (why["verdict"], why["category"]) == ("blocked", "games")


def test_the_portal_learns_a_tier_and_nothing_else(filterd: RunningFilterd) -> None:
    device = filterd.control.call("portal.device", "@portal", address="127.0.11.7")
    assert (device["tier"], device["known"], device["state"]) == ("primary", True, "enforcing")
    why = filterd.control.call(
        "portal.why", "@portal", address="127.0.11.7", name="porn.canary.filterd.test"
    )
    assert why["verdict"] == "blocked"
    for method in ("policy.get", "audit.list", "people.list", "status.get"):
        with pytest.raises(CallError) as caught:
            filterd.control.call(method, "@portal")
        assert caught.value.code == "denied"


def test_a_pause_is_for_staff_and_ends(filterd: RunningFilterd) -> None:
    listed = "betonline.ag"
    assert filterd.outcome(listed, "staff").startswith("NXDOMAIN")
    filterd.control.call("pause.start", minutes=10, reason="kiểm tra máy chủ")
    assert filterd.control.call("status.get")["state"] == "paused"
    until(lambda: filterd.outcome(listed, "staff") == GOOD, 1.0, "the pause")
    assert filterd.outcome(listed, "primary").startswith("NXDOMAIN")
    assert filterd.outcome("malware.canary.filterd.test", "staff").startswith("NXDOMAIN")
    filterd.control.call("pause.stop")
    until(lambda: filterd.outcome(listed, "staff").startswith("NXDOMAIN"), 1.0, "its end")


def test_a_backup_is_looked_into_and_restored(filterd: RunningFilterd) -> None:
    control, secret = filterd.control, "một cụm mật khẩu dài"
    made = control.call("backup.export", passphrase=secret)
    with pytest.raises(CallError):
        control.call("backup.inspect", archive=made["archive"], passphrase="another passphrase")
    control.call("overrides.add", name="tam.example", allow=False, minutes=9, reason="tạm thời")
    until(lambda: filterd.outcome("tam.example").startswith("NXDOMAIN"), 1.0, "the block")
    seen = control.call("backup.inspect", archive=made["archive"], passphrase=secret)
    assert any("tam.example" in change["en"] for change in seen["changes"])
    control.call(
        "backup.import", archive=made["archive"], passphrase=secret, parts=["policy"],
        reason="khôi phục thử",
    )  # fmt: skip
    until(lambda: filterd.outcome("tam.example") == GOOD, 2.0, "the restored policy")
