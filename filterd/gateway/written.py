"""The files of an installation, from the answers: pure, text in and text out.

Every file says that setup wrote it; what a school may edit is named in the first line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import PurePosixPath
from typing import Any

import yaml

from filterd.errors import ConfigError, Problem
from filterd.gateway.answers import Answers
from filterd.gateway.firewall import Network, Plan, render_closed

ETC = PurePosixPath("/etc/filterd")
UNBOUND = PurePosixPath("/etc/unbound/unbound.conf.d/filterd.conf")
SYSCTL = PurePosixPath("/etc/sysctl.d/60-filterd.conf")
UNITS = PurePosixPath("/etc/systemd/system")
CERTIFICATE, KEY = ETC / "tls/certificate.pem", ETC / "tls/key.pem"
_SEGMENTS = re.compile(r"^segments:.*\n(?:  .*\n)*", re.MULTILINE)
_HEAD = "# Do `filterd setup` viết ra. / Written by `filterd setup`.\n"


@dataclass(frozen=True, slots=True)
class File:
    """A file to be there; `keep` True: never written over (the school edits it afterwards)."""

    path: PurePosixPath
    text: str
    mode: int = 0o644
    keep: bool = False


def files(answers: Answers, policies: Mapping[str, str]) -> tuple[File, ...]:
    """Every file; `policies` are the shipped policy documents by file name."""
    found = [File(ETC / "filterd.yaml", settings(answers))]
    for name, text in sorted(policies.items()):
        whole = school_policy(text, answers) if name == "school.yaml" else text
        found.append(File(ETC / "policies" / name, whole, keep=True))
    if answers.firewall:
        plan = Plan(answers.interfaces, answers.exempt)
        found.append(File(ETC / "closed.nft", _HEAD + render_closed(plan)))
        found.append(File(SYSCTL, sysctl(answers)))
    if answers.upstreams == "unbound":
        found.append(File(UNBOUND, unbound()))
    if answers.certificate:
        found.append(File(UNITS / "filterd.socket.d/encrypted.conf", encrypted_socket()))
        if not answers.acme:
            found.append(File(UNITS / "filterd.service.d/encrypted.conf", encrypted_service()))
    if answers.console:
        text = f"{_HEAD}[Service]\nEnvironment=FILTERD_CONSOLE={answers.console}\n"
        found.append(File(UNITS / "filterd-console.service.d/listen.conf", text))
    return tuple(found)


def settings(answers: Answers) -> str:
    """`filterd.yaml`: the pages run as services of their own, so they are off here."""
    whole: dict[str, Any] = {
        "state_dir": "/var/lib/filterd",
        "listen": {"dns": ["0.0.0.0:53", "[::]:53"]},
        "upstreams": list(answers.urls),
        "policies": str(ETC / "policies"),
        "catalogue": "/usr/share/filterd/blocklists/catalogue.yaml",
        "console": "off",
        "portal": "off",
    }
    if answers.certificate:
        # A credential is a copy made at the start; a key that is renewed is read where it lies.
        key = str(KEY) if answers.acme else "/run/credentials/filterd.service/key"
        whole["listen"] |= {
            "dot": ["0.0.0.0:853", "[::]:853"],
            "doh": ["0.0.0.0:443", "[::]:443"],
            "tls": {"certificate": str(CERTIFICATE), "key": key},
        }
    public = [str(s.network) for s in answers.segments if not _served(s.network)]
    if public:
        whole["allow_from"] = [*_PRIVATE, *public]
    if answers.firewall:
        whole["gateway"] = {
            "interfaces": list(answers.interfaces),
            "exempt": [str(network) for network in answers.exempt],
            "block_vpn": answers.block_vpn,
            "measure_paths": True,
        }
    if answers.pair is not None:
        listen, peer = answers.pair
        whole["pair"] = {"listen": listen, "peer": peer, "certificate": str(ETC / "pair.pem")}
    return _HEAD + yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)


_PRIVATE = (
    *("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    *("fc00::/7", "fe80::/10"),
)


def _served(network: Network) -> bool:
    """Whether the default of `allow_from` serves it already."""
    known = (ip_network(text) for text in _PRIVATE)
    return any(
        each.version == network.version
        and each.prefixlen <= network.prefixlen
        and network.network_address in each
        for each in known
    )


def school_policy(text: str, answers: Answers) -> str:
    """The shipped school.yaml with this school's name and networks; its comments stay."""
    lines = ["segments:\n"] if answers.segments else ["segments: []\n"]
    for segment in answers.segments:
        title = json.dumps(segment.title, ensure_ascii=False)
        lines.append(
            f'  - {{id: {segment.id}, network: "{segment.network}", tier: {segment.tier}, '
            f"title: {title}}}\n"
        )
    changed, count = _SEGMENTS.subn(lambda _: "".join(lines), text, count=1)
    if count != 1:
        raise ConfigError([Problem("school.yaml", None, "segments", "is missing as shipped")])
    for key, value in (("id", answers.school_id), ("name", answers.school_name)):
        if value:
            changed = _identity(changed, key, value)
    return changed


def _identity(text: str, key: str, value: str) -> str:
    """`text` with a value of its `identity` block, which is written in double quotes."""
    match = re.search(rf'^  {key}: ("[^"\n]*")', text, re.MULTILINE)
    if match is None:
        raise ConfigError(
            [Problem("school.yaml", None, f"identity.{key}", "is missing as shipped")]
        )
    return text[: match.start(1)] + json.dumps(value, ensure_ascii=False) + text[match.end(1) :]


def sysctl(answers: Answers) -> str:
    """A box in the path forwards; accept_ra 2 keeps its own IPv6 route while it does."""
    lines = ["net.ipv4.ip_forward = 1", "net.ipv6.conf.all.forwarding = 1"]
    if answers.internet:
        lines.append(f"net.ipv6.conf.{answers.internet.replace('.', '/')}.accept_ra = 2")
    return _HEAD + "\n".join(lines) + "\n"


def unbound() -> str:
    """A validating resolver of the box's own, for filterd alone (unbound.conf(5))."""
    return (
        f"{_HEAD}server:\n"
        "    interface: 127.0.0.1@5300\n"
        "    access-control: 127.0.0.0/8 allow\n"
        "    do-not-query-localhost: yes\n"
        "    hide-identity: yes\n"
        "    hide-version: yes\n"
        "    harden-glue: yes\n"
        "    harden-dnssec-stripped: yes\n"
        "    qname-minimisation: yes\n"
        "    aggressive-nsec: yes\n"
        "    ede: yes\n"
        "    edns-buffer-size: 1232\n"
        "    max-udp-size: 1232\n"
        "    prefetch: yes\n"
    )


def encrypted_socket() -> str:
    """Ports 853 and 443, opened by systemd like port 53."""
    streams = ("0.0.0.0:853", "[::]:853", "0.0.0.0:443", "[::]:443")
    return f"{_HEAD}[Socket]\n" + "".join(f"ListenStream={stream}\n" for stream in streams)


def encrypted_service() -> str:
    """The key reaches the service as a credential, readable by nobody else (systemd.exec(5))."""
    return f"{_HEAD}[Service]\nLoadCredential=key:{KEY}\n"
