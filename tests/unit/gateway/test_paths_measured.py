"""Flows judged from what the kernel counted; addresses on their way from worker to follower."""

from __future__ import annotations

import json
import socket
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd import config
from filterd.app.firewall_report import path_facts
from filterd.gateway import paths
from filterd.gateway.answered import Answered, pack, unpack
from filterd.gateway.follow import Day, Judge, days


def test_an_answer_that_was_late_still_counts() -> None:
    judge = Judge()
    assert judge.strange({"203.0.113.1": 3, "198.51.100.9": 2}, 0.0) == 0
    judge.took(judge.learn({"203.0.113.1": 60}, 1.0), 1.0)
    assert judge.strange({}, 10.0) == 2
    assert judge.strange({}, 20.0) == 0


def test_an_answer_serves_for_its_time_and_a_little_longer() -> None:
    judge = Judge()
    judge.took(judge.learn({"203.0.113.1": 60}, 0.0), 0.0)
    judge.strange({"203.0.113.1": 1}, 600.0)
    assert judge.strange({"203.0.113.1": 1}, 650.0) == 0
    assert judge.strange({}, 661.0) == 1


def test_the_kernel_is_bothered_only_when_the_time_grows() -> None:
    judge = Judge()
    first = judge.learn({"203.0.113.1": 300}, 0.0)
    judge.took(first, 0.0)
    assert first == {"203.0.113.1": 900}
    assert judge.learn({"203.0.113.1": 300}, 100.0) == {}
    assert judge.learn({"203.0.113.1": 300}, 400.0) == {"203.0.113.1": 900}
    assert judge.learn({"203.0.113.2": 1 << 31}, 0.0) == {"203.0.113.2": 87_000}


octets = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))


@given(st.lists(st.tuples(octets, st.integers(0, (1 << 32) - 1)), max_size=20))
def test_addresses_arrive_as_they_were_sent(items: list[tuple[bytes, int]]) -> None:
    family = {4: socket.AF_INET, 16: socket.AF_INET6}
    mapped = bytes(10) + b"\xff\xff"
    plain = [(a[12:] if a[:12] == mapped and len(a) == 16 else a, n) for a, n in items]
    assert list(unpack(pack(items))) == [(socket.inet_ntop(family[len(a)], a), n) for a, n in plain]


@given(st.binary(max_size=100))
def test_no_datagram_breaks_it(datagram: bytes) -> None:
    assert len(list(unpack(datagram))) == len(datagram) // 20


def test_nobody_who_listens_costs_nothing(tmp_path: Path) -> None:
    out = Answered(tmp_path / "nobody.sock")
    out.note([b"\xcb\x00\x71\x01"], 60)
    out.send()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "nobody.sock"))
        heard.settimeout(5)
        out.note([b"\xcb\x00\x71\x01"], 60)
        out.note([b"\xcb\x00\x71\x01"], 30)
        out.send()
        assert list(unpack(heard.recv(65_536))) == [("203.0.113.1", 60)]
    out.close()


def test_nft_takes_the_table_and_the_elements() -> None:
    known = {"203.0.113.1": 700, "2001:db8::1": 90}
    text = paths.render(("lan0", "lan1")) + paths.answered(known, ()) + paths.answered(known, known)
    script = f"nft -f - && nft list set inet {paths.TABLE} answered4"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script], input=text + paths.flushed("egress"),
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    if "not permitted" in done.stderr or "not found" in done.stderr:
        pytest.skip("needs root and nftables")
    assert done.returncode == 0, done.stderr
    assert "203.0.113.1 timeout 11m40s" in done.stdout


def settings(folder: Path, interfaces: tuple[str, ...]) -> config.Settings:
    found = config.load(None)
    return replace(found, state_dir=folder, gateway=config.GatewaySettings(interfaces=interfaces))


def test_a_day_as_the_evidence_takes_it(tmp_path: Path) -> None:
    day = date(2026, 11, 23)
    inline, beside = settings(tmp_path, ("lan0",)), settings(tmp_path, ())
    assert path_facts(inline, day) == {"path": None, "flows": None}
    (tmp_path / "run").mkdir()
    body = {"active": 41, "used": 40, "flows": 900, "unresolved": 9}
    report = {"days": {"2026-11-23": body, "2026-11-24": {}}}
    (tmp_path / "run/paths.json").write_text(json.dumps(report))
    assert days(tmp_path / "run")["2026-11-23"] == Day(41, 40, 900, 9)
    assert path_facts(inline, day) == {
        "path": {"used_bp": 9756, "active": 50},
        "flows": {"unresolved_bp": 100, "flows": 900},
    }
    assert path_facts(beside, day) == {"path": None, "flows": None}
    assert path_facts(inline, date(2026, 11, 24)) == {"path": None, "flows": None}
