"""What others notice of malformed messages and floods, by turns: one server after the other.

A hypervisor takes processors away at times, and every p99 of such a moment is worthless.
So no server is measured once: all take turns, the share that the hypervisor took is noted for each
turn, turns with much of it are repeated, and the median of the quietest ones counts.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.load import STOLEN, clocks, stolen_since
from tests.bench.servers import build_stub
from tests.conformance import floods, robustness
from tests.conformance.beside import Stream, good_questions
from tests.conformance.served import Server, Subject
from tests.lab.packets import query, udp_ask
from tests.lab.peers import free_port
from tests.lab.processes import resident_mib
from tests.lab.quick_upstream import QuickUpstream

MALFORMED = 9_774
COUNTED, MOST = 3, 5
"""So many turns of each server count, so many are made at most."""
ENOUGH_SECONDS = 330
"""No turn is repeated later than this."""
FLOOR = "(a bare C responder)"


@dataclass(frozen=True, slots=True)
class Turn:
    """One server's turn; `stolen` is the hypervisor's share of it."""

    before: Stream
    malformed: Stream
    alive: bool
    growth: float
    floods: dict[str, floods.Beside]
    stolen: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figures by server, and in words how disturbed the machine was."""

    figures: dict[str, dict[str, str]]
    machine: str


def in_rounds(
    subjects: Sequence[Subject], folder: Path, upstream: QuickUpstream, told: Callable[[str], None]
) -> Outcome:
    """All servers in turns. One that cannot be started is told of and left out."""
    turns: dict[str, list[Turn]] = {subject.title: [] for subject in subjects}
    began = time.monotonic()
    for number in range(MOST):
        for subject in subjects:
            done = turns[subject.title]
            quiet = sum(turn.stolen < STOLEN for turn in done)
            late = time.monotonic() - began > ENOUGH_SECONDS
            if quiet >= COUNTED or (len(done) >= COUNTED and late):
                continue
            place = folder / f"{number}-{subject.title.strip('()').replace(' ', '-')}"
            try:
                done.append(turn(subject, place, upstream))
            except (RuntimeError, OSError, AssertionError) as error:
                told(f"{subject.title}, turn {number + 1}: {error}")
                continue
            told(f"{subject.title}, turn {number + 1}: {_turn_words(done[-1])}")
    made = {title: _quietest(done) for title, done in turns.items() if done}
    return Outcome({title: _figures(done) for title, done in made.items()}, _machine(turns, made))


def turn(subject: Subject, folder: Path, upstream: QuickUpstream) -> Turn:
    """Start the server afresh, so that nothing of a flood before is left, and measure it once."""
    with subject.serve(folder, upstream.port) as server:
        port = server.port
        assert udp_ask(port, query(floods.CACHED), 3.0) is not None, "no answer"
        since = clocks()
        with good_questions(port, floods.CACHED) as before:
            time.sleep(1.5)
        robustness.pelt_apart(port, 2000)
        memory = resident_mib(server.pid)
        with good_questions(port, floods.CACHED) as malformed:
            robustness.pelt_apart(port, MALFORMED)
        alive = udp_ask(port, query(floods.CACHED), 3.0) is not None
        growth = resident_mib(server.pid) - memory
        found = {kind: floods.beside(port, upstream, kind) for kind in ("referrals", "silent")}
        return Turn(before, malformed, alive, growth, found, stolen_since(since))


def bare_c(folder: Path) -> Subject:
    """A responder in C that decides and asks nothing: what this machine does to anybody."""
    program = build_stub(folder)

    @contextlib.contextmanager
    def serve(_place: Path, _upstream: int) -> Iterator[Server]:
        port = free_port()
        with subprocess.Popen([str(program), str(port)]) as child:
            try:
                end = time.monotonic() + 10
                while udp_ask(port, query(floods.CACHED), 0.2) is None:
                    assert time.monotonic() < end, "the C responder does not answer"
                yield Server(port, child.pid, lambda: child.pid, child.kill)
            finally:
                child.kill()

    return Subject(FLOOR, Path("/nonexistent"), serve)


def _quietest(done: list[Turn]) -> list[Turn]:
    return sorted(done, key=lambda turn: turn.stolen)[:COUNTED]


def _figures(done: list[Turn]) -> dict[str, str]:
    before = statistics.median(turn.before.p99_ms for turn in done)
    malformed = statistics.median(turn.malformed.p99_ms for turn in done)
    figures = {
        "alive": "yes" if all(turn.alive for turn in done) else "no",
        "lost": str(sum(turn.malformed.lost for turn in done)),
        "p99": f"{before:.1f} → {malformed:.1f}",
        "growth": f"{max(turn.growth for turn in done):.1f}",
        "fanout": f"{statistics.median(turn.floods['referrals'].ratio for turn in done):.1f}",
    }
    for kind in floods.NAMES:
        seen = [turn.floods[kind] for turn in done]
        lost = sum(each.cached.lost for each in seen)
        new = sum(each.fresh.lost for each in seen)
        asked = new + sum(len(each.fresh.times) for each in seen)
        after = statistics.median(each.cached.p99_ms for each in seen)
        figures[kind] = f"{after:.1f}" + (f", {lost} lost" if lost else "")
        figures[f"{kind}_new"] = f"{new} of {asked}" if new else "0"
    return figures


def _turn_words(turn: Turn) -> str:
    after = ", ".join(f"{kind} {seen.cached.p99_ms:.1f}" for kind, seen in turn.floods.items())
    return (
        f"p99 {turn.before.p99_ms:.1f} → malformed {turn.malformed.p99_ms:.1f}, {after} ms; "
        f"{turn.stolen:.0%} stolen"
    )


def _machine(turns: dict[str, list[Turn]], counted: dict[str, list[Turn]]) -> str:
    made = [turn.stolen for done in turns.values() for turn in done]
    used = [turn.stolen for done in counted.values() for turn in done]
    return (
        f"{sum(share >= STOLEN for share in made)} of {len(made)} turns were disturbed (the "
        f"hypervisor took {STOLEN:.0%} of the processors or more), and "
        f"{sum(share >= STOLEN for share in used)} of the {len(used)} that count; the median of "
        f"those is {statistics.median(used):.0%}"
    )
