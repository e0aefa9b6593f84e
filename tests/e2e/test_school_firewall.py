"""Pupils with another resolver set by hand, in a whole school of network namespaces."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.school_net import PUBLIC4, PUBLIC6, PYTHON, SITE, School, ended, school

ANSWERING = str(Path(__file__).with_name("answering.py"))
LIST_COUNTERS = ("nft", "list", "counters", "table", "inet", "filterd")
OWN, FOREIGN = "192.0.2.1", "203.0.113.99"
PATIENT = """
import socket, sys, threading
def answer(link):
    while data := link.recv(100): link.sendall(data)
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True: threading.Thread(target=answer, args=server.accept()[:1], daemon=True).start()
"""
"""A resolver that waits for as long as a client likes."""
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not shutil.which("nft"), reason="nftables is not installed"),
    pytest.mark.skipif(not shutil.which("dig"), reason="dig (bind9-dnsutils) is not installed"),
]


class Place:
    """The school with a filter's stand-in on the gateway and a public resolver outside."""

    def __init__(self, net: School, folder: Path) -> None:
        self.net = net
        self.seen_outside = [folder / "outside4", folder / "outside6", folder / "site"]
        self.config = folder / "filterd.yaml"
        self.rules = ""
        settings = {
            "listen": {"dns": ["0.0.0.0:53", "[::]:53"]},
            "gateway": {"interfaces": ["lan0", "lan1", "lan2"], "exempt": ["10.0.12.0/24"]},
        }
        self.config.write_text(yaml.safe_dump(settings))

    def filterd(self, *arguments: str, code: int = 0) -> str:
        command = [PYTHON, "-m", "filterd", *arguments, "--config", str(self.config)]
        done = subprocess.run(
            self.net.command(self.net.gateway, *command),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def ask(self, pupil: int, server: str, *options: str) -> str:
        """dig's answer, or its complaint."""
        base = ("dig", "+time=1", "+tries=1", "+short", *options, f"@{server}", "allowed.example")
        command = self.net.command(self.net.pupils[pupil], *base)
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout.strip()

    def connect(self, pupil: int, host: str, port: int) -> str:
        """What a TCP connection meets: open, ConnectionRefusedError, TimeoutError …"""
        code = (
            "import socket,sys\n"
            "try:\n socket.create_connection((sys.argv[1], int(sys.argv[2])), 2); print('open')\n"
            "except OSError as e: print(type(e).__name__)"
        )
        return self.net.inside(self.net.pupils[pupil], PYTHON, "-c", code, host, str(port)).strip()

    def outside(self) -> list[str]:
        """What reached the Internet's servers."""
        return [line for log in self.seen_outside for line in log.read_text().splitlines()]


def answering(
    net: School, where: str, address: str, answer: str, log: Path, *ports: str
) -> subprocess.Popen[bytes]:
    return net.start(where, PYTHON, ANSWERING, address, answer, str(log), *ports)


def wait(ready: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, "not ready in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("school")
    with school() as net:
        here = Place(net, folder)
        ports = ("53", "443", "853", "5353")
        outside = (PUBLIC4, PUBLIC6)
        servers = [
            *(
                answering(net, net.internet, a, FOREIGN, here.seen_outside[i], *ports)
                for i, a in enumerate(outside)
            ),
            answering(net, net.internet, SITE, FOREIGN, here.seen_outside[2], "80", "443"),
            answering(net, net.gateway, "0.0.0.0", OWN, folder / "own4"),
            answering(net, net.gateway, "::", OWN, folder / "own6"),
        ]
        with ended(servers):
            logs = (*here.seen_outside, folder / "own4", folder / "own6")
            wait(lambda: all(log.exists() for log in logs))
            yield here


@pytest.fixture
def guarded(place: Place) -> Place:
    """The rules freshly loaded; as text, for starting the command for every test takes time."""
    if not place.rules:
        place.rules = place.filterd("firewall", "print")
    place.net.inside(place.net.gateway, "nft", "-f", "-", stdin=place.rules)
    for log in place.seen_outside:
        log.write_text("")
    return place


def test_without_rules_the_foreign_resolver_answers(place: Place) -> None:
    """The test can fail: this is what the rules are against."""
    place.net.inside(place.net.gateway, "nft", "flush", "ruleset")
    assert place.ask(0, PUBLIC4) == FOREIGN
    assert place.ask(0, PUBLIC6) == FOREIGN
    assert place.connect(0, PUBLIC4, 443) == "open"


@pytest.mark.parametrize(
    ("server", "options"),
    [
        pytest.param(PUBLIC4, (), id="UDP"),
        pytest.param(PUBLIC4, ("+tcp",), id="TCP"),
        pytest.param(PUBLIC6, (), id="IPv6 UDP"),
        pytest.param(PUBLIC6, ("+tcp",), id="IPv6 TCP"),
        pytest.param(SITE, (), id="a resolver nobody knows"),
    ],
)
def test_a_resolver_set_by_hand_is_answered_by_the_filter(
    guarded: Place, server: str, options: tuple[str, ...]
) -> None:
    assert guarded.ask(0, server, *options) == OWN
    assert guarded.outside() == []


@pytest.mark.parametrize("server", [PUBLIC4, PUBLIC6])
@pytest.mark.parametrize("port", [853, 443, 5353])
def test_encrypted_dns_by_address_is_refused_at_once(
    guarded: Place, server: str, port: int
) -> None:
    assert guarded.connect(0, server, port) == "ConnectionRefusedError"
    assert guarded.outside() == []


def test_dns_over_quic_and_http3_are_refused(guarded: Place) -> None:
    for port in ("853", "443"):
        assert guarded.ask(0, PUBLIC4, "-p", port) != FOREIGN
        assert guarded.ask(0, PUBLIC6, "-p", port) != FOREIGN
    assert guarded.outside() == []


def test_the_web_goes_on_working(guarded: Place) -> None:
    assert guarded.connect(0, SITE, 443) == "open"
    assert guarded.connect(1, SITE, 80) == "open"


def test_an_exempt_segment_may_ask_whom_it_likes(guarded: Place) -> None:
    assert guarded.ask(2, PUBLIC4) == FOREIGN


def test_a_flow_from_before_the_rules_is_cut(place: Place) -> None:
    """A connection to a foreign resolver, open when the rules are loaded, ends."""
    place.net.inside(place.net.gateway, "nft", "flush", "ruleset")
    code = (
        "import socket,sys,time\n"
        "s=socket.create_connection((sys.argv[1],9953),2); print('open',flush=True)\n"
        "sys.stdin.readline()\n"
        "s.settimeout(3)\n"
        "try:\n s.sendall(b'x'*40); print('in' if s.recv(100) else 'closed')\n"
        "except OSError as e: print(type(e).__name__)"
    )
    patient = place.net.start(place.net.internet, PYTHON, "-c", PATIENT, PUBLIC4, "9953")
    with ended([patient]):
        wait(lambda: place.connect(0, PUBLIC4, 9953) == "open")
        client = subprocess.Popen(
            place.net.command(place.net.pupils[0], PYTHON, "-c", code, PUBLIC4),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert client.stdout and client.stdin
        assert client.stdout.readline() == "open\n"
        place.filterd("firewall", "apply")
        out, _ = client.communicate("go\n", timeout=20)
        assert out.strip() == "ConnectionResetError"


def test_fragments_do_not_slip_through(guarded: Place) -> None:
    """A question in fragments is put together before the rules see it."""
    code = (
        "import socket,struct,sys\n"
        "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
        "s.setsockopt(socket.IPPROTO_IP,10,0)\n"  # IP_MTU_DISCOVER off: the kernel fragments
        "q=struct.pack('!6H',7,256,1,0,0,0)+b'\\1a\\7example\\0\\0\\1\\0\\1'+b'\\0'*3000\n"
        "s.settimeout(2); s.sendto(q,(sys.argv[1],53))\n"
        "print(socket.inet_ntoa(s.recv(4096)[-4:]))"
    )
    pupil = guarded.net.pupils[0]
    assert guarded.net.inside(pupil, PYTHON, "-c", code, PUBLIC4).strip() == OWN
    assert guarded.outside() == []


def test_attempts_are_counted_for_the_school_and_survive_a_reload(guarded: Place) -> None:
    def counted() -> dict[str, int]:
        listing = guarded.net.inside(guarded.net.gateway, *LIST_COUNTERS)
        words = listing.split()
        return {words[i + 1]: int(words[i + 4]) for i, w in enumerate(words) if w == "counter"}

    before = counted()
    guarded.ask(0, PUBLIC4)
    guarded.ask(0, "10.0.10.1")
    guarded.connect(0, PUBLIC4, 853)
    after = counted()
    assert after["resolver"] == before["resolver"] + 1
    assert after["dot"] == before["dot"] + 1
    guarded.filterd("firewall", "apply")
    kept = counted()
    # Other counts may rise meanwhile: a flow that an earlier test cut still sends a packet or two.
    assert (kept["resolver"], kept["dot"]) == (after["resolver"], after["dot"])


def test_only_our_own_table_is_touched(guarded: Place) -> None:
    net = guarded.net
    net.inside(net.gateway, "nft", "add", "table", "inet", "theirs")
    guarded.filterd("firewall", "apply")
    guarded.filterd("firewall", "apply", "--closed")
    assert "table inet theirs" in net.inside(net.gateway, "nft", "list", "tables")
    net.inside(net.gateway, "nft", "delete", "table", "inet", "theirs")


def test_closed_first_then_filtering(place: Place) -> None:
    """Before the filter is ready nothing of the pupils is forwarded; the exempt segment is."""
    place.net.inside(place.net.gateway, "nft", "flush", "ruleset")
    place.filterd("firewall", "apply", "--closed")
    assert place.connect(0, SITE, 443) == "TimeoutError"
    assert place.ask(0, PUBLIC4) != FOREIGN
    assert place.connect(2, SITE, 443) == "open"
    place.filterd("firewall", "apply")
    assert place.connect(0, SITE, 443) == "open"
    assert place.ask(0, PUBLIC4) == OWN


def test_closed_rules_load_before_any_interface_exists(place: Place) -> None:
    """After a power cut: rules first, then the network."""
    rules = place.filterd("firewall", "print", "--closed")
    empty = f"{place.net.gateway}e"
    place.net.inside(place.net.gateway, "true")
    subprocess.run(["ip", "netns", "add", empty], check=True, timeout=10)
    try:
        place.net.inside(empty, "nft", "-f", "-", stdin=rules)
    finally:
        subprocess.run(["ip", "netns", "del", empty], check=True, timeout=10)


def test_check_finds_what_somebody_changed(guarded: Place) -> None:
    net = guarded.net
    assert "rules: as wanted" in guarded.filterd("firewall", "check", "--no-probe")
    net.inside(
        net.gateway, "nft", "delete", "element", "inet", "filterd", "resolver4", "{ 8.8.8.8 }"
    )
    assert "FAIL  rules" in guarded.filterd("firewall", "check", "--no-probe", code=1)
    net.inside(net.gateway, "nft", "delete", "table", "inet", "filterd")
    assert "not loaded" in guarded.filterd("firewall", "check", "--no-probe", code=1)


def test_check_finds_another_table_that_redirects_first(guarded: Place) -> None:
    net = guarded.net
    rules = (
        "table ip other {\n chain pre {\n type nat hook prerouting priority -150;\n"
        f" udp dport 53 dnat to {PUBLIC4}\n }}\n}}\n"
    )
    net.inside(net.gateway, "nft", "-f", "-", stdin=rules)
    out = guarded.filterd("firewall", "check", "--no-probe", code=1)
    assert "other/pre redirects before filterd" in out
    net.inside(net.gateway, "nft", "delete", "table", "ip", "other")


def test_the_probe_tells_a_working_firewall_from_a_broken_one(guarded: Place) -> None:
    net = guarded.net
    out = guarded.filterd("firewall", "check")
    assert "ok    another resolver, UDP: answered by the filter" in out
    assert "ok    another resolver, IPv6 UDP: answered by the filter" in out
    assert "ok    DNS over TLS: refused at once" in out
    net.inside(net.gateway, "nft", "flush", "chain", "inet", "filterd", "capture")
    out = guarded.filterd("firewall", "check", code=1)
    assert "FAIL  another resolver, UDP" in out
    assert "ok    DNS over TLS: refused at once" in out
    assert "filterd-probe" not in net.inside(net.gateway, "ip", "link", "show")
