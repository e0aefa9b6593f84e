"""`make conformance`: filterd and its peers through the same checks in one run. See `--help`."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import resource
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.conformance import figures
from tests.lab.forwarders import PEERS, Forwarder, forwarding
from tests.lab.lying_upstream import LyingUpstream
from tests.lab.running import ROOT, RunningFilterd
from tests.lab.signed import signed_upstream

OUT = ROOT / "docs" / "conformance.md"
TEXT = """# Conformance

Written by `make conformance`, which measures filterd and its peers with the same scripts, on the
same machine, in the same run. Do not edit: run it again.

- Date: {date} · {machine}, load average {load} when it began
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
QR cleared, beside a stream of good questions.

What a filter must do differently is not counted as a difference: filterd takes `ech` out of HTTPS
records, answers special names itself, and blocks. The private addresses of the row above are a
choice of the peers: unbound, dnsmasq and PowerDNS can be told to drop them.

A forwarder that does not validate clears AD, as unbound, BIND and PowerDNS do here; how many
differences there are besides that flag stands in brackets.

A busy machine makes times worse, and p99 says more about it than about the servers when the
load is above the number of cores; counts do not depend on it.
{failed}"""


def filterd_figures(folder: Path, signed: int) -> dict[str, str]:
    """filterd as `filterd run` starts it, once for each upstream."""
    found: dict[str, str] = {}
    for number, upstream in enumerate((signed, None)):
        home = folder / f"filterd{number}"
        home.mkdir()
        with LyingUpstream() as lying:
            url = lying.url if upstream is None else f"udp://127.0.0.1:{upstream}"
            running = RunningFilterd(home, {"upstreams": [url], "workers": 1})
            try:
                running.start()
                assert running.process is not None
                if upstream is not None:
                    found |= figures.of_signed(running.port, upstream)
                else:
                    found |= figures.of_lying(running.port, running.process.pid, lying)
            finally:
                running.stop()
    return found


def peer_figures(peer: Forwarder, folder: Path, signed: int) -> dict[str, str]:
    """A peer, once for each upstream."""
    with forwarding(peer, folder / f"{peer.program}0", signed) as started:
        found = figures.of_signed(started.port, signed)
    with (
        LyingUpstream() as lying,
        forwarding(peer, folder / f"{peer.program}1", lying.address[1]) as started,
    ):
        return found | figures.of_lying(started.port, started.process.pid, lying)


def main() -> int:
    """Measure everything and write the document."""
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("--peers", nargs="*", default=[peer.program for peer in PEERS])
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
    found: dict[str, dict[str, str]] = {}
    load = f"{os.getloadavg()[0]:.1f}"
    versions, failed = ["filterd this tree"], []
    with contextlib.ExitStack() as on:
        scratch = on.enter_context(tempfile.TemporaryDirectory(prefix="conformance-"))
        folder = Path(scratch)
        (folder / "signed").mkdir()
        signed = on.enter_context(signed_upstream(folder / "signed"))
        print("filterd …", file=sys.stderr, flush=True)
        found["filterd"] = filterd_figures(folder, signed)
        for peer in PEERS:
            if peer.program not in chosen.peers or peer.installed is None:
                failed.append(f"{peer.title} is not installed here.")
                continue
            print(f"{peer.title} …", file=sys.stderr, flush=True)
            versions.append(f"{peer.title} {peer.installed}")
            try:
                found[peer.title] = peer_figures(peer, folder, signed)
            except (RuntimeError, OSError) as error:
                failed.append(f"{peer.title} could not be measured: {error}")
    text = TEXT.format(
        date=datetime.now(UTC).strftime("%Y-%m-%d"), table=figures.table(found),
        machine=f"Linux {platform.machine()}, {os.cpu_count()} cores", malformed=figures.MALFORMED,
        versions=" · ".join(versions), load=load, failed="".join(f"\n{line}\n" for line in failed),
    )  # fmt: skip
    chosen.out.write_text(text, "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
