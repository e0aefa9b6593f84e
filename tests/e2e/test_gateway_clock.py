"""A box without a battery: the whole service started in 1970, the clock put right while it runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.exception
import pytest

from tests.lab.certificates import Authority
from tests.lab.peers import unbound
from tests.lab.running import RunningFilterd, until

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
# Two Fridays, 18:00 in Vietnam: the shipped timetable of upper secondary opens games.
LONG_AGO, TODAY = "1970-01-02 11:00:00", "2026-11-27 11:00:00"
GAMES = "games.canary.filterd.test"
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(LIBRARY is None, reason="libfaketime (faketime) is not installed"),
]


def environment(clock: Path) -> dict[str, str]:
    """The service's clock is what the file says; timeouts and TTLs run on."""
    return {
        "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(clock), "TZ": "UTC",
        "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip


@pytest.fixture
def box(tmp_path: Path) -> Iterator[RunningFilterd]:
    running = RunningFilterd(tmp_path, {"workers": 1})
    clock = tmp_path / "clock"
    clock.write_text(f"@{LONG_AGO}\n")
    running.start(environment(clock))
    yield running
    running.stop()


def test_timetables_stay_on_the_stricter_side_until_the_time_is_known(box: RunningFilterd) -> None:
    """At the first start, and in the very first answer after a power cut."""
    clock = box.folder / "clock"
    assert box.control.call("status.get")["clock_trusted"] is False
    assert box.outcome("allowed.canary.filterd.test", "upper_secondary") == "NOERROR 192.0.2.1"
    assert box.outcome(GAMES, "upper_secondary").startswith("NXDOMAIN")
    clock.write_text(f"@{TODAY}\n")
    until(lambda: box.control.call("status.get")["clock_trusted"], 60, "trust in the clock")
    until(lambda: box.outcome(GAMES, "upper_secondary").startswith("NOERROR"), 10, "the open hour")
    box.stop(signal.SIGKILL)
    clock.write_text(f"@{LONG_AGO}\n")
    box.spawn(environment(clock))

    def first() -> str | None:
        try:
            found = box.outcome(GAMES, "upper_secondary")
        except (OSError, dns.exception.DNSException):
            return None
        return None if found.startswith("SERVFAIL") else found

    assert str(until(first, 60, "the first answer")).startswith("NXDOMAIN")
    until(lambda: "is running" in box.text(), 60, "the rest of the start")


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[RunningFilterd]:
    """A box whose one upstream speaks TLS, with a certificate for a day."""
    authority = Authority(tmp_path)
    pair = authority.issue("dns.school.example", days=1)
    zones = "".join(
        f'  local-data: "{each}. 300 A 192.0.2.1"\n'
        for each in ("pool.ntp.org", "lesson.example", "later.example")
    )
    with unbound(tmp_path, pair, zones) as peer:
        url = f"tls://127.0.0.1:{peer.tls}#dns.school.example"
        running = RunningFilterd(tmp_path, {"workers": 1, "upstreams": [url]})
        yield running
        running.stop()


def at(box: RunningFilterd, when: str) -> RunningFilterd:
    """Start the box with that time on its clock."""
    (box.folder / "clock").write_text(f"@{when}\n")
    trust = {"SSL_CERT_FILE": str(box.folder / "ca.pem")}
    return box.start({**environment(box.folder / "clock"), **trust})


def test_time_servers_are_found_through_an_encrypted_upstream_in_1970(
    encrypted: RunningFilterd,
) -> None:
    """Otherwise the clock is never set: no certificate is valid in 1970."""
    at(encrypted, LONG_AGO)
    assert encrypted.control.call("status.get")["clock_trusted"] is False
    assert encrypted.outcome("pool.ntp.org", "staff") == "NOERROR 192.0.2.1"
    assert encrypted.outcome("porn.canary.filterd.test").startswith("NXDOMAIN")
    asked = encrypted.control.call("explain", name="pool.ntp.org", type="A")["lookups"]
    assert [each["addresses"] for each in asked] == [["c0000201"]]  # nor is "why" told less


@pytest.mark.slow
def test_once_the_time_is_known_certificates_have_to_be_valid(encrypted: RunningFilterd) -> None:
    now = datetime.now(UTC)
    at(encrypted, LONG_AGO)
    assert encrypted.outcome("pool.ntp.org", "staff") == "NOERROR 192.0.2.1"
    (encrypted.folder / "clock").write_text(f"@{now:%Y-%m-%d %H:%M:%S}\n")
    until(lambda: encrypted.control.call("status.get")["clock_trusted"], 60, "trust in the clock")
    assert encrypted.outcome("lesson.example", "staff") == "NOERROR 192.0.2.1"
    encrypted.stop(signal.SIGKILL)
    at(encrypted, f"{now + timedelta(days=5):%Y-%m-%d %H:%M:%S}")
    assert encrypted.outcome("later.example", "staff").startswith("SERVFAIL")


IN_A_BOX = (
    "mount -t tmpfs run /run && mkdir /run/chrony && "
    'if [ -d /sys/class/rtc ]; then mount -t tmpfs rtc /sys/class/rtc; fi && exec "$@"'
)
"""Mounts of its own: chrony runs here, and there is no hardware clock."""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_plausible_time_is_not_believed_before_ntp_set_it(tmp_path: Path) -> None:
    """A box without a battery comes back in the hour in which the power went: strict, then not."""
    running = RunningFilterd(tmp_path, {"workers": 1})
    (tmp_path / "clock").write_text(f"@{TODAY}\n")
    kept, program = tmp_path / "kept", tmp_path / "bin/timedatectl"
    kept.write_text("no\n")
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nunset LD_PRELOAD\nexec cat {kept}\n")
    program.chmod(0o755)
    running.prefix = ("unshare", "--mount", "sh", "-c", IN_A_BOX, "sh")
    path = f"{program.parent}:{os.environ['PATH']}"
    running.start({**environment(tmp_path / "clock"), "PATH": path})
    try:
        assert running.control.call("status.get")["clock_trusted"] is False
        assert running.outcome(GAMES, "upper_secondary").startswith("NXDOMAIN")
        kept.write_text("yes\n")
        until(lambda: running.control.call("status.get")["clock_trusted"], 60, "trust")
        until(lambda: running.outcome(GAMES, "upper_secondary").startswith("NOERROR"), 20, "open")
        kept.write_text("no\n")  # the line is down for a while: the clock goes on
        assert running.outcome(GAMES, "upper_secondary").startswith("NOERROR")
    finally:
        running.stop()
