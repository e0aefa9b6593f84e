"""What `filterd doctor` looks at on a gateway: port 53, firewall, DHCP, certificate, interfaces."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from filterd.cli.doctor import Check, Finding, Level
from filterd.config import Settings
from filterd.gateway import box, certificate, dhcp_probe, enforce, follow
from filterd.gateway.nft import FirewallError
from filterd.supervise.holder import port_holder

_SOON = timedelta(days=30)
_TIMEOUT_S = 10.0
_QUIET_S = 120.0


def port53(settings: Settings) -> Iterable[Finding]:
    """Another DNS server in the way, by name and with what to do about it."""
    for address in settings.listen.dns:
        if address.port == 53:
            holder = port_holder(address, socket.SOCK_DGRAM)
            rival = holder.partition(" ")[0] in box.RIVALS
            level = Level.FAIL if rival else Level.OK
            yield Finding("port 53", level, f"{address}: {holder}", box.advice(holder))


def firewall(settings: Settings) -> Iterable[Finding]:
    """Whether the wanted rules run (`filterd firewall check` also tries them)."""
    if not settings.gateway.interfaces:
        text = "this box has none: devices can ask other resolvers"
        advice = "filterd setup, or redirect port 53 on the router (docs/*/gateway/9-router.md)"
        yield Finding("firewall", Level.WARN, text, advice)
        return
    if os.geteuid() != 0:
        yield Finding("firewall", Level.WARN, "only root sees it", "sudo filterd doctor")
        return
    try:
        found = enforce.check(enforce.plan(settings), live=False)
    except FirewallError as error:
        yield Finding("firewall", Level.FAIL, str(error), "apt-get install nftables")
        return
    for each in found:
        level = Level.OK if each.good else Level.FAIL
        yield Finding("firewall", level, f"{each.subject}: {each.text}", "filterd firewall apply")


def dhcp(settings: Settings) -> Iterable[Finding]:
    """A DHCP server of this box that hands out a public resolver leads devices past the filter."""
    bad = [
        f"{path} hands out {', '.join(found)}"
        for path in box.dhcp_files()
        if (found := box.public_resolvers(path.read_text("utf-8", "replace")))
    ]
    for text in bad:
        yield Finding("dhcp", Level.FAIL, text, "write this box's own address there instead")
    if not bad:
        yield Finding("dhcp", Level.OK, "no DHCP server of this box hands out a public resolver")


def offered(settings: Settings) -> Iterable[Finding]:
    """What the DHCP servers of the school's networks hand out, wherever they run."""
    if os.geteuid() != 0:
        return
    for name in settings.gateway.interfaces:
        try:
            heard = dhcp_probe.offers(name)
        except OSError as error:
            yield Finding("dhcp", Level.WARN, f"{name} could not be asked: {error}")
            continue
        for each in heard:
            bad = [text for text in each.resolvers if ip_address(text).is_global]
            level = Level.FAIL if bad else Level.OK
            given = ", ".join(bad or each.resolvers) or "no resolver"
            yield Finding("dhcp", level, f"{name}: the server {each.server} hands out {given}",
                          "let it hand out this box's address and no other")  # fmt: skip


def paths(settings: Settings) -> Iterable[Finding]:
    """Whether what goes past the filter is being counted, where the settings ask for it."""
    if not (settings.gateway.measure_paths and settings.gateway.interfaces):
        return
    report = settings.state_dir / "run" / follow.REPORT
    age = time.time() - report.stat().st_mtime if report.exists() else None
    good = age is not None and age < _QUIET_S
    text = "what goes past the filter is counted" if good else "nobody counts what goes past"
    yield Finding("paths", Level.OK if good else Level.WARN, text,
                  "systemctl start filterd-paths; without it I2 and I2b are missing")  # fmt: skip


def tls(settings: Settings) -> Iterable[Finding]:
    """The certificate of the encrypted listeners."""
    path = settings.listen.tls.certificate
    if path is None:
        return
    ends = certificate.expires(path.read_bytes())
    left = ends - datetime.now(UTC)
    level = Level.FAIL if left < timedelta() else Level.WARN if left < _SOON else Level.OK
    yield Finding("certificate", level, f"{path} is valid until {ends:%Y-%m-%d}",
                  "renew it: devices refuse encrypted DNS with an old certificate")  # fmt: skip


def interfaces(settings: Settings) -> Iterable[Finding]:
    """The school's interfaces are there."""
    there = {path.name for path in Path("/sys/class/net").iterdir()}
    for name in settings.gateway.interfaces:
        level = Level.OK if name in there else Level.FAIL
        text = name if name in there else f"this box has no interface {name}"
        yield Finding("interfaces", level, text, f"it has: {', '.join(sorted(there))}")


def time_source(settings: Settings) -> Iterable[Finding]:
    """Whether something keeps the clock right; timetables hang on it."""
    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return
    if done.returncode == 0:
        good = done.stdout.strip() == "yes"
        text = "synchronised" if good else "nobody keeps the clock right"
        yield Finding("time", Level.OK if good else Level.WARN, text,
                      "timedatectl set-ntp true")  # fmt: skip


def pair(settings: Settings) -> Iterable[Finding]:
    """Two boxes: whether both have the same policy (`run/pair.json`, written by the service)."""
    if settings.pair is None:
        return
    path = settings.state_dir / "run" / "pair.json"
    told = json.loads(path.read_text("utf-8")) if path.exists() else {}
    state, problem = str(told.get("state", "unknown")), str(told.get("problem", ""))
    level = {"same": Level.OK, "alone": Level.WARN}.get(state, Level.FAIL)
    words = {
        "same": "both boxes have the same policy and lists",
        "alone": "the other box does not answer",
        "refused": "what is newer on the other box is not in use here",
    }.get(state, "not compared yet")
    yield Finding("two boxes", level, f"{words}{': ' if problem else ''}{problem}",
                  f"look at {settings.pair.peer}, and at {settings.pair.certificate}")  # fmt: skip


CHECKS: tuple[Check, ...] = (
    port53,
    firewall,
    dhcp,
    offered,
    paths,
    tls,
    interfaces,
    time_source,
    pair,
)
