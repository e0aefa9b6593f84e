"""CPU µs of each step that the memo does not save: `python -m tests.bench.bench_path [--profile]`.

One process: the real policy, index, handler and upstream pool; the stub upstream is another
process. The listener's part (about 4 µs a datagram) is not in these figures.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import pstats
import secrets
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from filterd.clients.segments import Segments
from filterd.listen.drain import open_memo
from filterd.lists.index import open_index
from filterd.metrics import layout
from filterd.metrics.counters import Counters
from filterd.metrics.seen import Seen
from filterd.policy import document, taxonomy
from filterd.policy.ruleset import compile_ruleset
from filterd.resolve.cache import Cache
from filterd.resolve.handler import Equipment, Handler
from filterd.resolve.ports import Running
from filterd.resolve.via import Via
from filterd.upstream.canaries import WithCanaries
from filterd.upstream.pool import Pool
from filterd.upstream.settings import PoolSettings
from tests.bench import servers, workload

SOURCE = bytes(10) + b"\xff\xff\x7f\0\0\1"
WINDOW = 64
"""Questions under way at once on the miss path: what one drain of the listener brings."""


class Bench:
    """A handler as a worker has it, and the CPU time of what it is asked."""

    def __init__(self, policies: Path, index: Path, pool: Pool) -> None:
        counters = Counters.private()
        self.landed = 0
        self._via = Via(layout.UDP, self._send)
        kinds = taxonomy.load(servers.ROOT / "blocklists")
        files = {each.name: each.read_text("utf-8") for each in policies.glob("*.yaml")}
        policy = document.parse(files, kinds)
        ruleset = compile_ruleset(policy, kinds, open_index(index), 1)
        tiers = layout.tier_order(tier.id for tier in policy.tiers)
        self._running = Running(ruleset, Segments(policy, {}), (), tiers, 1)
        self.handler = Handler(
            Equipment(
                WithCanaries(pool), counters, open_memo(counters.values, 16 << 20),
                Seen(secrets.token_bytes(16)), Cache(48 << 20, 86_400.0),
                lambda: datetime.now(UTC), time.monotonic, lambda address: True,
                secrets.token_bytes(16),
            )
        )  # fmt: skip
        self.forget()

    def forget(self) -> None:
        """No verdict and no response is remembered any more; upstream answers are."""
        self.handler.placements.swap(self._running)

    def at_once(self, queries: Sequence[bytes]) -> float:
        """µs per query that is answered without an upstream."""
        ask, via = self.handler.try_answer, self._via
        began = time.process_time()
        for query in queries:
            if ask(query, SOURCE, time.monotonic(), via, b"") is None:
                raise RuntimeError("this query went upstream")
        return (time.process_time() - began) / len(queries) * 1e6

    async def forwarded(self, queries: Sequence[bytes]) -> float:
        """µs per query that an upstream answers, `WINDOW` at a time."""
        ask, via = self.handler.try_answer, self._via
        began, self.landed = time.process_time(), 0
        for start in range(0, len(queries), WINDOW):
            window = queries[start : start + WINDOW]
            for query in window:
                if ask(query, SOURCE, time.monotonic(), via, b"") is not None:
                    raise RuntimeError("this query was answered at once")
            while self.landed < start + len(window):
                await asyncio.sleep(0)
        return (time.process_time() - began) / len(queries) * 1e6

    def _send(self, response: bytes, token: object) -> None:
        if response[3] & 15:
            raise RuntimeError("an upstream question failed")
        self.landed += 1


def wire(name: str) -> bytes:
    """An A question."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"


async def measure(chosen: argparse.Namespace, folder: Path, upstream: int) -> None:
    """Print the median of some rounds of each step."""
    folder.mkdir()
    source, names = workload.listed_names(chosen.names)
    (folder / "names").write_text("\n".join(names) + "\n", "ascii")
    config = servers.settings(folder, servers.free_port(), upstream)
    servers.compile_lists(config, folder, folder / "names")
    pool = Pool(PoolSettings((f"udp://127.0.0.1:{upstream}",)))
    await pool.start()
    path = Bench(folder / "policies", folder / "state/lists/index.fdx", pool)
    step = max(1, len(names) // chosen.queries)
    blocked = [wire(name) for name in names[::step][: chosen.queries]]
    print(f"{len(names):,} {source}; CPU µs per query, best and median of {chosen.rounds}")
    profile = cProfile.Profile() if chosen.profile else None
    titles = ("blocked, first time", "miss", "cached, not memoised")
    rows: dict[str, list[float]] = {title: [] for title in titles}
    for number in range(chosen.rounds):
        fresh = [wire(f"n{number}-{at}.fresh-{at % 89}.com") for at in range(chosen.queries)]
        path.forget()
        with profile or contextlib.nullcontext():
            if chosen.profile != "miss":
                rows["blocked, first time"].append(path.at_once(blocked))
            if chosen.profile != "blocked":
                rows["miss"].append(await path.forwarded(fresh))
        if chosen.profile is None:
            path.forget()
            rows["cached, not memoised"].append(path.at_once(fresh))
    await pool.close()
    for title, found in rows.items():
        if found:
            found.sort()
            print(f"{title:22}{found[0]:8.1f}{found[len(found) // 2]:8.1f}")
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", choices=["blocked", "miss"])
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="filterd-path-") as scratch,
        servers.stub(Path(scratch)) as upstream,
    ):
        asyncio.run(measure(chosen, Path(scratch) / "filterd", upstream))


if __name__ == "__main__":
    main()
