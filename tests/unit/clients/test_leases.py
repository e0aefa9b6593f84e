"""Lease files as DHCP servers write them, and as nobody should."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from filterd import tasks
from filterd.clients import leases
from filterd.clients.presence import Presence

AT = 1_800_000_000.0
MAC, MAC2 = "3c:52:82:00:00:01", "3c:52:82:00:00:02"
DNSMASQ = f"""1800003600 {MAC} 10.0.10.5 cart-01 01:{MAC}
0 06-{MAC2} 10.0.10.6 * *
1700000000 {MAC} 10.0.10.7 old *
duid 00:01:00:01:2c:aa
1800003600 12345 fd00::5 cart-01 00:01
"""
KEA = f"""address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state
10.0.10.5,{MAC},,3600,1800003600,1,0,0,,0
10.0.10.6,{MAC2},,3600,1800003600,1,0,0,,0
10.0.10.6,{MAC2},,3600,1800003600,1,0,0,,2
10.0.10.7,{MAC},,3600,1700000000,1,0,0,,0
"""
ISC = f"""# The format of this file is documented in the dhcpd.leases(5) manual page.
lease 10.0.10.5 {{
  starts 4 2027/01/14 08:00:00;
  ends 5 2027/01/16 08:00:00;
  binding state active;
  hardware ethernet {MAC};
  uid "\\001<R\\202";
}}
lease 10.0.10.6 {{
  ends never;
  hardware ethernet {MAC2};
}}
lease 10.0.10.7 {{
  ends 4 2020/01/01 00:00:00;
  binding state active;
  hardware ethernet {MAC};
}}
lease 10.0.10.5 {{
  ends epoch 1800003600;
  binding state active;
  hardware ethernet {MAC2};
}}
"""


def test_dnsmasq() -> None:
    assert leases.parse(DNSMASQ, AT) == {"10.0.10.5": MAC, "10.0.10.6": MAC2}


def test_kea_later_rows_replace_earlier_ones() -> None:
    assert leases.parse(KEA, AT) == {"10.0.10.5": MAC}


def test_isc_later_blocks_replace_earlier_ones() -> None:
    assert leases.parse(ISC, AT) == {"10.0.10.5": MAC2, "10.0.10.6": MAC2}


@given(st.one_of(st.text(), st.lists(st.sampled_from((DNSMASQ + KEA + ISC).split())).map(" ".join)))
def test_any_text_is_read(text: str) -> None:
    for address, key in leases.parse(text, AT).items():
        assert address and len(key) == 17


async def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "dnsmasq.leases"
    file.write_text(DNSMASQ)
    told: list[dict[str, str]] = []
    table = Presence(lambda: frozenset({MAC, MAC2}), told.append)
    task = tasks.spawn(
        leases.watch([file, tmp_path / "missing"], table, lambda: AT, pause_s=0.01), "leases"
    )
    async with asyncio.timeout(5):
        while not told:
            await asyncio.sleep(0.01)
        assert told[-1] == {"10.0.10.5": MAC, "10.0.10.6": MAC2}
        file.write_text(f"0 {MAC} 10.0.10.99 * *\n")
        while told[-1] != {"10.0.10.99": MAC}:
            await asyncio.sleep(0.01)
    task.cancel()
