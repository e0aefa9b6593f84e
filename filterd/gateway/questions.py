"""The guided form of `filterd setup`: eight questions, each with a proposal from this box.

Vietnamese first, English after the slash. Only asks: the answers go through `answers.parse`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from filterd.gateway.answers import PROVIDERS, TIERS
from filterd.gateway.interfaces import Interface

Ask = Callable[[str], str]


def ask_all(
    interfaces: Sequence[Interface], ask: Ask, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The answers as the file of `--answers` would have them."""
    for interface in interfaces:
        networks = ", ".join(map(str, interface.networks)) or "–"
        tell(f"  {interface.name:<15} {networks}{'  → Internet' if interface.internet else ''}")
    outside = next((i.name for i in interfaces if i.internet), "")
    inside = [i for i in interfaces if not i.internet]
    name = _text(ask, "1/8 Tên trường / Name of the school", "")
    internet = _text(ask, "2/8 Cổng ra Internet / Interface to the Internet", outside)
    proposal = " ".join(i.name for i in inside)
    school = _text(ask, "  … các cổng phía trường / the school's interfaces", proposal).split()
    chosen = [i for i in inside if i.name in school]
    segments = _segments(ask, tell, chosen)
    upstreams = _choice(ask, "4/8 Hỏi DNS ở đâu / Where to ask", tuple(PROVIDERS), "unbound")
    wall = _yes(ask, "5/8 Tường lửa chặn vượt lọc / Firewall against going around", True)
    names = _text(
        ask, "6/8 Tên cho DNS mã hoá, bỏ trống: không / Name for encrypted DNS", ""
    ).split()
    console = _text(ask, "7/8 Địa chỉ trang quản trị / Console address", "127.0.0.1:8053")
    office = _text(ask, "8/8 Địa chỉ Sở, bỏ trống: chưa có / The office's address, empty: none", "")
    given: dict[str, Any] = {
        "school": {"name": name},
        "interfaces": {"internet": internet, "school": school},
        "segments": segments,
        "upstreams": upstreams,
        "firewall": {"enabled": wall},
        "certificate": {"names": names},
        "console": console,
    }
    if office:
        code = _text(ask, "    mã của trường / the school's code", "")
        given["office"] = {"url": office, "code": code}
    return given


def _segments(
    ask: Ask, tell: Callable[[str], None], chosen: Sequence[Interface]
) -> list[dict[str, str]]:
    tell(f"3/8 Mạng nào của ai / Which network is whose: {', '.join(TIERS)}, - = không / none")
    found = []
    for interface in chosen:
        for network in interface.networks:
            tier = _choice(ask, f"    {network} ({interface.name})", (*TIERS, "-"), "-")
            if tier != "-":
                found.append({"network": str(network), "tier": tier, "title": interface.name})
    return found


def _text(ask: Ask, question: str, proposal: str) -> str:
    return ask(f"{question} [{proposal}]: ").strip() or proposal


def _choice(ask: Ask, question: str, known: Sequence[str], proposal: str) -> str:
    while True:
        given = _text(ask, f"{question} ({' | '.join(known)})", proposal)
        if given in known:
            return given


def _yes(ask: Ask, question: str, proposal: bool) -> bool:
    given = _text(ask, f"{question} (c/k, y/n)", "c" if proposal else "k").lower()
    return given[:1] in ("c", "y")
