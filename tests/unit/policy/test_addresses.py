"""Rebinding: every disguise of an inner address is seen, and no public address is taken for one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.policy.addresses import internal

INNER = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254"),
    *("172.16.0.1", "172.31.255.255", "192.168.1.1", "224.0.0.251", "255.255.255.255"),
    *("::", "::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff02::1", "::ffff:10.0.0.1"),
    *("::10.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:a00:1::1"),
]
OUTER = [
    *("1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"),
    *("192.167.255.255", "192.169.0.0", "223.255.255.255", "2001:4860:4860::8888"),
    *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2606:4700::1111"),
]
INNER4 = [
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3"),
    )
]


@pytest.mark.parametrize("text", INNER)
def test_inner_addresses(text: str) -> None:
    assert internal(ip_address(text).packed)


@pytest.mark.parametrize("text", OUTER)
def test_public_addresses(text: str) -> None:
    assert not internal(ip_address(text).packed)


@pytest.mark.parametrize("packed", [b"", b"\x08\x08\x08", b"\x08" * 5, b"\x20" * 17])
def test_what_is_no_address_does_not_pass(packed: bytes) -> None:
    assert internal(packed)


@given(st.binary(min_size=4, max_size=4))
def test_ipv4_as_the_networks_say_and_wrapped_alike(packed: bytes) -> None:
    address = IPv4Address(packed)
    wanted = any(address in network for network in INNER4)
    assert internal(packed) is wanted
    for prefix in ("::ffff:", "64:ff9b::"):
        wrapped = IPv6Address(prefix + str(address)).packed
        assert internal(wrapped) is wanted
