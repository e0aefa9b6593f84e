"""`make conformance`: filterd and its peers through the same checks in one run. See `--help`."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.conformance import figures, rounds
from tests.conformance.served import Subject, filterd, peer
from tests.lab.forwarders import PEERS
from tests.lab.hostile_upstream import HostileUpstream
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.quick_upstream import quick_upstream
from tests.lab.running import ROOT
from tests.lab.signed import signed_upstream

OUT = ROOT / "docs" / "conformance.md"
TEXT = """# Conformance

Written by `make conformance`, which measures filterd and its peers with the same scripts, on the
same machine, in the same run. Do not edit: run it again.

- Date: {date} · {machine}, load average {load}
- Versions: {versions}
- Each server is a plain forwarder to the same upstream, as it comes besides what a forwarder on
  loopback needs (`tests/lab/forwarders.py`). dnsmasq runs with `--proxy-dnssec`. Debian's versions
  are not the newest of their makers: the table is a measuring stick, no verdict on them.

{table}

How the rows are measured: flags, EDNS and types in `tests/conformance/compliance.py` (BIND has to
pass all of it, or the laboratory is wrong) · differences in `transparency.py` (rcode, flags,
question, answer, authority, EDNS; of truncated replies rcode and TC) against a validating unbound
with a signed zone · lies in `lies.py` against `tests/lab/lying_upstream.py` · connections in
`streams.py` · malformed messages in `robustness.py`: {malformed:,} generated ones and the same with
QR cleared, beside a stream of good questions · the 54 broken queries in `broken.py` · processor
time of one message, as the kernel counts it, in `heavy.py` · floods of one client beside questions
of another in `floods.py`, 2,000 a second for 2.5 seconds · kills in `killed.py`.

Malformed messages and floods are measured in turns (`rounds.py`): every server once, then every
server again, each started afresh, three times; the figures are medians, what is lost
is the sum. In this run {disturbed}. Beside them stands a bare C responder (`tests/bench/stub.c`)
that decides nothing and asks nobody: what its column says is the machine's own share. The p99
before all of it stands in the row of the malformed messages.

The stream of good questions is a process of its own that asks 500 a second on time, whether answers
come or not, and takes the kernel's time of arrival (`beside.py`). A question without an answer
within a second, and SERVFAIL, count as lost.

**To reproduce:** `make conformance` on Debian 12 or 13, as root once so that the peers can be
installed (`tests/prepare` lists them); some twelve minutes, nothing else running. One column less:
`make conformance CONFORMANCE_ARGS="--peers unbound named"`.

What a filter must do differently is not counted as a difference: filterd takes `ech` out of HTTPS
records, answers special names itself, and blocks. The private addresses of the row above are a
choice of the peers: unbound, dnsmasq and PowerDNS can be told to drop them.

Whoever gives up sooner when the upstream is silent has asked it once: filterd asks again each half
second, because a lost datagram is no lost answer (RFC 1035 §4.2.1), and tells within two seconds.

A forwarder that does not validate clears AD, as unbound, BIND and PowerDNS do here; how many
differences there are besides that flag stands in brackets.

A busy machine makes times worse, and p99 says more about it than about the servers when the
load is above the number of cores; counts do not depend on it.
{failed}"""


def measured(subject: Subject, default: Subject, folder: Path, signed: int) -> dict[str, str]:
    """Every figure of one server, once for each upstream; `default`: as many workers as cores."""
    found: dict[str, str] = {}
    hostile = HostileUpstream()
    with LyingUpstream() as lying, subject.serve(folder / "lying", lying.address[1]) as server:
        with (
            subject.serve(folder / "signed", signed) as beside,
            ThreadPoolExecutor(1) as pool,
        ):  # what is counted or waited for does not depend on what else runs
            counted = pool.submit(figures.of_signed, beside, signed)
            found |= figures.of_lying(server, lying)
            found |= counted.result()
        found |= figures.of_crowds(server)
    with hostile.serving() as up, subject.serve(folder / "hostile", up.address[1]) as server:
        found |= figures.of_hostile(server, hostile)
    with quick_upstream() as quick:
        with subject.serve(folder / "burst", quick.port) as server:
            found |= figures.of_burst(server, quick)
        with default.serve(folder / "kills", quick.port) as server:
            found |= figures.of_kills(server)
    return found | figures.of_unit(subject.unit)


@dataclass(slots=True)
class Board:
    """What was found, by server and row, and what the document says about it."""

    found: dict[str, dict[str, str]] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    disturbed: str = ""


def all_of(peers: list[str], folder: Path, told: Callable[[str], None]) -> Board:
    """Every server alone, then all of them in turns."""
    board = Board(versions=["filterd this tree"])
    (folder / "signed").mkdir()
    with signed_upstream(folder / "signed") as signed:
        told("filterd …")
        subjects = [filterd(1)]
        alone = measured(subjects[0], filterd("auto"), folder / "filterd", signed)
        board.found["filterd"] = alone
        for each in PEERS:
            if each.program not in peers:
                board.failed.append(f"{each.title} was not run (`--peers`).")
                continue
            if each.installed is None:
                board.failed.append(f"{each.title} is not installed here.")
                continue
            told(f"{each.title} …")
            board.versions.append(f"{each.title} {each.installed}")
            try:
                subject = peer(each)
                alone = measured(subject, subject, folder / each.program, signed)
            except (RuntimeError, OSError, AssertionError) as error:
                board.failed.append(f"{each.title} could not be measured: {error}")
            else:
                board.found[each.title] = alone
                subjects.append(subject)
    with quick_upstream() as quick:
        turns = rounds.in_rounds([*subjects, rounds.bare_c(folder)], folder, quick, told)
    board.disturbed = turns.machine
    for title, cells in turns.figures.items():
        board.found[title] = board.found.get(title, {}) | cells
    return board


def main() -> int:
    """Measure everything and write the document."""
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("--peers", nargs="*", default=[peer.program for peer in PEERS])
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
    load, began = f"{os.getloadavg()[0]:.1f}", time.monotonic()

    def told(what: str) -> None:
        print(f"{time.monotonic() - began:4.0f} s {what}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
        board = all_of(chosen.peers, Path(scratch), told)
    text = TEXT.format(
        date=datetime.now(UTC).strftime("%Y-%m-%d"), table=figures.table(board.found),
        machine=f"Linux {platform.machine()}, {os.cpu_count()} cores", malformed=rounds.MALFORMED,
        disturbed=board.disturbed, versions=" · ".join(board.versions),
        load=f"{load} when it began, {os.getloadavg()[0]:.1f} at the end"
        f" {(time.monotonic() - began) / 60:.0f} minutes later",
        failed="".join(f"\n{line}\n" for line in board.failed),
    )  # fmt: skip
    chosen.out.write_text(text, "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
