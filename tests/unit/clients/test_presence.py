"""Who has which address: strongest source first, known devices only, nothing about the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from filterd.clients.presence import LIMIT, SOURCES, Presence, hardware_address, randomised

CART = "3c:52:82:00:00:01"
OTHER = "3c:52:82:00:00:02"
MADE_UP = "da:52:82:00:00:03"


class Told(list[dict[str, str]]):
    """Every table that was handed on."""


def presence(*known: str) -> tuple[Presence, Told]:
    told = Told()
    return Presence(lambda: frozenset(known), told.append), told


def test_a_known_device_is_told_with_all_its_addresses() -> None:
    table, told = presence(CART)
    table.learn("neighbours", "10.0.10.5", CART)
    table.learn("neighbours", "2001:db8::a1b2", CART)
    assert told[-1] == {"10.0.10.5": CART, "2001:db8::a1b2": CART}


def test_nothing_is_told_about_a_device_the_policy_does_not_name() -> None:
    table, told = presence(CART)
    table.learn("neighbours", "10.0.10.6", OTHER)
    table.learn("leases", "10.0.10.7", MADE_UP)
    assert told == []


def test_a_made_up_address_counts_only_when_the_policy_names_it() -> None:
    assert randomised(MADE_UP) and not randomised(CART)
    table, _ = presence(MADE_UP)
    table.learn("neighbours", "10.0.10.7", MADE_UP)
    assert table.table() == {"10.0.10.7": MADE_UP}


def test_the_wire_beats_a_lease_that_is_out_of_date() -> None:
    """The address went to a pupil's own phone: the laptop cart's lease no longer counts."""
    table, told = presence(CART)
    table.replace("leases", {"10.0.10.5": CART})
    assert told[-1] == {"10.0.10.5": CART}
    table.learn("neighbours", "10.0.10.5", OTHER)
    assert told[-1] == {}


def test_the_same_table_is_told_once() -> None:
    table, told = presence(CART)
    for _ in range(3):
        table.learn("neighbours", "10.0.10.5", CART)
        table.replace("leases", {"10.0.10.5": CART})
    assert len(told) == 1


def test_a_new_policy_changes_who_counts() -> None:
    known: set[str] = set()
    told = Told()
    table = Presence(lambda: frozenset(known), told.append)
    table.learn("neighbours", "10.0.10.5", CART)
    known.add(CART)
    table.tell()
    assert told == [{"10.0.10.5": CART}]


def test_a_flood_of_addresses_does_not_grow_the_table() -> None:
    table, _ = presence()
    table.replace("leases", {str(i): OTHER for i in range(LIMIT + 5)})
    table.learn("leases", "one more", CART)
    assert len(table._rows["leases"]) == LIMIT


@given(st.sampled_from([":", "-", ".", ""]), st.integers(0, 2**48 - 1))
def test_every_spelling_of_a_hardware_address_is_one(separator: str, number: int) -> None:
    digits = f"{number:012X}"
    size = 4 if separator == "." else 2
    spelt = separator.join(digits[i : i + size] for i in range(0, 12, size))
    assert hardware_address(spelt) == ":".join(digits[i : i + 2].lower() for i in range(0, 12, 2))


@given(
    st.lists(st.tuples(st.sampled_from(SOURCES), st.sampled_from("abc"), st.sampled_from("xyz")))
)
def test_the_strongest_source_that_speaks_decides(reports: list[tuple[str, str, str]]) -> None:
    table = Presence(lambda: frozenset("xy"), lambda _: None)
    last: dict[tuple[str, str], str] = {}
    for source, address, key in reports:
        table.learn(source, address, key)
        last[source, address] = key
    for address in "abc":
        says = next((last[s, address] for s in SOURCES if (s, address) in last), None)
        assert table.table().get(address) == (says if says in ("x", "y") else None)


def test_when_a_device_was_last_seen_is_known_in_ram_and_bounded() -> None:
    now = [100.0]
    table = Presence(frozenset, Told().append, lambda: now[0])
    table.learn("neighbours", "10.0.10.5", CART)
    now[0] = 160.0
    table.learn("neighbours", "10.0.10.5", CART)
    assert table.last(CART) == 160.0 and table.last(OTHER) is None
    for number in range(LIMIT + 10):
        table.learn("neighbours", "10.0.10.9", f"00:00:00:{number:06x}")
    assert len(table._last) <= LIMIT
