"""The rows of the scoreboard: what is measured of one server, and how a figure is worded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.conformance import compliance, lies, robustness, streams, transparency
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.packets import query, udp_ask

QUESTIONS = 2000
MALFORMED = 9_774


@dataclass(frozen=True, slots=True)
class Row:
    """A property: its key in the figures, its title, what is wanted, which section it is in."""

    key: str
    title: str
    wanted: str


ROWS = (
    Row("flags_edns", "Flags, opcodes, EDNS: right of 34", "34"),
    Row("types", "Record types: right of 65", "65"),
    Row(
        "udp_differences",
        "Differences from the upstream in 2,000 questions over UDP (besides AD)",
        "0",
    ),
    Row("tcp_differences", "… over TCP", "0"),
    Row("delivered", "Good answer delivered despite a lie before it, of 12", "12"),
    Row("accepted", "Lies believed, of 12", "0"),
    Row("flights", "Upstream queries for 40 clients asking the same at once", "1"),
    Row("ports", "Different source ports / ids in 60 upstream queries", "60 / 60"),
    Row("leaked", "Client options passed upstream (subnet, unknown, cookie)", "none"),
    Row("dead", "Seconds until SERVFAIL when the upstream is silent", "≤ 2"),
    Row("failure_cached", "A SERVFAIL is remembered (RFC 9520)", "yes"),
    Row("private", "Private addresses let through in 14 forms of public names", "0"),
    Row("idle_tcp", "New TCP client served beside 1,500 idle connections of one client", "yes"),
    Row("idle_udp", "UDP answers of 200 meanwhile", "200"),
    Row("close_half", "Seconds an unfinished TCP message is kept", "2–3"),
    Row("close_idle", "Seconds a silent TCP connection is kept", "10"),
    Row("pipeline", "Fast answers overtake a slow one on one connection", "yes"),
    Row("alive", "Alive after malformed messages", "yes"),
    Row("lost", "Good questions lost meanwhile", "0"),
    Row("p99", "p99 of good questions in ms, before → meanwhile", "the same"),
    Row("growth", "Memory grown meanwhile, MiB", "< 10"),
)
_YES = {True: "yes", False: "no"}


def of_signed(port: int, upstream: int) -> dict[str, str]:
    """The figures that need the signed upstream."""
    figures = {
        "flags_edns": str(compliance.run(port, compliance.FLAGS_AND_EDNS).passed),
        "types": str(compliance.run(port, compliance.RECORD_TYPES).passed),
    }
    for transport in ("udp", "tcp"):
        compared = transparency.compare(upstream, port, QUESTIONS, transport == "tcp")
        figures[f"{transport}_differences"] = (
            f"{len(compared.different)} ({compared.besides_ad})" if compared.different else "0"
        )
    return figures


def of_lying(port: int, pid: int, upstream: LyingUpstream) -> dict[str, str]:
    """The figures that need the lying upstream; the harshest come last."""
    found = lies.twelve(port)
    ports, idents = lies.ports_of_sixty(port, upstream)
    leaked = lies.options_leaked(port, upstream)
    words = {8: "subnet", 65_001: "unknown", 10: "cookie"}
    dead = lies.dead_seconds(port)
    figures = {
        "delivered": str(len(found.delivered)),
        "accepted": str(len(found.accepted)),
        "flights": str(lies.queries_for_forty(port, upstream)),
        "ports": f"{ports} / {idents}",
        "leaked": ", ".join(words[code] for code in leaked) or "none",
        "dead": f"{dead:.1f}" if dead is not None else "> 12",
        "failure_cached": _YES[lies.failure_cached(port, upstream)],
        "private": str(lies.private_let_through(port)),
    }
    return figures | _streams(port) | _malformed(port, pid)


def _streams(port: int) -> dict[str, str]:
    name = "good.streams.example"
    order = streams.order_of(port, "slow800.s.example", [f"good.s{n}.example" for n in range(5)])
    half = streams.closed_after(port, streams.half_message())
    idle = streams.closed_after(port, b"")
    udp_ask(port, query(name), 3.0)
    with streams.idle_connections(port, streams.IDLE, ["127.0.12.1"]):
        served = streams.others(port, name)
    return {
        "pipeline": _YES[len(order) == 6 and order[-1] == 0],
        "close_half": _seconds(half),
        "close_idle": _seconds(idle),
        "idle_tcp": _YES[served.tcp],
        "idle_udp": str(served.udp_answered),
    }


def _malformed(port: int, pid: int) -> dict[str, str]:
    name = "good.stream.example"
    udp_ask(port, query(name), 3.0)
    with robustness.good_questions(port, name) as before:
        for _ in range(500):
            udp_ask(port, query(name), 1.0)
    robustness.pelt_apart(port, 2000)
    memory = robustness.resident_mib(pid)
    with robustness.good_questions(port, name) as stream:
        robustness.pelt_apart(port, MALFORMED)
    return {
        "alive": _YES[udp_ask(port, query(name), 3.0) is not None],
        "lost": str(stream.lost),
        "p99": f"{before.p99_ms:.1f} → {stream.p99_ms:.1f}",
        "growth": f"{robustness.resident_mib(pid) - memory:.1f}",
    }


def _seconds(value: float | None) -> str:
    return f"{value:.0f}" if value is not None else "> 40"


def table(figures: dict[str, dict[str, Any]]) -> str:
    """The scoreboard in Markdown: a line for each row, a column for each server."""
    servers = list(figures)
    lines = ["| | wanted | " + " | ".join(servers) + " |", "|---" * (len(servers) + 2) + "|"]
    for row in ROWS:
        cells = [str(figures[server].get(row.key, "–")) for server in servers]
        lines.append(f"| {row.title} | {row.wanted} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
