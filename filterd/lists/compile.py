"""The compiler process: `python -m filterd.lists.compile`, a job on stdin, JSON lines on stdout.

Runs with limited memory and low priority, so that compiling never disturbs answering; whatever
happens to it, the old index stays.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filterd.errors import ListError
from filterd.lists import job as jobs
from filterd.lists.builder import build, fork
from filterd.lists.cached import parse_into, read
from filterd.lists.canary import canary_lists
from filterd.lists.entry import Why
from filterd.lists.job import Job, JobList
from filterd.lists.memory import Loaded
from filterd.lists.protect import protected

AHEAD_BYTES = 1 << 18
AHEAD_PROCESSES = 2


def main() -> int:
    """Exit code 0, or 1 with an `error` line."""
    began = time.monotonic()
    gc.disable()  # millions of values, no cycles, and it ends soon
    try:
        job = jobs.load(sys.stdin.read())
        limit(job.memory_mib)
        _say(done={**_run(job), "seconds": round(time.monotonic() - began, 2)})
    except MemoryError:
        _say(error="the compiler ran out of memory; the old index stays")
        return 1
    except (ListError, OSError) as error:
        _say(error=str(error))
        return 1
    return 0


def _say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def limit(memory_mib: int) -> None:
    """Bound this process: memory, priority, and who goes first when memory runs short."""
    limit = memory_mib << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with contextlib.suppress(OSError):
        # Refused in the compiler's own systemd unit, which is nice already.
        os.nice(10)
    with contextlib.suppress(OSError):
        # First to go when memory runs short: the running filter must not.
        Path("/proc/self/oom_score_adj").write_text("800")


def _run(job: Job) -> dict[str, Any]:
    _read_ahead(job)
    lists: list[tuple[Loaded, JobList | None]] = []
    used: list[str] = []
    for wanted in job.lists:
        _say(progress={"list": wanted.id, "of": len(job.lists)})
        lists += ((loaded, wanted) for loaded in read(wanted, job.cache, used))
    lists += ((loaded, None) for loaded in canary_lists(job.categories))

    def exempt(number: int, why: Why) -> bool:
        wanted = lists[number][1]
        if wanted is None or wanted.trusted:
            return True
        return why is Why.PRIVATE_SUFFIX and wanted.private_suffixes

    _say(progress={"building": sum(loaded.parsed.names for loaded, _ in lists)})
    guard = protected(job.protected)
    built = build([loaded for loaded, _ in lists], guard, exempt, Path(job.out))
    return {**asdict(built), "cached": used}


def _read_ahead(job: Job) -> None:
    """Parse what is not in the cache, on two cores; `read` finds it there afterwards.

    What fails here fails again in `read`, which tells why.
    """
    if job.cache is None:
        return
    folder = job.cache
    ordered = sorted(job.lists, key=lambda each: -_size(each.path))
    large = [each for each in ordered if _size(each.path) >= AHEAD_BYTES]
    running: set[int] = set()
    # the small ones together: a process for each would cost more than it gives
    for these in [*([each] for each in large), ordered[len(large) :]]:
        if len(running) >= AHEAD_PROCESSES:
            running.discard(os.wait()[0])
        running.add(fork(lambda these=these: _parse_quietly(these, folder)))  # type: ignore[misc]
    for child in running:
        os.waitpid(child, 0)


def _parse_quietly(lists: Sequence[JobList], folder: str) -> None:
    for wanted in lists:
        with contextlib.suppress(ListError, OSError):
            parse_into(wanted, folder)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
