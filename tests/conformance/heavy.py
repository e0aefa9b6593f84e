"""What one message of legal size costs a server at most, in processor time as the kernel counts it.

Independent of how busy the machine is.
"""

from __future__ import annotations

import statistics
import time

from tests.lab.bombs import as_queries, bombs
from tests.lab.hostile_upstream import LETTERS, HostileUpstream, asking
from tests.lab.packets import query, tcp_ask, udp_ask
from tests.lab.processes import cpu_seconds, descendants


def processor_ms(pid: int) -> float:
    """Time on the processor of a process and of all that it started so far."""
    return cpu_seconds(descendants(pid)) * 1000


def bombs_as_queries(port: int, pid: int) -> dict[str, float]:
    """Milliseconds for each bomb sent by a client over TCP, a plain question's taken off."""
    plain = _plain(port, pid)
    costs = {}
    for title, wire in as_queries().items():
        before = processor_ms(pid)
        tcp_ask(port, wire, 2.0)
        costs[title] = processor_ms(pid) - before - plain
    return costs


def bombs_as_replies(port: int, pid: int, hostile: HostileUpstream) -> dict[str, float]:
    """The same for each bomb that the upstream answers with."""
    plain = _plain(port, pid)
    costs = {}
    for letter, (title, wire) in zip(LETTERS[13:], bombs().items(), strict=False):
        hostile.hurl = wire
        before = processor_ms(pid)
        udp_ask(port, asking(wire, letter), 4.0)
        costs[title] = processor_ms(pid) - before - plain
    return costs


def _plain(port: int, pid: int) -> float:
    costs = []
    for number in range(9):
        before = processor_ms(pid)
        tcp_ask(port, query(f"good.p{number}.example"), 2.0)
        costs.append(processor_ms(pid) - before)
        time.sleep(0.01)
    return statistics.median(costs)
