"""The firewall on this machine: from settings to running rules, and whether they still run.

Between the pure rules (`firewall`), nft (`nft`) and the live test (`probe`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filterd import whole_files
from filterd.config import Settings
from filterd.errors import ConfigError, Problem
from filterd.gateway import addresses, nft, probe
from filterd.gateway.firewall import Network, Plan, render, render_closed
from filterd.lists import catalogue
from filterd.lists.store import Store
from filterd.policy.taxonomy import CATEGORIES

REPORT = "firewall-check.json"
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `firewall check`: `good`, and words for both outcomes."""

    subject: str
    good: bool
    text: str


def plan(settings: Settings) -> Plan:
    """The plan of the settings; ConfigError when they name no interface of the school."""
    gateway = settings.gateway
    if not gateway.interfaces:
        file = str(settings.source or "filterd.yaml")
        hint = 'gateway: {interfaces: ["eth1"]}, or run `filterd setup`'
        message = "no interface of the school is named, so there is nothing to protect"
        raise ConfigError([Problem(file, None, "gateway.interfaces", message, hint)])
    shipped = settings.blocklists / addresses.SHIPPED
    ports = [address.port for address in settings.listen.dns]
    return Plan(
        interfaces=gateway.interfaces,
        exempt=gateway.exempt,
        resolvers=(*addresses.load((shipped, *gateway.resolver_addresses)), *_fetched(settings)),
        dns_port=ports[0] if ports else 53,
        block_vpn=gateway.block_vpn,
    )


def apply(wish: Plan, closed: bool = False) -> None:
    """Load the rules as one transaction; what was counted before goes on counting."""
    running = nft.listing()
    counted = nft.counted(running) if running else {}
    nft.load((render_closed if closed else render)(wish, counted))


def check(wish: Plan, live: bool = True) -> list[Finding]:
    """Compare running with wanted rules and, if `live`, try to go around them."""
    running = nft.listing()
    if running is None:
        return [Finding("rules", False, "not loaded: run `filterd firewall apply`")]
    different = nft.differences(running, nft.wanted(render(wish)))
    findings = [
        Finding("rules", not different, "as wanted" if not different else "; ".join(different))
    ]
    others = nft.other_captures()
    findings.append(Finding("other tables", not others, "; ".join(others) or "none interferes"))
    findings.append(_forwarding())
    if live:
        findings += [Finding(r.subject, r.good, r.text) for r in probe.run(wish)]
    return findings


def leave(settings: Settings, findings: list[Finding]) -> None:
    """Leave the findings for the evidence in `run/firewall-check.json`: the service that reads
    them may not make test clients itself. No state directory yet: nothing is left."""
    folder = settings.state_dir / "run"
    if not folder.is_dir():
        return
    body = {"at": datetime.now(UTC).isoformat(), "findings": [asdict(each) for each in findings]}
    report = json.dumps(body, ensure_ascii=False).encode()
    whole_files.replace(folder / REPORT, report, mode=0o644)


def attempts() -> dict[str, int]:
    """Attempts to go around the filter since the rules were first loaded, by kind."""
    running = nft.listing()
    return nft.packets(nft.counted(running)) if running else {}


def _fetched(settings: Settings) -> tuple[Network, ...]:
    """Addresses of the catalogue's fetched bypass lists that are in use; none is no failure."""
    store = Store(settings.state_dir / "lists")
    found: list[Network] = []
    try:
        state = store.state()
        for source in catalogue.load(settings.catalogue, CATEGORIES):
            wanted = source.url and source.format == "addresses" and source.category == "bypass"
            version = state.of(source.id).current
            if wanted and version and state.switched.get(source.id, source.enabled):
                text = store.body(source.id, version).read_text("utf-8", "replace")
                found += addresses.readable(text.splitlines())
    except OSError:
        return tuple(found)
    return tuple(found)


def _forwarding() -> Finding:
    on = _FORWARD.read_text("ascii").strip() == "1"
    text = "on" if on else "off: this box forwards nothing, so it is not in the devices' path"
    return Finding("forwarding", on, text)
