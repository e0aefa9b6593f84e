"""The nftables table that measures who goes past the filter: pure, from interfaces to text.

Own table `inet filterd_paths`; it refuses nothing. It stands behind the guard of the firewall, so
what that refused is not counted. Elements name addresses and devices in the kernel's memory alone;
what leaves is four numbers a day (`follow`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

TABLE = "filterd_paths"
SIZE = 131_072
GRACE_S = 600
"""How much longer than its TTL an answer may be used: RFC 1035 §3.2.1 is obeyed by resolvers, while
programs keep an address as long as they like (browsers: a minute; others: until restart)."""
MOST_S = 86_400
_OUTSIDE4 = (
    "{ 10.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16, 224.0.0.0/3 }"
)
_OUTSIDE6 = "{ ::/127, fc00::/7, fe80::/10, ff00::/8 }"


def render(interfaces: Sequence[str]) -> str:
    """The table anew, with nothing counted."""
    names = ", ".join(f'"{name}"' for name in dict.fromkeys(interfaces))
    return f"""table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
	set school {{
		type ifname
		elements = {{ {names} }}
	}}
{_set("answered4", "ipv4_addr", "flags timeout")}
{_set("answered6", "ipv6_addr", "flags timeout")}
{_set("strange4", "ipv4_addr", "flags dynamic,timeout; timeout 5m")}
{_set("strange6", "ipv6_addr", "flags dynamic,timeout; timeout 5m")}
{_set("egress", "ether_addr", "flags dynamic,timeout; timeout 30h")}
{_set("asked", "ether_addr", "flags dynamic,timeout; timeout 30h")}
	counter flows {{ packets 0 bytes 0 }}
	chain ask {{
		type filter hook prerouting priority mangle; policy accept;
		iifname != @school return
		meta l4proto {{ tcp, udp }} th dport 53 add @asked {{ ether saddr }}
		fib daddr type local tcp dport {{ 443, 853 }} add @asked {{ ether saddr }}
	}}
	chain measure {{
		type filter hook forward priority filter + 10; policy accept;
		iifname != @school return
		oifname @school return
		ct status confirmed return
		ip daddr {_OUTSIDE4} return
		ip6 daddr {_OUTSIDE6} return
		add @egress {{ ether saddr }}
		counter name "flows"
		ip daddr @answered4 return
		ip6 daddr @answered6 return
		meta nfproto ipv4 update @strange4 {{ ip daddr counter }}
		meta nfproto ipv6 update @strange6 {{ ip6 daddr counter }}
	}}
}}
"""


def _set(name: str, kind: str, flags: str) -> str:
    return f"\tset {name} {{\n\t\ttype {kind}; size {SIZE}; {flags}\n\t}}"


def answered(lifetimes: Mapping[str, int], known: Iterable[str]) -> str:
    """A transaction that puts addresses in for so many seconds; `known` ones are there already.

    A timeout changes only with the element, so it is taken out and put in again.
    """
    there = set(known)
    lines = []
    for address, seconds in lifetimes.items():
        name = "answered6" if ":" in address else "answered4"
        plain = f"element inet {TABLE} {name} {{ {address} }}"
        if address in there:
            lines += [f"add {plain}", f"delete {plain}"]
        lines.append(f"add element inet {TABLE} {name} {{ {address} timeout {seconds}s }}")
    return "\n".join(lines) + "\n"


def flushed(*sets: str) -> str:
    """A transaction that empties sets."""
    return "".join(f"flush set inet {TABLE} {name}\n" for name in sets)
