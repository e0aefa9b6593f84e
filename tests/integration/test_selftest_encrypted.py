"""The self-test over DoT and DoH of a running filterd, and what it says when they fail."""

from __future__ import annotations

import json
from pathlib import Path

from tests.lab.certificates import Authority
from tests.lab.running import RunningFilterd, free_ports


def test_canaries_over_every_served_transport(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("127.0.0.1")
    dot, doh = free_ports(2)
    filterd = RunningFilterd(tmp_path, {"workers": 1})
    filterd.settings["listen"].update(
        dot=[f"127.0.0.1:{dot}"],
        doh=[f"127.0.0.1:{doh}"],
        tls={"certificate": str(pair.certificate), "key": str(pair.key)},
    )
    try:
        filterd.start()
        found = json.loads(filterd.command("selftest", "--json", "--quick").stdout)
        assert found["failed"] == []
        assert found["passed"]
        passed, executed = found["block"]["primary"]["porn"]
        # 2 names x 3 types x UDP, TCP, DoT, DoH
        assert (passed, executed) == (24, 24)
    finally:
        filterd.stop()
