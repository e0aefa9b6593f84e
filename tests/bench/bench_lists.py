"""What lists cost, beside unbound and dnsmasq in one run: a part of `make bench`, and alone
`make bench-lists` (BENCH_ARGS="--only compile" or "--only peers": that part alone).

Compiles the full-size lists of the shared data with the product's own command, again with nothing
changed, then every list there is, and those with one list changed; then measures the index: size,
opening, memory of a reader, look-ups; expressions and networks; an update without news; a running
service: an edit of the school's own list, fifty refreshes; then the peers load the same names.
"""

from __future__ import annotations

import argparse
import gc
import ipaddress
import json
import lzma
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filterd.lists import regex
from filterd.lists.entry import Rule
from filterd.lists.index import Index, open_index
from filterd.lists.matching import Rules
from filterd.policy.verdict import Question
from filterd.wire.names import Name
from tests.bench import list_changes, list_compiling, servers
from tests.bench.peers import PEERS, Peer, unbound_rpz

DATA = Path(os.environ.get("FILTERD_SHARED", servers.ROOT.parent / "shared")) / "data"
SHOWN = ("dnsmasq", "unbound")
RPZ = Peer("unbound RPZ", "unbound", ("-V",), unbound_rpz)
LOOKUPS = 100_000
REGEXES = 20_000
NETWORKS = 200_000
PATIENCE = 180.0
"""Seconds a peer may take to load the list; one that takes longer is ended, and the row says so."""
PARTS = ("compile", "figures", "peers")
ROWS = (
    "compile", "compile_again", "compile_all", "compile_one_changed", "reader", "regexes",
    "networks", "unchanged", "own_edit", "refreshes", "memory",
)  # fmt: skip
CANARY = "malware.canary.filterd.test"


def private_kib() -> int:
    """Memory of this process that it shares with nobody."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))


def reader_figures(path: Path) -> dict[str, Any]:
    """Opening the index and asking it, in processor microseconds."""
    before, began = private_kib(), time.process_time()
    index = open_index(path, verify=False)
    opened = time.process_time() - began
    grown = private_kib() - before
    began = time.process_time()
    open_index(path, verify=True)
    verified = time.process_time() - began
    hits, misses = _asked(index)
    return {
        "open_ms": round(opened * 1e3, 1), "verify_ms": round(verified * 1e3, 1),
        "private_mib": round(grown / 1024, 1), "hit_us": _each(index, hits),
        "miss_us": _each(index, misses),
    }  # fmt: skip


def _asked(index: Index) -> tuple[list[Question], list[Question]]:
    """Questions of the school's mix by whether a list speaks; asked once, so pages are warm."""
    mix = DATA / "queries" / "school-mix-seed20261121.dnsperf.txt.xz"
    hits: list[Question] = []
    misses: list[Question] = []
    with lzma.open(mix, "rt", encoding="ascii", errors="replace") as lines:
        for line, _ in zip(lines, range(LOOKUPS), strict=False):
            asked = Question(Name(line.split()[0].rstrip(".").lower()), 1)
            (hits if index.listings(asked) else misses).append(asked)
    return hits, misses


def _each(index: Index, asked: list[Question]) -> float:
    began = time.process_time()
    for question in asked:
        index.listings(question)
    return round((time.process_time() - began) / max(len(asked), 1) * 1e6, 2)


def regex_figures() -> dict[str, float]:
    """A name that no cache knows against twenty thousand expressions."""
    rng = random.Random(20261121)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(4, 9))) for _ in range(9000)]
    forms = (r"^{0}[0-9]*\.", r"(^|\.){0}[a-z]{{2,8}}\.com$", r"{0}.*{1}", r"{0}\d+")
    rules = [
        Rule(i, text, 0, pattern=text, anchor=regex.anchor_of(text))
        for i, text in enumerate(
            rng.choice(forms).format(rng.choice(words), rng.choice(words)) for _ in range(REGEXES)
        )
    ]
    began = time.process_time()
    table = Rules(rules)
    built = time.process_time() - began
    names = [f"{rng.choice(words)}.{rng.choice(words)}{rng.randint(0, 9)}.com" for _ in range(2000)]
    longest = [".".join(rng.sample(words, 34))[:249].rstrip(".") + ".com" for _ in range(200)]
    spent, slow = _verdicts(table, names), _verdicts(table, longest)
    return {
        "rules": REGEXES, "build_s": round(built, 2), "median_us": spent[1000],
        "p99_us": spent[1980], "worst_us": spent[-1],
        "longest_median_us": slow[100], "longest_worst_us": slow[-1],
    }  # fmt: skip


def _verdicts(table: Rules, names: Sequence[str]) -> list[float]:
    """Processor microseconds for each name, which nobody asked for before; the least first."""
    spent = []
    gc.disable()  # as a worker does: it collects when nobody asks
    for name in names:
        began = time.process_time()
        list(table.speaking(Question(Name(name), 1)))
        spent.append(round((time.process_time() - began) * 1e6, 1))
    gc.enable()
    return sorted(spent)


def peers(folder: Path, names: Path, sample: str) -> list[dict[str, Any]]:
    """Each peer loads the same names; time until it refuses one, and its memory."""
    found = []
    for peer in [*(p for p in PEERS if p.program in SHOWN), RPZ]:
        version = peer.installed_version()
        if version is None:
            found.append({"server": peer.title, "missing": True})
            continue
        place = folder / peer.title.replace(" ", "-").replace("=", "")
        try:
            with servers.serve_peer(peer, version, place, names, 9, sample, PATIENCE) as one:
                one.weigh()
                figures = {
                    "start_s": round(one.start_seconds, 1), "cpu_s": one.cpu_seconds,
                    "rss_mib": round(one.rss_mib),
                }  # fmt: skip
                found.append({"server": peer.title, "version": version, **figures})
        except RuntimeError as error:
            found.append({"server": peer.title, "version": version, "failed": str(error)[:200]})
        print(f"bench: {found[-1]}", file=sys.stderr, flush=True)
        shutil.rmtree(place, ignore_errors=True)
    return found


def network_figures(folder: Path) -> dict[str, Any]:
    """200,000 networks: the time to compile them, a reader's memory, and a look-up."""
    rng = random.Random(20261121)
    path = folder / "networks.txt"
    with path.open("w") as out:
        for _ in range(NETWORKS):
            address = ipaddress.IPv4Address(rng.getrandbits(32))
            out.write(f"{address}/{rng.choice((16, 20, 24, 24, 28, 32, 32, 32))}\n")
    source = folder / "networks"
    source.mkdir()
    (source / "malware.addresses.txt").symlink_to(path)
    made = list_compiling.compiled(folder / "networks-own", source)
    index_file = folder / "networks-own" / "state" / "lists" / "index.fdx"
    before, began = private_kib(), time.process_time()
    index = open_index(index_file, verify=False)
    opened, grown = time.process_time() - began, private_kib() - before
    asked = [rng.getrandbits(32).to_bytes(4, "big") for _ in range(LOOKUPS)]
    began = time.process_time()
    held = sum(1 for packed in asked if index.address_listings(packed))
    each = (time.process_time() - began) / len(asked) * 1e6
    return {
        "networks": NETWORKS, "compile_s": made["seconds"], "index_mib": made["index_mib"],
        "open_ms": round(opened * 1e3, 1), "private_mib": round(grown / 1024, 1),
        "lookup_us": round(each, 2), "held_percent": round(100 * held / len(asked)),
    }  # fmt: skip


def run(quick: bool, parts: Sequence[str] = PARTS) -> dict[str, Any]:
    """Everything, or the parts that are wanted, as one JSON object."""
    wanted = ("adult", "gambling") if quick else list_compiling.FOUR
    found: dict[str, Any] = {"load_before": round(os.getloadavg()[0], 2)}
    found["noisy"] = found["load_before"] > 1.0
    with tempfile.TemporaryDirectory(prefix="filterd-bench-lists-") as scratch:
        folder = Path(scratch)
        full = DATA / "fullsize"
        list_compiling.link((full / f"{n}.domains.xz" for n in wanted), full, folder / "from")
        if "compile" in parts:
            found |= list_compiling.rows(folder, folder / "from", None if quick else DATA)
        elif "figures" in parts:
            found["compile"] = list_compiling.compiled(folder / "own", folder / "from")
        if "figures" in parts:
            index = folder / "own" / "state" / "lists" / "index.fdx"
            found |= {
                "reader": reader_figures(index), "regexes": regex_figures(),
                "networks": network_figures(folder),
                "unchanged": list_changes.unchanged(folder / "unchanged"),
                **list_changes.running(folder / "running", index.resolve(), CANARY),
            }  # fmt: skip
        if "peers" in parts:
            names = folder / "names.txt"
            with names.open("wb") as out:
                for packed in sorted((folder / "from").iterdir()):
                    out.write(lzma.decompress(packed.read_bytes()))
            with names.open("rb") as lines:
                sample = lines.readline().decode("ascii").strip()
            found["peers"] = peers(folder, names, sample)
    return found


def main() -> int:
    """Print the figures; 2 without the shared data."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_lists", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two lists of 550,000 names")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="this part (may be repeated)"
    )
    chosen = parser.parse_args()
    if not DATA.is_dir():
        print(f"needs the shared data at {DATA}", file=sys.stderr)
        return 2
    found = run(chosen.quick, chosen.only or PARTS)
    print(json.dumps(found) if chosen.json else text(found), flush=True)
    return 0


def text(found: Mapping[str, Any]) -> str:
    """The lines that people read."""
    noisy = " NOT QUIET: do not trust it" if found["noisy"] else ""
    lines = [f"lists; load average before the run {found['load_before']}{noisy}"]
    for key in ROWS:
        if key in found:
            said = "  ".join(f"{name} {value}" for name, value in found[key].items() if value != "")
            lines.append(f"{key:20} {said}")
    for peer in found.get("peers", ()):
        line = f"{peer['server']:20} " + "  ".join(
            f"{key} {value}" for key, value in peer.items() if key != "server"
        )
        if "start_s" in peer and "compile" in found:
            line += f"  time ÷ our compiling {peer['start_s'] / found['compile']['seconds']:.2f}"
            line += f", processor time {peer['cpu_s'] / found['compile']['cpu_seconds']:.2f}"
            line += f", memory {peer['rss_mib'] / found['compile']['peak_rss_mib']:.2f}"
        if "start_s" in peer and "memory" in found:
            ratio = peer["rss_mib"] / found["memory"]["pss_mib"]
            line += f"  memory ÷ our whole service {ratio:.2f}"
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
