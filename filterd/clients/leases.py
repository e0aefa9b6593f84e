"""Lease files of dnsmasq, Kea and ISC dhcpd: address → hardware address.

For devices behind another router, which the neighbour table does not see. Pure parsers, and a
watcher that reads a file again when it has changed. Knows no policy.
"""

from __future__ import annotations

import asyncio
import csv
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from filterd.clients.presence import Table, hardware_address

SOURCE = "leases"
LIMIT_BYTES = 32 << 20
_LEASE = re.compile(r"^lease\s+(\S+)\s*\{(.*?)^\}", re.MULTILINE | re.DOTALL)
_HARDWARE = re.compile(r"^\s*hardware\s+ethernet\s+([0-9a-fA-F:]+)\s*;", re.MULTILINE)
_ENDS = re.compile(
    r"^\s*ends\s+(?:\d\s+(\d+/\d+/\d+ \d+:\d+:\d+)|epoch\s+(\d+)|never)", re.MULTILINE
)
_STATE = re.compile(r"^\s*binding state\s+(\w+)", re.MULTILINE)
_log = logging.getLogger("filterd.clients.leases")
Row = tuple[str, str]


def parse(text: str, at: float) -> dict[str, str]:
    """Leases valid at `at` (seconds of 1970) in any of the three forms, told by their content.

    Lines that cannot be read are left out; a later line about an address replaces an earlier one.
    """
    head = next((line for line in text.splitlines() if line.strip()), "")
    if head.startswith("address,"):
        rows = _kea(text, at)
    elif _LEASE.search(text):
        rows = _isc(text, at)
    else:
        rows = _dnsmasq(text, at)
    found: dict[str, str] = {}
    for address, key in rows:
        try:
            text_form = str(ip_address(address))
        except ValueError:
            continue
        mac = hardware_address(key)
        if mac is None:
            found.pop(text_form, None)
        else:
            found[text_form] = mac
    return found


def _dnsmasq(text: str, at: float) -> Iterator[Row]:
    """dnsmasq(8) leases: expiry, hardware address, address, name, client id; 0: never ends.

    IPv6 lines carry an association id where the hardware address would be and are left out.
    """
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 4 and fields[0].isdecimal() and (int(fields[0]) or at + 1) > at:
            yield fields[2], fields[1].rpartition("-")[2]


def _kea(text: str, at: float) -> Iterator[Row]:
    """Kea's memfile CSV with its heading; state 0 is an assigned lease (Kea ARM, memfile)."""
    for row in csv.DictReader(text.splitlines()):
        address, expire = row.get("address") or "", row.get("expire") or ""
        valid = row.get("state", "0") == "0" and expire.isdecimal() and int(expire) > at
        yield address, (row.get("hwaddr") or "") if valid else ""


def _isc(text: str, at: float) -> Iterator[Row]:
    """dhcpd.leases(5): the last block about an address counts; times are UTC."""
    for match in _LEASE.finditer(text):
        address, body = match.groups()
        hardware, state = _HARDWARE.search(body), _STATE.search(body)
        active = (state is None or state[1] == "active") and _isc_end(body) > at
        yield address, hardware[1] if hardware and active else ""


def _isc_end(body: str) -> float:
    match = _ENDS.search(body)
    if match is None or (match[1] is None and match[2] is None):
        return float("inf")
    if match[2] is not None:
        return float(match[2])
    try:
        return datetime.strptime(match[1], "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


async def watch(
    paths: Sequence[Path], table: Table, clock: Callable[[], float], pause_s: float = 5.0
) -> None:
    """Keep the table as the files say until cancelled; an unreadable file counts as empty."""
    seen: dict[Path, tuple[int, int]] = {}
    rows: dict[Path, dict[str, str]] = {}
    while True:
        for path in paths:
            stamp = await asyncio.to_thread(_stamp, path)
            if seen.get(path) != stamp:
                seen[path] = stamp
                rows[path] = await asyncio.to_thread(_read, path, clock())
        table.replace(SOURCE, {a: key for each in rows.values() for a, key in each.items()})
        await asyncio.sleep(pause_s)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _read(path: Path, at: float) -> dict[str, str]:
    try:
        if path.stat().st_size > LIMIT_BYTES:
            _log.warning("%s is larger than %d MiB and is not read", path, LIMIT_BYTES >> 20)
            return {}
        return parse(path.read_text("utf-8", "replace"), at)
    except OSError as error:
        _log.warning("%s: %s", path, error)
        return {}
