"""The shape and the defaults of the settings (contract §2); reads nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Address:
    """A host address and a port; `str` gives the form of the settings file."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ip_address(self.host.partition("%")[0]).is_loopback


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate and key files of the encrypted listeners."""

    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Listen:
    """Where questions come in; `dns` is UDP and TCP."""

    dns: tuple[Address, ...] = (Address("127.0.0.1", 5353), Address("::1", 5353))
    dot: tuple[Address, ...] = ()
    doh: tuple[Address, ...] = ()
    tls: Tls = field(default_factory=Tls)


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """Size and lifetimes of the answer cache; `stale` and the TTLs in seconds."""

    size_mib: int = 64
    min_ttl: int = 0
    max_ttl: int = 86400
    stale: int = 3 * 86400


def _networks(*texts: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


ALLOW_FROM = _networks(
    "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
    "fe80::/10",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """The firewall of a box in the path: no interface means that this box has none.

    `interfaces`: where the school's devices come in. `exempt`: sources that may ask any resolver.
    `resolver_addresses`: files of further public resolvers. `leases`: DHCP lease files to read.
    `measure_paths`: count who goes past the filter (`gateway.follow`).
    """

    interfaces: tuple[str, ...] = ()
    exempt: tuple[IPv4Network | IPv6Network, ...] = ()
    resolver_addresses: tuple[Path, ...] = ()
    block_vpn: bool = True
    leases: tuple[Path, ...] = ()
    measure_paths: bool = False
    radius: Address | None = None


@dataclass(frozen=True, slots=True)
class PairSettings:
    """Two boxes: where this one is asked for its policy, where the other one is, and the file with
    the other one's certificate (`filterd setup ha --certificate` prints a box's own)."""

    listen: Address
    peer: Address
    certificate: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `filterd.yaml` says, every path absolute, every default filled in."""

    state_dir: Path
    policies: Path
    catalogue: Path
    workers: int = 1
    listen: Listen = field(default_factory=Listen)
    allow_from: tuple[IPv4Network | IPv6Network, ...] = ALLOW_FROM
    upstreams: tuple[str, ...] = ()
    upstream_strategy: str = "parallel"
    conditional: tuple[tuple[str, tuple[str, ...]], ...] = ()
    metrics: Address | None = Address("127.0.0.1", 9153)
    console: Address | None = Address("127.0.0.1", 8053)
    portal: Address | None = Address("127.0.0.1", 8054)
    cache: CacheSettings = field(default_factory=CacheSettings)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    pair: PairSettings | None = None
    office_every: int = 300
    """Seconds between two visits at the office; half of it to half more, so that load spreads."""
    source: Path | None = None

    @property
    def control_socket(self) -> Path:
        """Where the supervisor takes control requests."""
        return self.state_dir / "run" / "control.sock"

    @property
    def blocklists(self) -> Path:
        """The directory of the catalogue and of the taxonomy beside it."""
        return self.catalogue.parent

    def for_worker(self) -> dict[str, Any]:
        """The settings that a worker needs, as JSON (the `settings` of its first frame)."""
        return {
            "allow_from": [str(network) for network in self.allow_from],
            "upstreams": list(self.upstreams),
            "upstream_strategy": self.upstream_strategy,
            "conditional": {zone: list(urls) for zone, urls in self.conditional},
            "listen": {
                "dns": [str(a) for a in self.listen.dns],
                "dot": [str(a) for a in self.listen.dot],
                "doh": [str(a) for a in self.listen.doh],
                "tls": {
                    "certificate": _text(self.listen.tls.certificate),
                    "key": _text(self.listen.tls.key),
                },
            },
            "cache": {
                "size_mib": self.cache.size_mib,
                "min_ttl": self.cache.min_ttl,
                "max_ttl": self.cache.max_ttl,
                "stale": self.cache.stale,
            },
            "blocklists": str(self.blocklists),
            "state_dir": str(self.state_dir),
            "measure_paths": self.gateway.measure_paths,
        }


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
