"""A signed zone on BIND and a validating unbound in front of it, both on loopback."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from tests.lab.peers import free_port

ZONE = r"""$TTL 300
@ IN SOA ns h 1 1800 900 604800 60
@ IN NS ns
@ IN MX 10 www
ns A 192.0.2.53
www A 192.0.2.1
www AAAA 2001:db8::1
www HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1
a CNAME b
b CNAME www
*.wild TXT "x"
dn DNAME www.signed.example.
t666 TYPE666 \# 4 01020304
zero 0 IN A 192.0.2.6
bad\.dot A 192.0.2.3
nul\000x A 192.0.2.5
MiXeD A 192.0.2.7
sp\032ace A 192.0.2.8
deep.er.still A 192.0.2.9
many TXT "one" "two"
caa CAA 0 issue "ca.example"
srv SRV 1 2 443 www
"""
LAB = (
    ZONE.replace("signed.example", "lab.example")
    .replace("many TXT", "big TXT {big}\nmany TXT")
    .replace("{big}", " ".join(f'"{number:0200d}"' for number in range(12)))
    + "".join(f"h{number} A 198.51.{number // 250}.{number % 250 + 1}\n" for number in range(1000))
    + "".join(f"sixty A 203.0.113.{number + 1}\n" for number in range(60))
)
"""A larger zone with three RSA keys, so that its DNSKEY does not fit 512 octets."""
BOGUS = (
    "$TTL 300\n@ IN SOA ns h 1 1800 900 604800 60\n@ IN NS ns\nns A 127.0.0.1\nwww A 192.0.2.66\n"
)


_ECDSA = ("-a", "ECDSAP256SHA256")
_RSA = ("-a", "RSASHA256", "-b", "2048")


def _sign(folder: Path, zone: str, text: str, kind: tuple[str, ...] = _ECDSA, keys: int = 1) -> str:
    """Write and sign a zone; its key-signing DNSKEY in presentation form."""
    file = folder / f"{zone}.zone"
    file.write_text(text)
    keygen = ["dnssec-keygen", "-q", *kind, "-K", str(folder)]
    for flags in (["-f", "KSK"], *[[] for _ in range(keys)]):
        subprocess.run([*keygen, *flags, zone], check=True, capture_output=True)
    sign = ["dnssec-signzone", "-q", "-S", "-K", str(folder), "-o", zone, "-f", f"{file}.signed"]
    subprocess.run([*sign, str(file)], check=True, capture_output=True, cwd=folder)
    found = [path.read_text() for path in folder.glob(f"K{zone}.*.key")]
    return next(line for key in found for line in key.splitlines() if " 257 3 " in line)


@contextlib.contextmanager
def signed_upstream(folder: Path) -> Iterator[int]:
    """The port of an unbound that validates all ZONES but `bogus.example`, which is bogus."""
    authority, port = free_port(), free_port()
    anchors = [_sign(folder, "signed.example", ZONE), _sign(folder, "bogus.example", BOGUS)]
    # another key than the one that signed: nothing in this zone validates
    (folder / "other").mkdir()
    anchors[1] = _sign(folder / "other", "bogus.example", BOGUS)
    anchors.append(_sign(folder, "lab.example", LAB, _RSA, keys=2))
    named = "\n".join(
        f'zone "{zone}" {{type primary; file "{folder}/{zone}.zone.signed"; check-names ignore;}};'
        for zone in ZONES
    )
    (folder / "named.conf").write_text(
        f'options {{directory "{folder}"; listen-on port {authority} {{127.0.0.1;}}; '
        f"listen-on-v6 {{none;}}; recursion no; dnssec-validation no; "
        f'pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key";}};\n'
        f"controls {{}};\n{named}\n"
    )
    quoted = "\n".join(f'  trust-anchor: "{anchor}"' for anchor in anchors)
    (folder / "unbound.conf").write_text(
        f"server:\n  interface: 127.0.0.1@{port}\n  port: {port}\n"
        "  access-control: 127.0.0.0/8 allow\n"
        f'  do-not-query-localhost: no\n  chroot: ""\n  username: ""\n  pidfile: ""\n'
        f"  use-syslog: no\n  ede: yes\n  max-udp-size: 1232\n"
        f'  module-config: "validator iterator"\n'
        f"  local-zone: example. nodefault\n{quoted}\n"
        + "".join(
            f"stub-zone:\n  name: {zone}\n  stub-addr: 127.0.0.1@{authority}\n" for zone in ZONES
        )
        + "remote-control:\n  control-enable: no\n"
    )
    commands = (
        ["named", "-f", "-g", "-c", str(folder / "named.conf")],
        ["unbound", "-d", "-c", str(folder / "unbound.conf")],
    )
    with contextlib.ExitStack() as stack:
        for number, command in enumerate(commands):
            log = stack.enter_context((folder / f"log{number}").open("wb"))
            child = subprocess.Popen(command, stdout=log, stderr=log)
            stack.callback(child.wait, 10)
            stack.callback(child.kill)
        _wait(authority, "signed.example")
        _wait(port, "www.signed.example")
        _wait(port, "www.lab.example")
        yield port


ZONES = ("signed.example", "bogus.example", "lab.example")


def _wait(port: int, name: str) -> None:
    deadline = time.monotonic() + 15
    while True:
        with contextlib.suppress(dns.exception.DNSException, OSError):
            query = dns.message.make_query(name, "A")
            if dns.query.udp(query, "127.0.0.1", 1, port).rcode() == 0:
                return
        assert time.monotonic() < deadline, f"no answer on port {port}"
        time.sleep(0.05)
