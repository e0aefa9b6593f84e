"""Server time of every console page over a real filterd with a large school's records.

`python -m tests.bench.bench_console [--json] [--quick]`: 10,000 tickets, 5,000 devices, 200 lists
and 2,000 revisions. The goal is 200 ms a page; the slowest of each page's shots counts as p95.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from admin_ui.shared import documents
from filterd.control.client import ControlClient
from filterd.policy.dump import dump
from filterd.policy.model import Device, TierId

ROOT = Path(__file__).parents[2]
GOAL_MS = 200.0
PAGES = (
    "/", "/charts/day/queries.svg", "/tiers/", "/tiers/?open=games", "/schedule/", "/now/",
    "/test/?name=youtube.com", "/tickets/", "/tickets/?state=closed", "/tickets/?search=7",
    "/tickets/500", "/approvals/", "/lists/", "/lists/own_games", "/own-lists/", "/networks/",
    "/networks/?from=400", "/history/", "/history/?before=150", "/history/150", "/audit/",
    "/audit/?search=policy", "/people/", "/account/", "/backup/", "/debug/", "/tokens/",
)  # fmt: skip


def settings(folder: Path, ports: list[int]) -> Path:
    path = folder / "filterd.yaml"
    path.write_text(
        f"""state_dir: {folder / "var"}
workers: 1
listen: {{dns: ["127.0.0.1:{ports[0]}"]}}
upstreams: ["udp://127.0.0.1:{ports[3]}"]
policies: {ROOT / "policies"}
catalogue: {folder / "blocklists" / "catalogue.yaml"}
console: "127.0.0.1:{ports[1]}"
portal: "127.0.0.1:{ports[2]}"
metrics: "127.0.0.1:{ports[4]}"
""",
        "utf-8",
    )
    return path


@contextmanager
def running(config: Path, url: str) -> Iterator[ControlClient]:
    """filterd in the foreground until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "filterd", "run", "--config", str(config)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                httpx.get(url + "/sign-in/", timeout=2)
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield ControlClient(config.parent / "var" / "run" / "control.sock")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def catalogue(folder: Path, count: int) -> None:
    """The shipped data with sources added until there are `count` lists."""
    shutil.copytree(ROOT / "blocklists", folder / "blocklists")
    path = folder / "blocklists" / "catalogue.yaml"
    text = path.read_text("utf-8")
    have = text.count("\n  - id: ") + text.count("\n- id: ")
    indent = "  " if "\n  - id: " in text else ""
    rows = [
        f"{indent}- {{id: extra_{n}, title: {{vi: Danh sách {n}, en: List {n}}}, category: ads, "
        f"url: 'https://lists.example/{n}.txt', format: domains, match: subtree, licence: MIT, "
        f"attribution: x, homepage: 'https://lists.example/', max_age_days: 7, every: 1d, "
        f"enabled: false}}"
        for n in range(count - have)
    ]
    path.write_text(text.rstrip("\n") + "\n" + "\n".join(rows) + "\n", "utf-8")


def fill(database: Path, tickets: int, revisions: int) -> None:
    """Tickets and old revisions straight into the stopped database."""
    with sqlite3.connect(database) as db:
        db.row_factory = sqlite3.Row
        now = datetime.now(UTC)
        columns = [row["name"] for row in db.execute("PRAGMA table_info(tickets)")]
        for number in range(1, tickets + 1):
            opened = now - timedelta(hours=number)
            closed = number % 3 > 0
            row = {
                "id": number, "type": ("unblock", "harmful", "other")[number % 3],
                "name": f"name{number}.example", "tier": "primary",
                "note": None if closed else "ghi chú", "state": "closed" if closed else "open",
                "opened": opened.isoformat(), "due": (opened + timedelta(days=2)).isoformat(),
                "decided_at": now.isoformat() if closed else None,
                "decision": "refused" if closed else None,
            }  # fmt: skip
            row = {key: value for key, value in row.items() if key in columns}
            places = ", ".join("?" for _ in row)
            db.execute(f"INSERT INTO tickets ({', '.join(row)}) VALUES ({places})", [*row.values()])
        newest = dict(db.execute("SELECT * FROM revisions ORDER BY number DESC").fetchone())
        start = newest["number"]
        for number in range(start + 1, start + revisions + 1):
            row = {**newest, "number": number, "reason": f"Lý do {number}"}
            places = ", ".join("?" for _ in row)
            db.execute(f"INSERT INTO revisions ({', '.join(row)}) VALUES ({places})",
                       [*row.values()])  # fmt: skip
    db.close()


def with_devices(control: ControlClient, count: int) -> None:
    """A policy with `count` devices, applied like any other."""
    found = control.call("policy.get")
    policy, _known = documents.parsed(found["files"], found["taxonomy"])
    devices = tuple(
        Device(f"0a:00:00:00:{n >> 8:02x}:{n & 255:02x}", TierId("primary"), f"Máy {n}")
        for n in range(count)
    )
    from dataclasses import replace

    control.call("policy.apply", files=dump(replace(policy, devices=devices)),
                 base=found["revision"], reason="devices for the benchmark")  # fmt: skip


def signed_in(url: str, control: ControlClient) -> httpx.Client:
    """A browser-like client signed in as an approver, through the pages."""
    import re

    import pyotp

    once = control.call("people.add", name="bench", title="bench", role="approver")["password"]
    client = httpx.Client(base_url=url, follow_redirects=True, timeout=30, headers={"Origin": url})

    def send(path: str, **fields: str) -> httpx.Response:
        token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
        assert token
        return client.post(path, data={**fields, "csrf_token": token[1]})

    password = "a long sentence for the bench 1"
    send("/sign-in/", account="bench", password=once)
    page = send("/sign-in/password", old=once, new=password, again=password)
    secret = re.search(r"<code>([A-Z2-7]{16,})</code>", page.text)
    assert secret, page.text[:500]
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token
    code = pyotp.TOTP(secret[1]).now()
    client.post("/sign-in/second-factor", data={"code": code, "csrf_token": token[1]})
    return client


def first_page(client: httpx.Client) -> float:
    """Milliseconds of the overview as the first page of a console that has just begun to answer."""
    began = time.perf_counter()
    assert client.get("/").status_code == 200
    return (time.perf_counter() - began) * 1000


def measure(client: httpx.Client, shots: int) -> dict[str, tuple[float, float]]:
    """Median and worst milliseconds of each page after one warming shot."""
    found = {}
    for path in PAGES:
        client.get(path)
        times = []
        for _ in range(shots):
            began = time.perf_counter()
            answer = client.get(path)
            times.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, (path, answer.status_code)
        found[path] = statistics.median(times), max(times)
    return found


def main() -> int:
    """Build the school, measure, print; 1 when a page's median is over the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    chosen = parser.parse_args()
    part = 10 if chosen.quick else 1
    from tests.lab.running import free_ports

    with tempfile.TemporaryDirectory() as name:
        folder, ports = Path(name), free_ports(5)
        url = f"http://127.0.0.1:{ports[1]}"
        catalogue(folder, 200 // part)
        config = settings(folder, ports)
        with running(config, url):
            pass
        fill(folder / "var" / "filterd.db", 10_000 // part, 2000 // part)
        with running(config, url) as control:
            with_devices(control, 5000 // part)
            client = signed_in(url, control)
            found = measure(client, 5)
        with running(config, url):
            first = first_page(client)
    if chosen.json:
        pages = {path: {"median_ms": m, "worst_ms": w} for path, (m, w) in found.items()}
        print(json.dumps({**pages, "first page after start": {"median_ms": first}}))
    else:
        for path, (median, worst) in found.items():
            mark = "" if median <= GOAL_MS else "   over the goal"
            print(f"{median:8.1f} ms  worst {worst:8.1f} ms  {path}{mark}")
        print(f"{first:8.1f} ms  first page after start")
    return int(any(median > GOAL_MS for median, _worst in found.values()))


if __name__ == "__main__":
    sys.exit(main())
