"""Devices that get their address from a real DHCP server, and what doctor sees of such servers.

dnsmasq on the gateway (DHCP alone, port 53 is filterd's), udhcpc on pupils; one device is behind
a router of its own, so only the lease file says who it is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.school_net import PYTHON, School, ended, run
from tests.e2e.test_whole_school import OPEN, PRIMARY, Gateway, gateway, wait

__all__ = ["gateway"]
SCRIPT = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr flush dev "$interface" scope global
ip addr add "$ip/$mask" dev "$interface"
# dnsmasq tells a relayed device the router of the network that the question came through.
[ -z "$ROUTER" ] || ip route replace default via "$ROUTER"
echo "$ip $dns" > "$RESULT"
"""
SERVED = ("--port=0", "--no-daemon", "--conf-file=/dev/null", "--dhcp-authoritative", "--no-ping")
pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(
        not all(shutil.which(tool) for tool in ("nft", "dig", "dnsmasq", "udhcpc")),
        reason="needs nftables, dig, dnsmasq and udhcpc",
    ),
]


@contextmanager
def dhcp(gateway: Gateway, place: str, *options: str) -> Iterator[Path]:
    """A DHCP server in a namespace."""
    log = gateway.folder / f"dhcp-{place}.log"
    server = gateway.net.start(
        place, "dnsmasq", *SERVED, f"--pid-file={log}.pid", "--user=root", *options, log=log
    )
    with ended([server]):
        wait(lambda: log.exists() and "DHCP, IP range" in log.read_text(), log.read_text)
        yield log


def lease(gateway: Gateway, place: str, router: str = "") -> tuple[str, str]:
    """The address and the resolver that a device gets."""
    script, result = gateway.folder / "bound", gateway.folder / f"lease-{place}"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    told = ("env", f"RESULT={result}", f"ROUTER={router}")
    patient = ("-n", "-q", "-f", "-t", "8", "-T", "1")
    command = (*told, "udhcpc", "-i", "eth0", *patient, "-s", str(script))
    gateway.net.inside(place, *command, timeout=40)
    address, resolver = result.read_text().split()
    return address, resolver


@pytest.fixture
def served(gateway: Gateway) -> Iterator[Gateway]:
    """dnsmasq on the gateway for the three segments and for the network behind a router."""
    options = [f"--dhcp-leasefile={gateway.leases}"]
    for number in range(3):
        net = f"10.0.{10 + number}"
        options += [f"--dhcp-range=set:lan{number},{net}.100,{net}.150,255.255.255.0,1h",
                    f"--dhcp-option=tag:lan{number},option:dns-server,{net}.1",
                    f"--dhcp-option=tag:lan{number},option:router,{net}.1"]  # fmt: skip
    options += ["--dhcp-range=set:far,10.0.50.100,10.0.50.150,255.255.255.0,1h",
                "--dhcp-option=tag:far,option:dns-server,10.0.10.1",
                "--dhcp-option=tag:far,option:router,10.0.50.1"]  # fmt: skip
    with dhcp(gateway, gateway.net.gateway, *options):
        yield gateway


@pytest.fixture
def far(served: Gateway) -> Iterator[str]:
    """A device behind a router: its hardware address never reaches the gateway."""
    net, name = served.net, f"{served.net.gateway}far"
    router = net.pupils[PRIMARY]
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", router, "link", "add", "far0", "type", "veth", "peer", "name", "eth0",
            "netns", name)  # fmt: skip
        run("ip", "-n", router, "addr", "add", "10.0.50.1/24", "dev", "far0")
        for place, device in ((router, "far0"), (name, "eth0"), (name, "lo")):
            run("ip", "-n", place, "link", "set", device, "up")
        net.inside(router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        run("ip", "-n", net.gateway, "route", "add", "10.0.50.0/24", "via", "10.0.10.2")
        relay = net.start(router, "dnsmasq", *SERVED, f"--pid-file={served.folder}/relay.pid",
                          "--user=root", "--dhcp-relay=10.0.50.1,10.0.10.1",
                          log=served.folder / "relay.log")  # fmt: skip
        with ended([relay]):
            yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        run("ip", "-n", net.gateway, "route", "del", "10.0.50.0/24")


def asks(gateway: Gateway, place: str, name: str, server: str) -> str:
    command = ("dig", "+time=2", "+tries=1", f"@{server}", name)
    done = subprocess.run(
        gateway.net.command(place, *command), capture_output=True, text=True, timeout=20,
        check=False,
    )  # fmt: skip
    found = re.search(r"\sA\s+([0-9.]+)$", done.stdout, re.M)
    status = re.search(r"status: (\w+)", done.stdout)
    return found[1] if found else status[1] if status else "no answer"


def test_a_leased_device_gets_the_tier_that_the_policy_names(served: Gateway, far: str) -> None:
    """By the lease file alone: before the policy names it, its network is the strictest tier's."""
    net = served.net
    address, resolver = lease(served, far, "10.0.50.1")
    assert address.startswith("10.0.50.") and resolver == "10.0.10.1"
    mac = net.inside(far, "cat", "/sys/class/net/eth0/address").strip()
    assert f"{mac} {address}" in served.leases.read_text()
    assert mac not in net.inside(net.gateway, "ip", "neigh")
    assert asks(served, far, "tinder.com", resolver) == "NXDOMAIN"
    folder = served.folder / "leased"
    served.filterd("policy", "export", str(folder))
    school = folder / "school.yaml"
    text = re.sub(r"^devices:.*?(?=^\S)", "", school.read_text(), flags=re.M | re.S)
    school.write_text(f'{text}\ndevices: [{{mac: "{mac}", tier: staff}}]\n')
    served.filterd("policy", "apply", str(folder))
    wait(lambda: asks(served, far, "tinder.com", resolver) == OPEN,
         lambda: asks(served, far, "tinder.com", resolver), 30)  # fmt: skip
    assert asks(served, far, "pornhub.com", resolver) == "NXDOMAIN"


def findings(gateway: Gateway) -> list[str]:
    done = subprocess.run(
        gateway.net.command(gateway.net.gateway, PYTHON, "-m", "filterd", "doctor", "--json",
                            "--config", str(gateway.config)),
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    return [f"{f['level']} {f['text']}" for f in json.loads(done.stdout) if f["check"] == "dhcp"]


def test_pupils_lease_in_their_segments_and_doctor_is_content(served: Gateway) -> None:
    for number, pupil in enumerate(served.net.pupils[1:], 1):
        address, resolver = lease(served, pupil)
        assert address.startswith(f"10.0.{10 + number}.") and resolver == f"10.0.{10 + number}.1"
        assert asks(served, pupil, "pornhub.com", resolver) == "NXDOMAIN"
    assert not [line for line in findings(served) if line.startswith("fail")]


def test_doctor_finds_a_server_that_hands_out_a_public_resolver(gateway: Gateway) -> None:
    """It runs in the pupils' network, on somebody's router: no file of this box tells of it."""
    net: School = gateway.net
    options = ("--dhcp-range=10.0.12.160,10.0.12.170,255.255.255.0,1h",
               "--dhcp-option=option:dns-server,8.8.8.8",
               f"--dhcp-leasefile={gateway.folder}/rogue")  # fmt: skip
    run("ip", "-n", net.pupils[2], "addr", "replace", "10.0.12.2/24", "dev", "eth0")
    with dhcp(gateway, net.pupils[2], *options):
        found = findings(gateway)
    assert any(line.startswith("fail lan2: the server 10.0.12.") and "8.8.8.8" in line
               for line in found), found  # fmt: skip
