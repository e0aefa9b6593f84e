"""Socket activation: what systemd opened is used, what it did not open is bound."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

from filterd.config import Address
from filterd.supervise.inherited import Inherited

CHILD = """
import json, os, socket, sys
os.environ["LISTEN_PID"] = str(os.getpid())
from filterd.config import Address, Listen
from filterd.supervise.sockets import open_sockets
opened = open_sockets(Listen(dns=(Address("127.0.0.1", int(sys.argv[1])),)))
print(json.dumps([[s.fileno(), *s.getsockname()] for s in opened.all()]))
"""


def test_sockets_of_systemd_are_used() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        tcp.bind(("127.0.0.1", 0))
        port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        tcp.listen()
        redirect = (f"exec 3<&{udp.fileno()} 4<&{tcp.fileno()}", 'exec "$@"')
        done = subprocess.run(
            ["bash", "-c", "; ".join(redirect), "sh", sys.executable, "-c", CHILD, str(port)],
            env={**os.environ, "LISTEN_FDS": "2"}, pass_fds=(udp.fileno(), tcp.fileno()),
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    found = json.loads(done.stdout)
    assert found == [[3, "127.0.0.1", port], [4, "127.0.0.1", port]]


def test_sockets_of_another_process_are_left_alone() -> None:
    found = Inherited({"LISTEN_FDS": "3", "LISTEN_PID": "1"})
    assert found.take(Address("127.0.0.1", 53), socket.SOCK_DGRAM) is None
    assert found.left() == ()
