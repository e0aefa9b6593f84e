"""Who goes past the filter, measured in the whole school: names asked for, addresses typed."""

from __future__ import annotations

import json
import os
import shutil
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from filterd import config
from filterd.app.firewall_report import path_facts
from filterd.gateway.follow import Day, days
from tests.e2e.school_net import PYTHON, SITE, ended, run
from tests.e2e.test_whole_school import OPEN, PRIMARY, SENIOR, STAFF, Gateway, gateway, wait

__all__ = ["gateway"]
CONNECT = """
import socket, sys
for _ in range(int(sys.argv[2])):
    with socket.socket() as link:
        link.settimeout(3)
        link.connect((sys.argv[1], 443))
"""
LISTEN = """
import socket, sys
link = socket.create_server((sys.argv[1], 443))
print("open", flush=True)
while True:
    link.accept()[0].close()
"""
pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not shutil.which("nft"), reason="nftables is not installed"),
    pytest.mark.skipif(not shutil.which("dig"), reason="dig (bind9-dnsutils) is not installed"),
]


def today() -> date:
    return datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).date()


def elements(gateway: Gateway, name: str) -> str:
    command = ("nft", "list", "set", "inet", "filterd_paths", name)
    return gateway.net.inside(gateway.net.gateway, *command)


def connect(gateway: Gateway, pupil: int, address: str, times: int) -> None:
    gateway.net.inside(gateway.net.pupils[pupil], PYTHON, "-c", CONNECT, address, str(times))


def measured(gateway: Gateway) -> Day:
    """Run the follower around traffic whose numbers are known; what it made of the day."""
    net, state = gateway.net, gateway.folder / "state/run"
    before = days(state).get(today().isoformat(), Day())
    command = (PYTHON, "-m", "filterd", "firewall", "follow", "--config", str(gateway.config))
    follower = net.start(net.gateway, *command, log=gateway.folder / "follow.log")
    with ended([follower]):
        wait((state / "answered.sock").is_socket, (gateway.folder / "follow.log").read_text)
        wait(lambda: "size" in elements(gateway, "answered4"), lambda: "no table")
        assert gateway.ask(PRIMARY, f"trang{before.flows}.vnexpress.net", "10.0.10.1") == OPEN
        connect(gateway, PRIMARY, OPEN, 6)  # by name, at once: the answer may still be on its way
        connect(gateway, PRIMARY, SITE, 2)  # typed as a number
        connect(gateway, SENIOR, SITE, 2)  # a device that never asked
        wait(lambda: OPEN in elements(gateway, "answered4"), lambda: "not told", 30)
        follower.terminate()
        follower.wait(30)
    after = days(state)[today().isoformat()]
    return Day(after.active, after.used, after.flows - before.flows,
               after.unresolved - before.unresolved)  # fmt: skip


def test_coverage_and_flows_without_dns(gateway: Gateway) -> None:
    net = gateway.net
    run("ip", "-n", net.internet, "addr", "replace", f"{OPEN}/32", "dev", "lo")
    with ended([net.start(net.internet, PYTHON, "-c", LISTEN, OPEN, log=gateway.folder / "open")]):
        wait(lambda: (gateway.folder / "open").read_text() == "open\n", lambda: "no site")
        assert measured(gateway) == Day(active=2, used=1, flows=10, unresolved=4)
        # The kernel's sets outlive the follower: what was answered before is known.
        assert gateway.ask(SENIOR, "mot.vnexpress.net", "10.0.11.1") == OPEN
        assert measured(gateway) == Day(active=2, used=2, flows=10, unresolved=4)
    settings = config.load(gateway.config)
    facts = path_facts(settings, today())
    assert facts["flows"] == {"unresolved_bp": 4000, "flows": 20}
    assert facts["path"] == {"used_bp": 10_000, "active": 10}
    summary = gateway.folder / "state/run/paths.json"
    kept = summary.read_text()
    assert not any(word in kept for word in (OPEN, SITE, "10.0.10.", ":0", "vnexpress"))
    assert set(json.loads(kept)["days"][today().isoformat()]) == set(Day.__slots__)


def test_what_the_firewall_refuses_is_no_flow(gateway: Gateway) -> None:
    """Nor is what stays in the school."""
    net = gateway.net
    (gateway.folder / "follow.log").touch()
    command = (PYTHON, "-m", "filterd", "firewall", "follow", "--config", str(gateway.config))
    state = gateway.folder / "state/run"
    before = days(state).get(today().isoformat(), Day()).flows
    follower = net.start(net.gateway, *command, log=gateway.folder / "follow.log")
    with ended([follower]):
        wait((state / "answered.sock").is_socket, (gateway.folder / "follow.log").read_text)
        wait(lambda: "size" in elements(gateway, "answered4"), lambda: "no table")
        code = CONNECT.replace("link.connect", "link.connect_ex")
        for address in ("8.8.8.8", "10.0.11.2"):
            net.inside(net.pupils[STAFF], PYTHON, "-c", code, address, "2")
        follower.terminate()
        follower.wait(30)
    assert days(state).get(today().isoformat(), Day()).flows == before
