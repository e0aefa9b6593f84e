"""`filterd firewall follow`: keeps the measuring table and adds up its days.

The one process with the right to change nftables while the filter runs. Kept apart from answering:
workers only drop datagrams into its socket. A flow to an address that was not answered is judged a
round later, so that an answer which is still on its way counts.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from filterd import whole_files
from filterd.gateway import nft, paths
from filterd.gateway.answered import DATAGRAM_BYTES, SOCKET, unpack

REPORT = "paths.json"
ROUND_S = 10.0
_BATCH_S = 0.5
_DAYS = 40
_ZONE = "Asia/Ho_Chi_Minh"


@dataclass(slots=True)
class Day:
    """What is kept of a day: devices with traffic to the Internet, those of them that asked this
    filter, new flows, and those to addresses that it did not answer."""

    active: int = 0
    used: int = 0
    flows: int = 0
    unresolved: int = 0


@dataclass(slots=True)
class Judge:
    """Which flows were strange. Pure: what the kernel counted comes in, numbers go out."""

    expires: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)

    def learn(self, lifetimes: dict[str, int], now: float) -> dict[str, int]:
        """The addresses whose time has grown, with their seconds in the kernel's set."""
        news = {}
        for address, seconds in lifetimes.items():
            whole = min(max(seconds, 0), paths.MOST_S) + paths.GRACE_S
            if now + whole > self.expires.get(address, 0.0) + paths.GRACE_S / 4:
                news[address] = whole
        return news

    def took(self, news: dict[str, int], now: float) -> None:
        """The kernel has them; what has ended is forgotten when there is much of it."""
        self.expires |= {address: now + seconds for address, seconds in news.items()}
        if len(self.expires) > paths.SIZE:
            self.expires = {a: end for a, end in self.expires.items() if end > now}

    def strange(self, counted: dict[str, int], now: float) -> int:
        """Flows of the round before that stayed strange; `counted` waits for the next round."""
        due, self.waiting = self.waiting, counted
        return sum(n for address, n in due.items() if self.expires.get(address, 0.0) <= now)


class Follower:
    """Runs until told to end."""

    def __init__(self, run: Path, interfaces: tuple[str, ...]) -> None:
        self._run, self._interfaces = run, interfaces
        self._judge = Judge()
        self._days = _read(run / REPORT)
        self._flows = 0
        self._today = ""
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def work(self, ended: Callable[[], bool]) -> None:
        """Every half second addresses into the kernel, every ten seconds what it counted out."""
        self._open()
        round_at = time.monotonic() + ROUND_S
        while not ended():
            self._batch()
            if time.monotonic() >= round_at:
                round_at += ROUND_S
                self.round(datetime.now(UTC))
        self.round(datetime.now(UTC))
        self.round(datetime.now(UTC))  # and what waited to be judged
        self._link.close()
        (self._run / SOCKET).unlink(missing_ok=True)

    def _open(self) -> None:
        if nft.listing(paths.TABLE) is None:
            nft.load(paths.render(self._interfaces))
        nft.load(paths.flushed("strange4", "strange6"))  # of flows that nobody added up
        self._flows = self._counted()
        path = self._run / SOCKET
        path.unlink(missing_ok=True)
        self._link.bind(str(path))
        path.chmod(0o600)

    def _batch(self) -> None:
        """What comes within half a second goes into the kernel as one transaction."""
        lifetimes: dict[str, int] = {}
        end = time.monotonic() + _BATCH_S
        while (left := end - time.monotonic()) > 0:
            self._link.settimeout(left)
            try:
                lifetimes |= dict(unpack(self._link.recv(DATAGRAM_BYTES)))
            except TimeoutError:
                break
        now = time.monotonic()
        if news := self._judge.learn(lifetimes, now):
            nft.load(paths.answered(news, self._judge.expires.keys() & news.keys()))
            self._judge.took(news, now)

    def round(self, at: datetime) -> None:
        """Add up, and begin a new day at midnight of the school."""
        today = at.astimezone(self._zone()).date().isoformat()
        if self._today and today != self._today:
            self._add(self._days.setdefault(self._today, Day()))
            self._judge.waiting = {}
            nft.load(paths.flushed("egress", "asked"))
        self._today = today
        self._add(self._days.setdefault(today, Day()))
        self._write()

    def _add(self, day: Day) -> None:
        counted = {**_elements("strange4"), **_elements("strange6")}
        nft.load(paths.flushed("strange4", "strange6"))
        flows = self._counted()
        day.flows += max(0, flows - self._flows)
        self._flows = flows
        day.unresolved += self._judge.strange(counted, time.monotonic())
        egress, asked = _elements("egress").keys(), _elements("asked").keys()
        day.active, day.used = len(egress), len(egress & asked)

    def _counted(self) -> int:
        for item in nft.listing(paths.TABLE, "counter", "flows") or ():
            if "counter" in item:
                return int(item["counter"]["packets"])
        return 0

    def _zone(self) -> ZoneInfo:
        try:
            files = json.loads((self._run / "policy-last.json").read_text("utf-8"))["files"]
            return ZoneInfo(str(yaml.safe_load(files["school.yaml"])["time_zone"]))
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
            return ZoneInfo(_ZONE)

    def _write(self) -> None:
        kept = dict(sorted(self._days.items())[-_DAYS:])
        self._days = kept
        body = json.dumps({"days": {day: asdict(numbers) for day, numbers in kept.items()}})
        # every ten seconds: a flush of each would wear out a memory card, a day's sum is no proof
        path = self._run / REPORT
        whole_files.replace(path, body.encode(), mode=0o640, lasting=False)


def days(run: Path) -> dict[str, Day]:
    """What was measured, by ISO date; empty where nothing is."""
    return _read(run / REPORT)


def _read(path: Path) -> dict[str, Day]:
    try:
        raw = json.loads(path.read_text("utf-8"))["days"]
        return {str(day): Day(**{k: int(v) for k, v in each.items()}) for day, each in raw.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _elements(name: str) -> dict[str, int]:
    """Elements of a set with what each has counted (1 where it counts nothing)."""
    found: dict[str, int] = {}
    for item in nft.listing(paths.TABLE, "set", name) or ():
        for element in item.get("set", {}).get("elem", ()):
            body: dict[str, Any] = element["elem"] if isinstance(element, dict) else {}
            value = str(body["val"]) if body else str(element)
            found[value] = int(body.get("counter", {}).get("packets", 1))
    return found
