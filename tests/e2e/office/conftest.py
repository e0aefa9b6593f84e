"""A running `filterd office` over two months that a dozen schools of three communes have sent.

One for the session; its first administrator signs in through the pages.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from admin_ui.office import assess, register
from admin_ui.office.database import Office, months_back
from admin_ui.office.ingest import Gathering
from filterd.errors import EvidenceError
from filterd.evidence.records import Summary
from tests.e2e.looks import CHROMIUM
from tests.e2e.signing_in import first_steps
from tests.lab.office_school import (
    Box,
    Clock,
    entry,
    fresh_office,
    laboratory,
    pin,
    prove,
)

ROOT = Path(__file__).parents[3]
BOXES, SCHOOLS, COMMUNES = 6, 8, 3


@dataclass
class Hub:
    """The running office: where it is, the one-time password, the boxes, the closed month."""

    url: str
    password: str
    month: str
    boxes: list[Box]
    forged: bytes
    secrets: dict[str, str] = field(default_factory=dict)


def exposed(record: Summary) -> None:
    record["time"].update(enforcing_s=30_000, exposed_s=6_000)


def locked_failed(record: Summary) -> None:
    record["selftest"]["block"]["primary"]["porn"] = [11, 12]


CHANGES = {0: exposed, 1: locked_failed}
SILENT = 2
"""This box has sent nothing for eight days."""


def first_day(today: date) -> date:
    return date.fromisoformat(months_back(today.isoformat()[:7], 2)[0] + "-01")


def seeded(folder: Path, today: date) -> tuple[list[Box], bytes]:
    """Fifteen schools, twelve with boxes, all their days since the first of the month before."""
    clock = Clock()
    office = fresh_office(folder, clock)
    start = first_day(today)
    clock.to(start)
    register.load(
        office, [entry(n, n % COMMUNES) for n in range(SCHOOLS)], start - timedelta(days=90)
    )
    boxes = [Box(entry(n).id) for n in range(BOXES)]
    pin(office, boxes, office.moment())
    laboratory(office)
    for day in (start + timedelta(days=n) for n in range((today - start).days)):
        clock.to(day + timedelta(days=1))
        _one_day(office, boxes, day, today)
    clock.now = datetime.now(UTC)
    for month in {start.isoformat()[:7], today.isoformat()[:7]}:
        prove(office, month, {box.school: 4 for box in boxes})
    assess.new_day(office)
    assess.sweep_all(office)
    forged = Box(boxes[0].school).day(today - timedelta(days=1))
    office.engine.dispose()
    return boxes, forged


def _one_day(office: Office, boxes: list[Box], day: date, today: date) -> None:
    gathering = Gathering(office)
    for n, box in enumerate(boxes):
        if n == SILENT and (today - day).days < 8:
            continue
        with contextlib.suppress(EvidenceError):
            gathering.take(box.day(day, CHANGES.get(n)))


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The office, first start."""
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium")
    folder = tmp_path_factory.mktemp("office")
    today = datetime.now(UTC).astimezone().date()
    boxes, forged = seeded(folder, today)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "run.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "filterd", "office", "--listen", f"127.0.0.1:{port}",
             "--state-dir", str(folder)],
            stdout=output, stderr=subprocess.STDOUT, cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        password = _wait(url, process, log)
        yield Hub(url, password, first_day(today).isoformat()[:7], boxes, forged)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        said = log.read_text("utf-8")
        assert process.poll() is None, said[-3000:]
        found = re.search(r"^\s+admin\s+(\S+)$", said, re.M)
        with contextlib.suppress(httpx.HTTPError):
            if found and httpx.get(url + "/healthz", timeout=5).status_code == 200:
                return found[1]
        time.sleep(0.2)
    raise AssertionError(log.read_text("utf-8")[-3000:])


def sign_in(page: Page, hub: Hub, name: str, password: str) -> None:
    """Sign in, and go through whatever steps the account still needs."""
    first_steps(page, hub.url, hub.secrets, (name, password))
    page.wait_for_url(re.compile(r"/(\?.*)?$"))


@pytest.fixture(scope="session")
def admin_state(hub: Hub, browser: Browser) -> dict[str, Any]:
    """The administrator after the first sign-in: own password, second step turned on."""
    context = browser.new_context(locale="vi-VN")
    page = context.new_page()
    sign_in(page, hub, "admin", hub.password)
    assert "Tổng quan" in page.inner_text("h1")
    state = dict(context.storage_state())
    context.close()
    return state
