"""The kernel's neighbour table, really followed, in network namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from tests.e2e.school_net import PYTHON, school

FOLLOW = """
import asyncio, json
from filterd import tasks
from filterd.clients import neighbours
from filterd.clients.presence import Presence
known = frozenset(json.loads(input()))
async def main():
    table = Presence(lambda: known, lambda t: print(json.dumps(t), flush=True))
    print(json.dumps(None), flush=True)
    await tasks.spawn(neighbours.watch(table), "neighbours")
asyncio.run(main())
"""
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not shutil.which("ip"), reason="iproute2 is not installed"),
]


def test_a_device_keeps_its_key_under_every_address_it_takes() -> None:
    """IPv4, IPv6, a fresh privacy address: the same hardware address; gone when it is unplugged."""
    with school() as net:
        pupil = net.pupils[0]
        mac = net.inside(pupil, "cat", "/sys/class/net/eth0/address").strip()
        follower = subprocess.Popen(
            net.command(net.gateway, PYTHON, "-c", FOLLOW),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert follower.stdin and follower.stdout
        try:
            print(json.dumps([mac]), file=follower.stdin, flush=True)
            assert json.loads(follower.stdout.readline()) is None

            def until(address: str, present: bool = True) -> None:
                assert follower.stdout
                while (address in json.loads(follower.stdout.readline())) != present:
                    pass

            reach = ("import socket; s=socket.socket(socket.AF_INET{0},socket.SOCK_DGRAM);"
                     "s.connect(('{1}',9)); s.send(b'x')")  # fmt: skip
            net.inside(net.gateway, PYTHON, "-c", reach.format("", "10.0.10.2"))
            until("10.0.10.2")
            net.inside(net.gateway, PYTHON, "-c", reach.format("6", "fd00:10::2"))
            until("fd00:10::2")
            net.inside(pupil, "ip", "addr", "add", "fd00:10::a1b2/64", "dev", "eth0", "nodad")
            net.inside(net.gateway, PYTHON, "-c", reach.format("6", "fd00:10::a1b2"))
            until("fd00:10::a1b2")
            net.inside(net.gateway, "ip", "link", "set", "lan0", "down")
            until("10.0.10.2", present=False)
        finally:
            follower.kill()
            follower.wait(10)
