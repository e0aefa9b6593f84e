"""What `filterd lists` prints for people: a progress bar, the status table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TextIO

Progress = Callable[[dict[str, Any]], None]
_WIDTH = 30


def progress_bar(out: TextIO) -> Progress:
    """A bar on a terminal, plain lines elsewhere."""
    done = 0

    def show(said: dict[str, Any]) -> None:
        nonlocal done
        if "building" in said:
            line = f"building the index of {said['building']:,} entries"
        else:
            done += 1
            line = f"reading {said['list']}"
        if not out.isatty():
            print(line, file=out, flush=True)
            return
        filled = _WIDTH if "building" in said else _WIDTH * done // max(said.get("of", 1), 1)
        bar = "#" * filled + "." * (_WIDTH - filled)
        print(f"\r\033[K[{bar}] {line[:60]}", end="", file=out, flush=True)
        if "building" in said:
            print(file=out)

    return show


def progress_line(out: TextIO) -> Progress:
    """One line that follows a running update on a terminal; nothing elsewhere."""

    def show(said: dict[str, Any]) -> None:
        if not out.isatty():
            return
        if not said["running"]:
            print("\r\033[K", end="", file=out, flush=True)
            return
        whole = said["whole"]
        filled = _WIDTH * said["bytes"] // whole if whole else 0
        bar = "#" * filled + "." * (_WIDTH - filled)
        size = f"{said['bytes'] / 2**20:.1f} MiB"
        print(f"\r\033[K[{bar}] {said['list'] or '…'} {size}", end="", file=out, flush=True)

    return show


def status_table(found: Mapping[str, Any]) -> str:
    """One line for each list, then the totals of each category."""
    rows = [("LIST", "CATEGORY", "STATE", "ENTRIES", "UNIQUE", "DROPPED", "CHECKED")]
    for item in found["items"]:
        rows.append(
            (
                item["id"], item["category"], item["state"], f"{item['entries']:,}",
                f"{item['unique']:,}", f"{sum(item['dropped'].values()):,}",
                (item["checked"] or "-")[:16],
            )
        )  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    for item in found["items"]:
        if item["error"]:
            lines.append(f"{item['id']}: {item['error']}")
        if item["quarantine"]:
            why = "; ".join(item["quarantine"]["reasons"])
            lines.append(f"{item['id']} waits for `filterd lists approve {item['id']}`: {why}")
    lines += [_own(each) for each in found["own"]]
    totals = ", ".join(f"{key} {count:,}" for key, count in found["categories"].items() if count)
    return "\n".join([*lines, f"by category: {totals}", f"index: {found['version'] or 'none'}"])


def _own(found: Mapping[str, Any]) -> str:
    """A line for a list that the school or its office wrote."""
    dropped = ", ".join(f"{count} {why}" for why, count in found["dropped"].items())
    said = found["error"] or f"{found['entries']:,} entries"
    shown = f" ({'; '.join(found['samples'][:3])})" if found["samples"] else ""
    return f"{found['file']}: {said}" + (f", not used: {dropped}{shown}" if dropped else "")
