"""A real filterd with its console and portal, an upstream that answers everything, and a browser.

One of each for the whole session; the accounts that the stories need are made through the pages.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dnslib
import httpx
import pyotp
import pytest
from playwright.sync_api import Page

from filterd.control.client import ControlClient
from tests.e2e.console.lived_in import hold_an_update
from tests.e2e.looks import CHROMIUM
from tests.e2e.signing_in import first_steps
from tests.lab.running import free_ports
from tests.lab.staff import PASSWORD

ROOT = Path(__file__).parents[3]


class Upstream(threading.Thread):
    """Answers every A question with 198.51.100.7 and anything else with nothing."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                wire, source = self.socket.recvfrom(4096)
            except OSError:
                return
            query = dnslib.DNSRecord.parse(wire)
            reply = query.reply()
            if query.q.qtype == dnslib.QTYPE.A:
                reply.add_answer(dnslib.RR(query.q.qname, rdata=dnslib.A("198.51.100.7"), ttl=5))
            self.socket.sendto(reply.pack(), source)


@dataclass
class School:
    """The running box: where its pages and its DNS are, and the accounts made so far."""

    dns: int
    console: str
    portal: str
    control: ControlClient
    password: str
    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)

    def dig(self, name: str, source: str) -> str:
        """`blocked` or `open`, as a device at `source` sees the name."""
        query = dns.message.make_query(name, "A")
        answer = dns.query.udp(query, "127.0.0.1", port=self.dns, source=source, timeout=10)
        if answer.rcode() == dns.rcode.NXDOMAIN:
            return "blocked"
        return "open" if answer.answer else dns.rcode.to_text(answer.rcode())

    def until(self, name: str, source: str, wanted: str, seconds: float) -> float:
        """Seconds until the device sees `wanted`; fails after `seconds`."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self.dig(name, source) == wanted:
                return time.monotonic() - began
            time.sleep(0.02)
        raise AssertionError(f"{name} at {source} is {self.dig(name, source)} after {seconds} s")


def settings(folder: Path, upstream: int) -> tuple[Path, list[int]]:
    ports = free_ports(4)
    path = folder / "filterd.yaml"
    path.write_text(
        f"""state_dir: {folder / "var"}
workers: 1
listen: {{dns: ["127.0.0.1:{ports[0]}"]}}
upstreams: ["udp://127.0.0.1:{upstream}"]
policies: {ROOT / "policies"}
catalogue: {ROOT / "blocklists" / "catalogue.yaml"}
console: "127.0.0.1:{ports[1]}"
portal: "127.0.0.1:{ports[2]}"
metrics: "127.0.0.1:{ports[3]}"
""",
        "utf-8",
    )
    return path, ports


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(log.read_text("utf-8")[-3000:])
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(url, timeout=2)
            return
        time.sleep(0.2)
    raise AssertionError(f"{url} does not answer: {log.read_text('utf-8')[-3000:]}")


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """The box, first start; one for each file, so that no story finds what another left behind."""
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium")
    folder = tmp_path_factory.mktemp("school")
    upstream = Upstream()
    upstream.start()
    path, ports = settings(folder, upstream.port)
    hold_an_update(folder / "var")
    log = folder / "run.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "filterd", "run", "--config", str(path)],
            stdout=output, stderr=subprocess.STDOUT, cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        console, portal = (f"http://127.0.0.1:{port}" for port in ports[1:3])
        wait_for(console + "/sign-in/", process, log)
        wait_for(portal + "/", process, log)
        found = None
        deadline = time.monotonic() + 60  # the pages may answer before the greeting is printed
        while found is None and time.monotonic() < deadline:
            found = re.search(r"^\s+admin\s+(\S+)$", log.read_text("utf-8"), re.M)
            time.sleep(0.1)
        assert found, log.read_text("utf-8")
        control = ControlClient(folder / "var" / "run" / "control.sock")
        yield School(ports[0], console, portal, control, found[1], folder)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        upstream.socket.close()


def sign_in(page: Page, school: School, name: str, password: str = PASSWORD) -> None:
    """Sign in, and go through whatever steps the account still needs."""
    first_steps(page, school.console, school.secrets, (name, password))
    if page.url.endswith("/code"):
        page.fill("[name=code]", fresh_code(school.secrets[name]))
        page.click("form .button.main")
    page.wait_for_selector("header.side", state="attached")


def fresh_code(secret: str) -> str:
    """A code that was not used yet: each works once, so the next interval's is taken."""
    return pyotp.TOTP(secret).at(int(time.time()) + 30)


def add_person(school: School, name: str, role: str, **more: object) -> str:
    """An account made on the box; its one-time password."""
    made = school.control.call("people.add", name=name, title=name, role=role, **more)
    return str(made["password"])
