"""The compiler process: `python -m filterd.lists.compile`, a job on stdin, JSON lines on stdout.

Runs with limited memory and low priority, so that compiling never disturbs answering; whatever
happens to it, the old index stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filterd.errors import ListError
from filterd.lists import floors, reader
from filterd.lists import job as jobs
from filterd.lists import parsed as cache
from filterd.lists.builder import build, fork
from filterd.lists.canary import canary_lists
from filterd.lists.entry import EXACT, SUBTREE, Why
from filterd.lists.formats import Options
from filterd.lists.job import Job, JobList
from filterd.lists.loading import load, load_ut1
from filterd.lists.memory import Loaded
from filterd.lists.parsed import Parsed
from filterd.lists.precedence import ListMeta
from filterd.lists.protect import protected
from filterd.policy.model import CategoryId, ListId

AHEAD_BYTES = 1 << 18
AHEAD_PROCESSES = 2


def main() -> int:
    """Exit code 0, or 1 with an `error` line."""
    began = time.monotonic()
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
    """Parse large lists that are not in the cache two at a time; `read` finds them there.

    What fails here fails again in `read`, which tells why.
    """
    if job.cache is None:
        return
    folder = job.cache
    large = [each for each in job.lists if not each.members and _size(each.path) >= AHEAD_BYTES]
    running: set[int] = set()
    for each in sorted(large, key=lambda each: -_size(each.path)):
        if len(running) >= AHEAD_PROCESSES:
            running.discard(os.wait()[0])
        running.add(fork(lambda each=each: _parse_quietly(each, folder)))  # type: ignore[misc]
    for child in running:
        os.waitpid(child, 0)


def _parse_quietly(wanted: JobList, folder: str) -> None:
    with contextlib.suppress(ListError, OSError):
        list(read(wanted, folder, []))


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def read(wanted: JobList, folder: str | None, used: list[str]) -> Iterator[Loaded]:
    """The lists of one job entry; names of cache files that were used are added to `used`."""
    options = Options(EXACT if wanted.match == "exact" else SUBTREE, wanted.rewrites)
    path = Path(wanted.path)
    if wanted.members:
        for member, parsed in sorted(load_ut1(path, options).items()):
            if category := wanted.members.get(member):
                name = f"{wanted.file or path.name}/{member}/domains"
                meta = ListMeta(ListId(f"{wanted.id}/{member}"), CategoryId(category), "ut1", name)
                yield Loaded(meta, floors.enforce(meta, parsed, own=False))
        return
    kind, parsed = _cached(wanted, options, folder, used)
    file = wanted.file or path.name
    meta = ListMeta(ListId(wanted.id), CategoryId(wanted.category), kind, file)
    yield Loaded(meta, floors.enforce(meta, parsed, own=False))


def _cached(
    wanted: JobList, options: Options, folder: str | None, used: list[str]
) -> tuple[str, Parsed]:
    """Parse, or take what was parsed from the same octets with the same options before."""
    path = Path(wanted.path)
    if folder is None:
        return load(path, wanted.format, options)
    key = hashlib.blake2b(digest_size=16)
    key.update(f"{cache.MAGIC!r} {wanted.format} {options}".encode())
    with path.open("rb") as content:
        while piece := content.read(reader.BLOCK_BYTES):
            key.update(piece)
    for kept in Path(folder).glob(f"{key.hexdigest()}.*.parsed"):
        with contextlib.suppress(ListError):
            used.append(kept.name)
            return kept.suffixes[-2][1:], cache.load(kept)
        kept.unlink(missing_ok=True)
    kind, parsed = load(path, wanted.format, options)
    fresh = Path(folder) / f"{key.hexdigest()}.{kind}.parsed"
    part = fresh.with_name(f".{fresh.name}.{os.getpid()}.part")
    cache.save(parsed, part)
    part.rename(fresh)
    used.append(fresh.name)
    return kind, parsed


if __name__ == "__main__":
    sys.exit(main())
