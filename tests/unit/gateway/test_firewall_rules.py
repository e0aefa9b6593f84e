"""What the rules say for a plan, and which address files are taken."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.config import load
from filterd.errors import ConfigError
from filterd.gateway import addresses, enforce, firewall, nft
from filterd.gateway.firewall import Plan
from filterd.lists.state import SourceState, State, Version
from filterd.lists.store import Store

BLOCKLISTS = Path(__file__).parents[3] / "blocklists"
root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("nft"), reason="needs root and nft")
networks = st.lists(
    st.one_of(
        st.ip_addresses(v=4).map(ip_network),
        st.ip_addresses(v=6).map(ip_network),
        st.integers(0, 2**24 - 1).map(lambda n: ip_network((n << 8, 24))),
    ),
    max_size=20,
).map(tuple)
plans = st.builds(
    Plan,
    interfaces=st.lists(
        st.from_regex(r"[a-z][a-z0-9.-]{0,14}", fullmatch=True), min_size=1, max_size=5
    ).map(tuple),
    exempt=networks,
    resolvers=networks,
    dns_port=st.integers(1, 65535),
    block_vpn=st.booleans(),
)


@root
@pytest.mark.root
@settings(max_examples=25, deadline=None)
@given(plans)
def test_nft_accepts_the_rules_of_every_plan(plan: Plan) -> None:
    for text in (firewall.render(plan), firewall.render_closed(plan)):
        done = subprocess.run(
            ["unshare", "--net", "nft", "-f", "-"], input=text, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr


def test_the_rules_name_no_other_table() -> None:
    text = firewall.render(Plan(("lan0",)))
    assert "flush ruleset" not in text
    assert {line for line in text.splitlines() if "table" in line} == {
        "table inet filterd",
        "delete table inet filterd",
        "table inet filterd {",
    }


def test_counts_go_on_after_a_reload() -> None:
    assert "packets 7 bytes 420" in firewall.render(Plan(("lan0",)), {"dot": (7, 420)})


def test_nobody_is_named_by_a_counter() -> None:
    """Counters are for the whole school; the only addresses in the rules are from the plan."""
    text = firewall.render(Plan(("lan0",)))
    assert "log" not in text and "meter" not in text and "dynamic" not in text


def test_no_interface_is_a_configuration_error_that_says_what_to_write(tmp_path: Path) -> None:
    file = tmp_path / "filterd.yaml"
    file.write_text("listen: {dns: ['127.0.0.1:53']}\n")
    with pytest.raises(ConfigError, match=r"gateway\.interfaces"):
        enforce.plan(load(file))


def test_settings_become_a_plan(tmp_path: Path) -> None:
    file = tmp_path / "filterd.yaml"
    (tmp_path / "more.txt").write_text("192.0.2.7 # ours\n")
    file.write_text(
        "listen: {dns: ['0.0.0.0:53']}\n"
        "gateway: {interfaces: [lan0, lan0.20], exempt: [10.0.40.0/24],"
        " resolver_addresses: [more.txt], block_vpn: false}\n"
    )
    plan = enforce.plan(load(file))
    assert plan.interfaces == ("lan0", "lan0.20") and not plan.block_vpn
    assert ip_network("192.0.2.7") in plan.resolvers and ip_network("8.8.8.8") in plan.resolvers


def test_a_fetched_list_of_resolvers_reaches_the_firewall(tmp_path: Path) -> None:
    """The version in use, if the list is on; lines that a firewall must not take are left out."""
    file = tmp_path / "filterd.yaml"
    file.write_text("gateway: {interfaces: [lan0]}\nstate_dir: state\n")
    store = Store(tmp_path / "state/lists")
    store.prepare()
    part = store.part("dibdot_doh_ipv4")
    part.write_text("198.18.0.1 # one\n45.77.0.9\n0.0.0.0/0\n10.0.0.1\nnonsense\n")
    version, size = store.adopt("dibdot_doh_ipv4", part)
    source = SourceState().with_version(Version(version, "2026-11-21T00:00:00+00:00", 2, size))
    state = State().put("dibdot_doh_ipv4", source)
    store.save(state)
    ours = {ip_network("45.77.0.9"), ip_network("198.18.0.1")}
    assert not ours & set(enforce.plan(load(file)).resolvers)  # the list is off as shipped
    store.save(replace(state, switched={"dibdot_doh_ipv4": True}))
    found = enforce.plan(load(file)).resolvers
    assert ours <= set(found)
    assert ip_network("0.0.0.0/0") not in found and ip_network("10.0.0.1") not in found


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("interfaces: ['lan0; drop']", "not the name of a network interface"),
        ("interfaces: [a-name-that-is-too-long]", "not the name of a network interface"),
        ("exempt: [10.0.40.1/24]", "not a network"),
        ("block_vpn: maybe", "neither true nor false"),
        ("exmpt: []", "did you mean `exempt`"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, written: str, says: str) -> None:
    file = tmp_path / "filterd.yaml"
    file.write_text(f"gateway:\n  {written}\n")
    with pytest.raises(ConfigError, match=says):
        load(file)


def test_shipped_addresses_are_read_whole() -> None:
    found = addresses.load([BLOCKLISTS / addresses.SHIPPED])
    assert len(found) > 100 and len(found) == len(set(found))
    assert {network.version for network in found} == {4, 6}
    assert all(network.is_global for network in found)


@pytest.mark.parametrize(
    "line", ["0.0.0.0/0", "8.0.0.0/8", "192.168.1.1", "fd00::1", "127.0.0.53", "::/0", "8.8.8", "x"]
)
def test_an_address_file_cannot_shut_the_school_off(line: str) -> None:
    with pytest.raises(ConfigError, match=r"list\.txt:2"):
        addresses.parse(["# comment", line], "list.txt")


@given(st.lists(st.text(max_size=40), max_size=20))
def test_any_text_is_read_or_refused(lines: list[str]) -> None:
    try:
        found = addresses.parse(lines, "x")
    except ConfigError:
        return
    assert all(network.prefixlen >= 16 for network in found)


def test_a_listing_differs_only_by_what_matters() -> None:
    rule = {"rule": {"chain": "guard", "handle": 3, "expr": [{"drop": None}]}}
    moved = {"rule": {"chain": "guard", "handle": 9, "expr": [{"drop": None}]}}
    counter = {"counter": {"name": "dot", "handle": 1, "packets": 5, "bytes": 9}}
    zero = {"counter": {"name": "dot", "handle": 2, "packets": 0, "bytes": 0}}
    assert nft.differences([rule, counter], [moved, zero]) == []
    assert nft.differences([counter], [moved, zero]) and nft.differences([rule, zero], [zero])
    assert nft.counted([counter]) == {"dot": (5, 9)}
