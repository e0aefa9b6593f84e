"""Address lists as columns: what they say is what looking through all networks would say."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.listen import drain
from filterd.lists.addresses import AddressTable, columns
from filterd.lists.builder import build
from filterd.lists.entry import Address
from filterd.lists.index import open_index
from filterd.lists.memory import Loaded
from filterd.lists.parsed import Parsed
from filterd.lists.precedence import ListMeta
from filterd.lists.protect import Protection
from filterd.policy.model import CategoryId, ListId

METAS = [ListMeta(ListId(f"l{n}"), CategoryId(c), "addresses") for n, c in enumerate("ppq")]
BITS = {4: 32, 6: 128}


def network(version: int, value: int, length: int) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    packed = value.to_bytes(BITS[version] // 8, "big")
    return ipaddress.ip_network((packed, length), strict=False)


def values(version: int) -> st.SearchStrategy[int]:
    """Few different bits, so that networks nest; also the very first and last address."""
    bits = BITS[version]
    ends = st.sampled_from((0, 1, (1 << bits) - 1, 1 << bits - 1, 0x20010DB8 << bits - 32))
    return st.builds(lambda a, b, s: (a ^ (b << s)) & (1 << bits) - 1, ends,
                     st.integers(0, 7), st.integers(0, bits - 3))  # fmt: skip


def entries(version: int) -> st.SearchStrategy[list[tuple[int, Address]]]:
    lengths = st.integers(0, BITS[version])
    one = st.tuples(
        st.integers(0, len(METAS) - 1),
        st.builds(
            Address, st.integers(1, 99), st.builds(network, st.just(version), values(version),
                                                   lengths), st.booleans(),
        ),
    )  # fmt: skip
    return st.lists(one, max_size=25)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from((4, 6)).flatmap(
    lambda v: st.tuples(st.just(v), entries(v), st.lists(values(v), min_size=1, max_size=20))
))  # fmt: skip
def test_every_network_that_holds_the_address_is_told(
    case: tuple[int, list[tuple[int, Address]], list[int]],
) -> None:
    version, found, asked = case
    table = AddressTable(columns(found), METAS)
    native = drain.open_networks([table.stretches])
    edges = [int(a.network.network_address) - 1 for _, a in found if a.network.prefixlen]
    edges += [int(a.network.broadcast_address) for _, a in found]
    for value in (*asked, *(edge for edge in edges if edge >= 0)):
        address = ipaddress.ip_address(value.to_bytes(BITS[version] // 8, "big"))
        told = table.find(address.packed)
        wanted = sorted(
            (METAS[n].id, str(a.network), a.line, a.exception)
            for n, a in found if address in a.network
        )  # fmt: skip
        assert native is None or native(address.packed) == bool(wanted)
        assert sorted((t.list, t.rule, t.line, t.exception) for t in told) == wanted
        lengths = [int(one.rule.partition("/")[2]) for one in told]
        assert lengths == sorted(lengths, reverse=True)


def test_a_list_of_another_category_hides_and_excepts_nothing(tmp_path: Path) -> None:
    """The narrower network speaks inside its category alone (each category has its own tiers)."""
    wide = ipaddress.ip_network("203.0.113.0/24")
    narrow = ipaddress.ip_network("203.0.113.7/32")
    lists = [
        Loaded(METAS[0], Parsed(addresses=[Address(1, wide)])),
        Loaded(METAS[2], Parsed(addresses=[Address(1, narrow, exception=True)])),
    ]
    path = tmp_path / "index.fdx"
    build(lists, Protection(), lambda _list, _why: True, path)
    told = open_index(path).address_listings(bytes((203, 0, 113, 7)))
    assert [(t.category, t.exception) for t in told] == [("q", True), ("p", False)]
    assert [t.rule for t in open_index(path).address_listings(bytes((203, 0, 113, 8)))] == [
        "203.0.113.0/24"
    ]
    assert open_index(path).address_listings(bytes((203, 0, 114, 7))) == ()
