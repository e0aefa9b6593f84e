"""The whole school with the real filter: set up from answers, closed first, then filtering by tier.

Three segments, a public resolver outside that must never be asked, pupils who set it by hand, a
known device that keeps its tier, a filter that is killed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.school_net import PUBLIC4, PUBLIC6, PYTHON, SITE, School, ended, run, school

ROOT = Path(__file__).parents[2]
ANSWERING = str(Path(__file__).with_name("answering.py"))
ISP, OPEN = "198.51.100.53", "203.0.113.99"
ANSWERS = f"""
school: {{name: Trường thử}}
interfaces: {{internet: wan0, school: [lan0, lan1, lan2]}}
segments:
  - {{network: 10.0.10.0/24, tier: primary}}
  - {{network: "fd00:10::/64", tier: primary}}
  - {{network: 10.0.11.0/24, tier: upper_secondary}}
  - {{network: "fd00:11::/64", tier: upper_secondary}}
  - {{network: 10.0.12.0/24, tier: staff}}
  - {{network: "fd00:12::/64", tier: staff}}
upstreams: ["udp://{ISP}"]
"""
PRIMARY, SENIOR, STAFF = 0, 1, 2
pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(120),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not shutil.which("nft"), reason="nftables is not installed"),
    pytest.mark.skipif(not shutil.which("dig"), reason="dig (bind9-dnsutils) is not installed"),
]


class Gateway:
    """The school with the filter on its gateway."""

    def __init__(self, net: School, folder: Path) -> None:
        self.net = net
        self.folder = folder
        self.config = folder / "box/etc/filterd/filterd.yaml"
        self.filter: subprocess.Popen[bytes] | None = None
        self.never = (folder / "public4", folder / "public6")
        self.leases = folder / "dnsmasq.leases"

    def set_up(self) -> None:
        """`filterd setup` below a directory, with paths of this test."""
        answers = self.folder / "answers.yaml"
        answers.write_text(ANSWERS)
        run(PYTHON, "-m", "filterd", "setup", "--answers", str(answers),
            "--root", str(self.folder / "box"))  # fmt: skip
        text = self.config.read_text()
        for path, ours in (
            ("/var/lib/filterd", self.folder / "state"),
            ("/etc/filterd/policies", self.folder / "box/etc/filterd/policies"),
            ("/usr/share/filterd/blocklists", ROOT / "blocklists"),
        ):
            text = text.replace(path, str(ours))
        text = text.replace("gateway:\n", f"gateway:\n  leases: [{self.leases}]\n")
        self.config.write_text(text + "workers: 1\n")

    def closed(self) -> None:
        rules = (self.folder / "box/etc/filterd/closed.nft").read_text()
        self.net.inside(self.net.gateway, "nft", "-f", "-", stdin=rules)

    def start(self) -> None:
        self.filter = self.net.start(
            self.net.gateway, PYTHON, "-m", "filterd", "run", "--config", str(self.config),
            log=self.folder / "filterd.log",
        )  # fmt: skip
        wait(lambda: self.ask(STAFF, "allowed.canary.filterd.test", "10.0.12.1") == "192.0.2.1",
             lambda: (self.folder / "filterd.log").read_text()[-2000:])  # fmt: skip

    def filterd(self, *arguments: str) -> str:
        command = (PYTHON, "-m", "filterd", *arguments, "--config", str(self.config))
        return self.net.inside(self.net.gateway, *command, timeout=60)

    def ask(self, pupil: int, name: str, server: str, *options: str) -> str:
        """The address in the answer, else its status, else what dig complains of."""
        command = ("dig", "+time=1", "+tries=1", *options, f"@{server}", name)
        done = subprocess.run(
            self.net.command(self.net.pupils[pupil], *command),
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        if found := re.search(r"\sA\s+([0-9.]+)$", done.stdout, re.M):
            return found[1]
        status = re.search(r"status: (\w+)", done.stdout)
        return status[1] if status else "no answer"

    def reached(self) -> str:
        """What came to the public resolvers."""
        return "".join(log.read_text() for log in self.never)


def wait(ready: Callable[[], bool], why: Callable[[], str], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, why()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("whole")
    with school() as net:
        made = Gateway(net, folder)
        made.set_up()
        run("ip", "-n", net.internet, "addr", "add", f"{ISP}/32", "dev", "lo")
        logs = (*made.never, folder / "isp", folder / "site")
        servers = [
            net.start(net.internet, PYTHON, ANSWERING, address, OPEN, str(log), *ports)
            for address, log, ports in zip(
                (PUBLIC4, PUBLIC6, ISP, SITE), logs,
                (("53", "443", "853"), ("53", "443", "853"), ("53",), ("443",)), strict=True,
            )
        ]  # fmt: skip
        with ended(servers):
            wait(lambda: all(log.exists() for log in logs), lambda: "no Internet")
            # After a power cut: rules first, then the filter, then the school is let through.
            made.closed()
            assert made.ask(PRIMARY, "vnexpress.net", PUBLIC4) == "no answer"
            assert made.ask(PRIMARY, "vnexpress.net", ISP) == "no answer"
            made.start()
            made.filterd("firewall", "apply")
            yield made
            assert made.filter is not None
            with ended([made.filter]):
                pass


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        ("vnexpress.net", (OPEN, OPEN, OPEN)),
        ("tinder.com", ("NXDOMAIN", "NXDOMAIN", OPEN)),
        ("www.tiktok.com", ("NXDOMAIN", None, OPEN)),
        ("pornhub.com", ("NXDOMAIN", "NXDOMAIN", "NXDOMAIN")),
        ("malware.canary.filterd.test", ("NXDOMAIN", "NXDOMAIN", "NXDOMAIN")),
    ],
)
@pytest.mark.parametrize(
    ("server", "options"),
    [
        pytest.param("the gateway", (), id="gateway"),
        pytest.param(PUBLIC4, (), id="8.8.8.8"),
        pytest.param(PUBLIC4, ("+tcp",), id="8.8.8.8 TCP"),
        pytest.param(PUBLIC6, (), id="IPv6"),
    ],
)
def test_each_segment_gets_its_tier_whomever_it_asks(
    gateway: Gateway, name: str, outcomes: tuple[str | None, ...], server: str,
    options: tuple[str, ...],
) -> None:  # fmt: skip
    for pupil, outcome in enumerate(outcomes):
        asked = f"10.0.{10 + pupil}.1" if server == "the gateway" else server
        if outcome is not None:  # by the timetable, which other tests hold
            assert gateway.ask(pupil, name, asked, *options) == outcome, pupil
    assert gateway.reached() == ""


def test_the_filter_itself_is_not_redirected(gateway: Gateway) -> None:
    assert gateway.ask(STAFF, "fresh-name.vnexpress.net", "10.0.12.1") == OPEN
    assert "udp 53 from 203.0.113.1" in (gateway.folder / "isp").read_text()


def test_the_firewall_check_is_green_with_the_real_filter(gateway: Gateway) -> None:
    out = gateway.filterd("firewall", "check")
    assert "FAIL" not in out and out.count("ok  ") >= 9


def test_doctor_is_content_after_setup(gateway: Gateway) -> None:
    """What it still warns of is not the installation's: nothing keeps this namespace's time, and
    nobody has fetched lists here or followed flows yet."""
    found = json.loads(gateway.filterd("doctor", "--json"))
    assert [each for each in found if each["level"] == "fail"] == []
    warned = {each["check"] for each in found if each["level"] == "warn"}
    assert warned <= {"time", "paths", "lists", "workers"}, found
    good = {each["check"] for each in found if each["level"] == "ok"}
    assert {"port 53", "firewall", "dhcp", "interfaces"} <= good


def test_a_known_device_keeps_its_tier_under_every_address(gateway: Gateway) -> None:
    """A teacher's laptop in the pupils' network, also with a fresh privacy address."""
    net, pupil = gateway.net, gateway.net.pupils[PRIMARY]
    assert gateway.ask(PRIMARY, "tinder.com", "10.0.10.1") == "NXDOMAIN"
    mac = net.inside(pupil, "cat", "/sys/class/net/eth0/address").strip()
    folder = gateway.folder / "edited"
    gateway.filterd("policy", "export", str(folder))
    school = folder / "school.yaml"
    text = school.read_text()
    device = f'devices:\n  - {{mac: "{mac}", tier: staff, title: "Giáo viên"}}\n'
    changed = re.sub(r"^devices:.*\n(?:  .*\n)*", device, text, count=1, flags=re.M)
    if "devices:" not in text:
        changed = text + device
    school.write_text(changed)
    gateway.filterd("policy", "apply", str(folder))

    def seen() -> str:
        return gateway.ask(PRIMARY, "tinder.com", "10.0.10.1")

    wait(lambda: seen() == OPEN, lambda: f"{mac}: {seen()}", 15)
    net.inside(pupil, "ip", "addr", "add", "fd00:10::a1b2/64", "dev", "eth0", "nodad")
    wait(
        lambda: gateway.ask(PRIMARY, "tinder.com", "fd00:10::1", "-b", "fd00:10::a1b2") == OPEN,
        lambda: "the privacy address is not the device's", 15,
    )  # fmt: skip
    assert gateway.ask(SENIOR, "tinder.com", "10.0.11.1") == "NXDOMAIN"


def test_unplugged_cables_change_nothing_about_what_is_refused(gateway: Gateway) -> None:
    """First the Internet's, then a segment's; both come back by themselves."""
    net = gateway.net
    run("ip", "-n", net.gateway, "link", "set", "wan0", "down")
    assert gateway.ask(SENIOR, "pornhub.com", PUBLIC4) == "NXDOMAIN"
    assert gateway.ask(SENIOR, "allowed.canary.filterd.test", PUBLIC4) == "192.0.2.1"
    assert gateway.ask(SENIOR, "chua-ai-hoi.vnexpress.net", PUBLIC4, "+time=5") == "SERVFAIL"
    run("ip", "-n", net.gateway, "link", "set", "wan0", "up")
    run("ip", "-n", net.gateway, "route", "replace", "default", "via", "203.0.113.2")
    wait(lambda: gateway.ask(SENIOR, "mot-ten-moi.vnexpress.net", PUBLIC4, "+time=5") == OPEN,
         lambda: "the Internet does not come back", 100)  # fmt: skip
    run("ip", "-n", net.gateway, "link", "set", "lan1", "down")
    assert gateway.ask(SENIOR, "vnexpress.net", PUBLIC4) == "no answer"
    run("ip", "-n", net.gateway, "link", "set", "lan1", "up")
    wait(lambda: gateway.ask(SENIOR, "vnexpress.net", PUBLIC4) == OPEN, lambda: "lan1", 30)
    assert gateway.ask(SENIOR, "pornhub.com", PUBLIC4) == "NXDOMAIN"
    assert gateway.reached() == ""


def test_a_killed_filter_leaves_the_school_closed_and_comes_back(gateway: Gateway) -> None:
    assert gateway.filter is not None
    gateway.filter.send_signal(signal.SIGKILL)
    gateway.filter.wait(10)
    wait(lambda: gateway.ask(SENIOR, "vnexpress.net", PUBLIC4) == "no answer", lambda: "open", 20)
    assert gateway.ask(SENIOR, "vnexpress.net", PUBLIC6) == "no answer"
    assert gateway.reached() == ""
    gateway.start()
    assert gateway.ask(SENIOR, "vnexpress.net", PUBLIC4) == OPEN
    assert gateway.ask(SENIOR, "pornhub.com", PUBLIC4) == "NXDOMAIN"
