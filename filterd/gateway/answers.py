"""The answers of `filterd setup`: what a school says about its box, read from a YAML file.

Pure: knows no system. Whether an interface exists is asked through `known`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from filterd.errors import ConfigError, Problem
from filterd.gateway.firewall import Network

TIERS = ("preschool", "primary", "lower_secondary", "upper_secondary", "staff")
PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "quad9": ("tls://9.9.9.9#dns.quad9.net", "tls://149.112.112.112#dns.quad9.net"),
    "cloudflare": ("tls://1.1.1.1#cloudflare-dns.com", "tls://1.0.0.1#cloudflare-dns.com"),
    "google": ("tls://8.8.8.8#dns.google", "tls://8.8.4.4#dns.google"),
    "unbound": ("udp://127.0.0.1:5300",),
    "system": (),
}
_NAME = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
_LOGIN = re.compile(r"[\w.@-]{2,64}")
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}")
_KEYS = {
    "school",
    "interfaces",
    "segments",
    "upstreams",
    "firewall",
    "certificate",
    "console",
    "pair",
    "office",
    "administrator",
}


@dataclass(frozen=True, slots=True)
class SegmentAnswer:
    """A network of the school and who uses it."""

    network: Network
    tier: str
    title: str = ""

    @property
    def id(self) -> str:
        """Its id in the policy, made of the network."""
        return "mang-" + re.sub(r"[^0-9a-f]+", "-", str(self.network)).strip("-")


@dataclass(frozen=True, slots=True)
class Office:
    """Where the Education office is, its code for this school, and a file with its authority."""

    url: str
    code: str
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything setup needs to know. `console` is where staff reach it; None: this box only.

    `pair`: of two boxes, "address:port" of this one and of the other.
    `administrator` is the first one's sign-in name. `certificate` holds the names for a certificate
    of our own making, or is empty; `acme`: an ACME client will replace it (`systemd/acme-deploy`).
    """

    school_id: str = ""
    school_name: str = ""
    internet: str = ""
    interfaces: tuple[str, ...] = ()
    segments: tuple[SegmentAnswer, ...] = ()
    upstreams: str | tuple[str, ...] = "system"
    firewall: bool = True
    block_vpn: bool = True
    exempt: tuple[Network, ...] = ()
    certificate: tuple[str, ...] = ()
    acme: bool = False
    console: str | None = None
    pair: tuple[str, str] | None = None
    office: Office | None = None
    administrator: str = ""

    @property
    def urls(self) -> tuple[str, ...]:
        """The upstreams as settings."""
        return PROVIDERS[self.upstreams] if isinstance(self.upstreams, str) else self.upstreams


@dataclass(slots=True)
class _Reader:
    """Collects every mistake of the file."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def report(self, key: str, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(self.file, None, key, message, hint))

    def group(self, value: Any, key: str, known: set[str]) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.report(key, "must be `key: value` pairs")
            return {}
        for name in value.keys() - known:
            self.report(f"{key}.{name}".strip("."), "is not a question of setup",
                        f"known: {', '.join(sorted(known))}")  # fmt: skip
        return {str(name): value[name] for name in value.keys() & known}

    def items(self, value: Any, key: str) -> list[Any]:
        if value is None:
            return []
        if isinstance(value, list):
            return value
        self.report(key, "must be a list")
        return []

    def network(self, value: Any, key: str) -> Network | None:
        try:
            return ipaddress.ip_network(str(value))
        except ValueError as error:
            self.report(key, f"`{value}` is not a network: {error}", "such as 10.0.10.0/24")
            return None


def parse(text: str, file: str, known: Sequence[str] | None = None) -> Answers:
    """The answers; ConfigError with all mistakes. `known`: interfaces of this box, None: any."""
    reader = _Reader(file)
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError([Problem(file, None, "(file)", f"is not YAML: {error}")]) from None
    top = reader.group(raw, "", _KEYS)
    school = reader.group(top.get("school"), "school", {"id", "name"})
    wall = reader.group(top.get("firewall"), "firewall", {"enabled", "block_vpn", "exempt"})
    internet, interfaces = _interfaces(reader, top.get("interfaces"), known)
    exempt = [reader.network(n, "firewall.exempt") for n in reader.items(wall.get("exempt"), "")]
    answers = Answers(
        school_id=str(school.get("id") or ""),
        school_name=str(school.get("name") or ""),
        internet=internet,
        interfaces=interfaces,
        segments=_segments(reader, top.get("segments")),
        upstreams=_upstreams(reader, top.get("upstreams", "system")),
        firewall=bool(wall.get("enabled", True)),
        block_vpn=bool(wall.get("block_vpn", True)),
        exempt=tuple(network for network in exempt if network is not None),
        certificate=_certificate(reader, top.get("certificate")),
        acme=_acme(top.get("certificate")),
        console=str(top["console"]) if top.get("console") else None,
        pair=_pair(reader, top.get("pair")),
        office=_office(reader, top.get("office")),
        administrator=_login(reader, top.get("administrator")),
    )
    _together(reader, answers)
    if reader.problems:
        raise ConfigError(reader.problems)
    return answers


def _interfaces(
    reader: _Reader, value: Any, known: Sequence[str] | None
) -> tuple[str, tuple[str, ...]]:
    group = reader.group(value, "interfaces", {"school", "internet"})
    school = [str(name) for name in reader.items(group.get("school"), "interfaces.school")]
    internet = str(group.get("internet") or "")
    for name in [*school, *([internet] if internet else [])]:
        if not _INTERFACE.fullmatch(name):
            reader.report("interfaces", f"`{name}` is not the name of an interface")
        elif known is not None and name not in known:
            there = ", ".join(known) or "none"
            reader.report("interfaces", f"this box has no interface `{name}`", f"it has: {there}")
    if internet in school:
        reader.report("interfaces", f"`{internet}` cannot be the school's side and the Internet's")
    return internet, tuple(dict.fromkeys(school))


def _segments(reader: _Reader, value: Any) -> tuple[SegmentAnswer, ...]:
    found: list[SegmentAnswer] = []
    for number, item in enumerate(reader.items(value, "segments"), 1):
        key = f"segments[{number}]"
        group = reader.group(item, key, {"network", "tier", "title"})
        network = reader.network(group.get("network"), f"{key}.network")
        tier = str(group.get("tier") or "")
        if tier not in TIERS:
            reader.report(f"{key}.tier", f"`{tier}` is no tier", f"one of {', '.join(TIERS)}")
        if network is None:
            continue
        twins = [s for s in found if s.network == network]
        if twins:
            reader.report(f"{key}.network", f"{network} is given twice")
        found.append(SegmentAnswer(network, tier, str(group.get("title") or "")))
    return tuple(found)


def _upstreams(reader: _Reader, value: Any) -> str | tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(url) for url in value)
    if str(value) not in PROVIDERS:
        hint = f"one of {', '.join(PROVIDERS)}, or a list of addresses"
        reader.report("upstreams", f"`{value}` is not known", hint)
    return str(value)


def _certificate(reader: _Reader, value: Any) -> tuple[str, ...]:
    group = reader.group(value, "certificate", {"names", "acme"})
    names = [str(name) for name in reader.items(group.get("names"), "certificate.names")]
    for name in names:
        if not _NAME.fullmatch(name):
            reader.report("certificate.names", f"`{name}` is not a host name")
    return tuple(name.lower() for name in names)


def _acme(value: Any) -> bool:
    return isinstance(value, dict) and value.get("acme") is True


def _pair(reader: _Reader, value: Any) -> tuple[str, str] | None:
    group = reader.group(value, "pair", {"listen", "peer"})
    if not group:
        return None
    for key in ("listen", "peer"):
        if ":" not in str(group.get(key) or ""):
            reader.report(f"pair.{key}", "must be ADDRESS:PORT", "such as 10.0.10.2:8055")
    return str(group.get("listen")), str(group.get("peer"))


def _office(reader: _Reader, value: Any) -> Office | None:
    group = reader.group(value, "office", {"url", "code", "ca"})
    if not group:
        return None
    url, code = str(group.get("url") or ""), str(group.get("code") or "")
    if not url.startswith("https://"):
        reader.report("office.url", f"`{url}` does not begin with https://")
    if not code:
        reader.report("office.code", "is missing: the office gives it to the school")
    return Office(url, code, Path(str(group["ca"])) if group.get("ca") else None)


def _login(reader: _Reader, value: Any) -> str:
    name = str(value or "")
    if name and not _LOGIN.fullmatch(name):
        reader.report(
            "administrator", f"`{name}` is not a sign-in name", "letters, digits, . _ - @"
        )
    return name


def _together(reader: _Reader, answers: Answers) -> None:
    """What only several answers together can get wrong."""
    if answers.firewall and not answers.interfaces:
        reader.report("interfaces.school", "the firewall needs the school's interfaces",
                      "or set firewall: {enabled: false} for a box beside the path")  # fmt: skip
    for segment in answers.segments:
        for other in answers.segments:
            near = segment.network.version == other.network.version
            if near and segment.tier != other.tier and _holds(segment.network, other.network):
                reader.report(
                    "segments",
                    f"{other.network} ({other.tier}) lies in {segment.network} ({segment.tier})",
                    "the narrower one wins; write them so that they do not overlap",
                )


def _holds(wide: Network, narrow: Network) -> bool:
    return wide.prefixlen < narrow.prefixlen and wide.overlaps(narrow)
