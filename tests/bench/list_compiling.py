"""What compiling lists costs, by the product's own command; for `bench_lists`.

Three rows: the full-size lists, everything there is in the shared data, and the same again with one
list changed.
"""

from __future__ import annotations

import json
import lzma
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.bench import servers

FOUR = ("adult", "gambling", "malicious", "ads-tracking")
CHANGED = Path("hagezi/light.hosts.txt.xz")
"""The list of a hundred thousand names that is another one in the last row."""


def compiled(folder: Path, source: Path) -> dict[str, Any]:
    """One compilation by the product's command, with the processor time of all its processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    config = folder / "filterd.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        f"state_dir: {folder}/state\ncatalogue: {servers.ROOT}/blocklists/catalogue.yaml\n"
    )
    command = [servers.filterd(), "lists", "compile", "--config", str(config), "--json"]
    done = subprocess.run(
        [*command, "--from", str(source)], check=True, capture_output=True, text=True, timeout=900
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    said: dict[str, Any] = json.loads(done.stdout)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    keys = ("names", "rules", "dropped", "seconds", "peak_rss_mib", "index_mib")
    found = {key: said[key] for key in keys} | {"cpu_seconds": round(cpu, 1)}
    return found | {"bytes_per_name": round(said["index_mib"] * 2**20 / max(said["names"], 1), 2)}


def rows(folder: Path, source: Path, everything: Path | None) -> dict[str, Any]:
    """`compile` (of `source`, nothing known before) and `compile_again` (nothing changed);
    `compile_all` and `compile_one_changed` of `everything`, unless that is None."""
    found = {"compile": _told("the full-size lists", compiled(folder / "own", source))}
    found["compile_again"] = compiled(folder / "own", source)
    if everything is None:
        return found
    copy, own = folder / "everything", folder / "all"
    link(everything.rglob("*"), everything, copy)
    found["compile_all"] = _told("all lists", compiled(own, copy))
    plain = lzma.decompress((everything / CHANGED).read_bytes())
    (copy / CHANGED).unlink()
    (copy / CHANGED).write_bytes(lzma.compress(plain + b"0.0.0.0 changed.example\n", preset=0))
    found["compile_one_changed"] = _told("one list changed", compiled(own, copy))
    return found


def _told(what: str, figures: dict[str, Any]) -> dict[str, Any]:
    print(f"bench: {what}: {figures['seconds']} s", file=sys.stderr, flush=True)
    return figures


def link(files: Iterable[Path], base: Path, copy: Path) -> None:
    """The same folders with links in place of the files."""
    for path in files:
        if path.is_file():
            place = copy / path.relative_to(base)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path)
