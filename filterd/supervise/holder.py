"""Who holds a port already: read from /proc, so that "port taken" can name the culprit."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

from filterd.config import Address


def port_holder(address: Address, kind: socket.SocketKind, proc: Path = Path("/proc")) -> str:
    """The process on that port in words ("dnsmasq (pid 812)"); says so when it cannot be seen."""
    inodes = _inodes(address, kind, proc)
    if not inodes:
        return "another process"
    for directory in proc.iterdir():
        if directory.name.isdigit() and _holds(directory, inodes):
            name = (directory / "comm").read_text("utf-8", "replace").strip()
            return f"{name} (pid {directory.name})"
    return "a process of another user (run as root to see which)"


def _inodes(address: Address, kind: socket.SocketKind, proc: Path) -> set[str]:
    """Socket inodes bound to the port on the address or on a wildcard (proc(5), /proc/net/tcp)."""
    table = "udp" if kind == socket.SOCK_DGRAM else "tcp"
    found = set()
    wanted = ipaddress.ip_address(address.host.partition("%")[0])
    for path in (proc / "net" / table, proc / "net" / f"{table}6"):
        if not path.exists():
            continue
        for line in path.read_text("ascii").splitlines()[1:]:
            fields = line.split()
            host, _, port = fields[1].rpartition(":")
            listening = table == "udp" or fields[3] == "0A"
            if int(port, 16) == address.port and listening and _meets(_decode(host), wanted):
                found.add(f"socket:[{fields[9]}]")
    return found


def _decode(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The kernel prints each 32-bit word of the address in host order."""
    raw = b"".join(bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8))
    return ipaddress.ip_address(raw)


def _meets(
    bound: ipaddress.IPv4Address | ipaddress.IPv6Address,
    wanted: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> bool:
    return bound == wanted or bound.is_unspecified or wanted.is_unspecified


def _holds(directory: Path, inodes: set[str]) -> bool:
    try:
        return any(str(fd.readlink()) in inodes for fd in (directory / "fd").iterdir())
    except OSError:  # gone meanwhile, or another user's
        return False
