"""The rows of the scoreboard: what is measured of one server, and how a figure is worded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance import (
    broken,
    compliance,
    floods,
    heavy,
    killed,
    lies,
    streams,
    transparency,
)
from tests.conformance.served import Server
from tests.lab.hostile_upstream import HostileUpstream
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.packets import query, udp_ask
from tests.lab.quick_upstream import QuickUpstream

QUESTIONS = 2000
PATIENCE = 33.0
"""So long a connection is watched, in seconds; the peers' longest timer is 30."""


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
    Row("dead_asked", "… times the upstream was asked until then", "≥ 2"),
    Row("failure_cached", "A SERVFAIL is remembered (RFC 9520)", "yes"),
    Row("private", "Private addresses let through in 14 forms of public names", "0"),
    Row("idle_tcp", "New TCP client served beside 1,500 idle connections of one client", "yes"),
    Row("idle_udp", "UDP answers of 200 meanwhile", "200"),
    Row("close_half", "Seconds an unfinished TCP message is kept", "2–3"),
    Row("close_idle", "Seconds a silent TCP connection is kept", "10"),
    Row("pipeline", "Fast answers overtake a slow one on one connection", "yes"),
    Row("broken", "Queries broken in 54 ways: FORMERR + silence", "54"),
    Row("alive", "Alive after 19,500 malformed messages", "yes"),
    Row("lost", "Good questions lost meanwhile", "0"),
    Row("p99", "p99 of good questions in ms, before → meanwhile", "< 2×"),
    Row("growth", "Memory grown meanwhile, MiB", "< 10"),
    Row("heavy_query", "Most processor time for one hostile query of legal size, ms", "≤ 20"),
    Row("heavy_reply", "… for one hostile reply of an upstream, ms", "≤ 20"),
    Row("silent", "2,000 random names/s of a zone without servers: p99 of others in ms", "< 2×"),
    Row("silent_new", "… others' names that nobody asked before: lost", "0"),
    Row("referrals", "2,000 names/s answered with 34-fold referrals: p99 of others in ms", "< 2×"),
    Row("referrals_new", "… others' names that nobody asked before: lost", "0"),
    Row("fanout", "… upstream questions for each of them", "≤ 1"),
    Row("burst", "1,000 held-back answers let go at once: KiB on one address in 10 ms", "≤ 128"),
    Row(
        "killed", "Lost in 3,000 questions over three kill -9 (peers: started again at once)", "≤ 1"
    ),
    Row("exposure", "Exposure of the unit by systemd-analyze, 0–10", "≤ 1.5"),
)
_YES = {True: "yes", False: "no"}
NAME = "good.streams.example"


def of_signed(server: Server, upstream: int) -> dict[str, str]:
    """The figures that need the signed upstream."""
    port = server.port
    refused = broken.send(port)
    right = refused.formerr + refused.silent - len(refused.wrong)
    figures = {
        "flags_edns": str(compliance.run(port, compliance.FLAGS_AND_EDNS).passed),
        "types": str(compliance.run(port, compliance.RECORD_TYPES).passed),
        "broken": f"{refused.formerr} + {refused.silent}" + (" ✗" if right < 54 else ""),
    }
    for transport in ("udp", "tcp"):
        compared = transparency.compare(upstream, port, QUESTIONS, transport == "tcp")
        figures[f"{transport}_differences"] = (
            f"{len(compared.different)} ({compared.besides_ad})" if compared.different else "0"
        )
    return figures


def of_lying(server: Server, upstream: LyingUpstream) -> dict[str, str]:
    """The figures that need the lying upstream; what only waits does so beside all the others."""
    with ThreadPoolExecutor(2) as pool:
        half = pool.submit(streams.closed_after, server.port, streams.half_message(), PATIENCE)
        idle = pool.submit(streams.closed_after, server.port, b"", PATIENCE)
        figures = _lies(server.port, upstream)
        return figures | {
            "close_half": _seconds(half.result()),
            "close_idle": _seconds(idle.result()),
        }


def _lies(port: int, upstream: LyingUpstream) -> dict[str, str]:
    found = lies.twelve(port)
    ports, idents = lies.ports_of_sixty(port, upstream)
    leaked = lies.options_leaked(port, upstream)
    words = {8: "subnet", 65_001: "unknown", 10: "cookie"}
    figures = {
        "delivered": str(len(found.delivered)),
        "accepted": str(len(found.accepted)),
        "flights": str(lies.queries_for_forty(port, upstream)),
        "ports": f"{ports} / {idents}",
        "leaked": ", ".join(words[code] for code in leaked) or "none",
        "failure_cached": _YES[lies.failure_cached(port, upstream)],
        "private": str(lies.private_let_through(port)),
    }
    order = streams.order_of(port, "slow800.s.example", [f"good.s{n}.example" for n in range(5)])
    figures["pipeline"] = _YES[len(order) == 6 and order[-1] == 0]
    before = len(upstream.queries("dead"))
    seconds = lies.dead_seconds(port)
    figures["dead_asked"] = str(len(upstream.queries("dead")) - before)
    return figures | {"dead": f"{seconds:.1f}" if seconds is not None else "> 12"}


def of_crowds(server: Server) -> dict[str, str]:
    """Idle connections, and whether others notice."""
    port = server.port
    udp_ask(port, query(NAME), 3.0)
    with streams.idle_connections(port, streams.IDLE, ["127.0.12.1"]):
        served = streams.others(port, NAME)
    return {"idle_tcp": _YES[served.tcp], "idle_udp": str(served.udp_answered)}


def of_hostile(server: Server, hostile: HostileUpstream) -> dict[str, str]:
    """What one message costs at most."""
    queries = heavy.bombs_as_queries(server.port, server.answering())
    replies = heavy.bombs_as_replies(server.port, server.answering(), hostile)
    return {
        "heavy_query": f"{max(0.0, *queries.values()):.1f}",
        "heavy_reply": f"{max(0.0, *replies.values()):.1f}",
    }


def of_burst(server: Server, upstream: QuickUpstream) -> dict[str, str]:
    """Answers that were held back and come at once."""
    return {"burst": f"{floods.burst_octets(server.port, upstream)[0] / 1024:.0f}"}


def of_kills(server: Server) -> dict[str, str]:
    """What is lost when processes die."""
    udp_ask(server.port, query(floods.CACHED), 3.0)
    lost, asked = killed.lost_over_three(server.port, floods.CACHED, server.kill)
    return {"killed": f"{lost} of {asked}"}


def of_unit(unit: Path) -> dict[str, str]:
    """The unit's own figure."""
    found = killed.exposure(unit)
    return {"exposure": f"{found:.1f}" if found is not None else "–"}


def _seconds(value: float | None) -> str:
    return f"{value:.0f}" if value is not None else f"> {PATIENCE:.0f}"


def table(figures: dict[str, dict[str, Any]]) -> str:
    """The scoreboard in Markdown: a line for each row, a column for each server."""
    servers = list(figures)
    lines = ["| | wanted | " + " | ".join(servers) + " |", "|---" * (len(servers) + 2) + "|"]
    for row in ROWS:
        cells = [str(figures[server].get(row.key, "–")) for server in servers]
        lines.append(f"| {row.title} | {row.wanted} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
