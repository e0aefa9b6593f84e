"""The firewall of the gateway as text: pure, from a plan to nftables rules.

Knows no system: what to protect comes in as a `Plan`, rules go out as one atomic transaction that
touches the table `inet filterd` and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network
TABLE = "filterd"
PROBE = "filterd-probe"
"""The interface of `firewall check`'s own test client; treated as one of the school's."""
RESOLVER_PORTS = (443, 784, 853, 4443, 5353, 5443, 8443, 8853, 9953)
"""Where public resolvers answer besides 53: DoH, DoT, DoQ (also its draft ports), and alternatives
that operators document (OpenDNS 5353, Quad9 9953, dnscrypt 5443)."""
VPN_UDP = (500, 1194, 1701, 4500, 51820)
VPN_TCP = (1194, 1723)
COUNTERS = ("resolver", "dot", "doh", "vpn", "leak", "closed")
"""Attempts to go around, added up for the whole school; nothing says who."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the firewall protects.

    `interfaces`: where the school's devices come in. `exempt`: sources that may use any resolver
    (a server room, the staff of a school that wants it so). `resolvers`: addresses of public
    resolvers. `dns_port`: where filterd listens on this box.
    """

    interfaces: tuple[str, ...]
    exempt: tuple[Network, ...] = ()
    resolvers: tuple[Network, ...] = ()
    dns_port: int = 53
    block_vpn: bool = True


def render(plan: Plan, counted: Mapping[str, tuple[int, int]] | None = None) -> str:
    """The rules for a running filter; `counted` (packets, bytes) goes on from what was counted."""
    return _table([*_sets(plan), *_counters(counted or {}), *_redirect(plan), *_guard(plan)])


def render_closed(plan: Plan, counted: Mapping[str, tuple[int, int]] | None = None) -> str:
    """The rules before the filter is ready: nothing of the school is forwarded.

    Names of interfaces are compared as text, so that this loads before any interface exists.
    """
    chain = [
        "\tchain guard {",
        "\t\ttype filter hook forward priority filter - 10; policy accept;",
        "\t\tiifname @school ip saddr @exempt4 return",
        "\t\tiifname @school ip6 saddr @exempt6 return",
        '\t\tiifname @school counter name "closed" drop',
        "\t}",
    ]
    return _table([*_sets(plan), *_counters(counted or {}), *chain])


def render_removed() -> str:
    """A transaction that takes filterd's table away, whether or not it is there."""
    return f"table inet {TABLE}\ndelete table inet {TABLE}\n"


def _table(lines: Iterable[str]) -> str:
    """`table` before `delete` makes the pair valid also when there is no table yet."""
    body = "\n".join(lines)
    return f"{render_removed()}table inet {TABLE} {{\n{body}\n}}\n"


def _sets(plan: Plan) -> list[str]:
    names = ", ".join(f'"{name}"' for name in dict.fromkeys((*plan.interfaces, PROBE)))
    return [
        "\tset school {",
        "\t\ttype ifname",
        f"\t\telements = {{ {names} }}",
        "\t}",
        *_address_set("exempt4", "ipv4_addr", [n for n in plan.exempt if n.version == 4]),
        *_address_set("exempt6", "ipv6_addr", [n for n in plan.exempt if n.version == 6]),
        *_address_set("resolver4", "ipv4_addr", [n for n in plan.resolvers if n.version == 4]),
        *_address_set("resolver6", "ipv6_addr", [n for n in plan.resolvers if n.version == 6]),
    ]


def _address_set(name: str, kind: str, networks: Iterable[Network]) -> list[str]:
    lines = [f"\tset {name} {{", f"\t\ttype {kind}", "\t\tflags interval", "\t\tauto-merge"]
    elements = ", ".join(sorted({_element(network) for network in networks}))
    if elements:
        lines.append(f"\t\telements = {{ {elements} }}")
    return [*lines, "\t}"]


def _element(network: Network) -> str:
    whole = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if whole else str(network)


def _counters(counted: Mapping[str, tuple[int, int]]) -> list[str]:
    lines = []
    for name in COUNTERS:
        packets, octets = counted.get(name, (0, 0))
        lines += [f"\tcounter {name} {{", f"\t\tpackets {packets} bytes {octets}", "\t}"]
    return lines


def _redirect(plan: Plan) -> list[str]:
    """Port 53, to whomever it goes, comes to this box; asking the box itself is no attempt."""
    own = [] if plan.dns_port != 53 else ["\t\tfib daddr type local return"]
    return [
        "\tchain capture {",
        "\t\ttype nat hook prerouting priority dstnat - 10; policy accept;",
        "\t\tiifname != @school return",
        "\t\tip saddr @exempt4 return",
        "\t\tip6 saddr @exempt6 return",
        *own,
        '\t\tmeta l4proto { tcp, udp } th dport 53 counter name "resolver" '
        f"redirect to :{plan.dns_port}",
        "\t}",
    ]


def _guard(plan: Plan) -> list[str]:
    """Before other tables' filter chains, and on every packet: a flow from before is cut, too."""
    ports = _numbers(RESOLVER_PORTS)
    return [
        "\tchain guard {",
        "\t\ttype filter hook forward priority filter - 10; policy accept;",
        "\t\tiifname != @school return",
        "\t\tip saddr @exempt4 return",
        "\t\tip6 saddr @exempt6 return",
        # Redirected packets never come here: this is a flow that the redirection did not see.
        '\t\tmeta l4proto { tcp, udp } th dport 53 counter name "leak" goto refuse',
        '\t\tmeta l4proto { tcp, udp } th dport 853 counter name "dot" goto refuse',
        f'\t\tip daddr @resolver4 meta l4proto {{ tcp, udp }} th dport {ports} counter name "doh" '
        "goto refuse",
        f'\t\tip6 daddr @resolver6 meta l4proto {{ tcp, udp }} th dport {ports} counter name "doh" '
        "goto refuse",
        *(_vpn() if plan.block_vpn else []),
        "\t}",
        "\tchain refuse {",
        "\t\tmeta l4proto tcp reject with tcp reset",
        "\t\treject with icmpx admin-prohibited",
        "\t}",
    ]


def _vpn() -> list[str]:
    return [
        f'\t\tudp dport {_numbers(VPN_UDP)} counter name "vpn" goto refuse',
        f'\t\ttcp dport {_numbers(VPN_TCP)} counter name "vpn" goto refuse',
        '\t\tmeta l4proto { 47, 50, 51 } counter name "vpn" goto refuse',
    ]


def _numbers(ports: tuple[int, ...]) -> str:
    return "{ " + ", ".join(map(str, ports)) + " }"
