"""Cells: what is shown obeys k and dominance, and nothing hidden can be computed back."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.errors import EvidenceError
from filterd.evidence.method import Privacy
from filterd.evidence.suppression import Cell, Ledger, Release, publish_cell, rounded, suppress

RULE = Privacy(k=10, dominance=5000, rounding=10)


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    """Any cell that can happen: the top client has at least its even share of the events."""
    clients = draw(st.integers(0, 40))
    if clients == 0:
        return Cell()
    events = draw(st.integers(clients, 3_000))
    top = draw(st.integers(-(-events // clients), events - clients + 1))
    return Cell(events, clients, top)


tables = st.dictionaries(
    st.sampled_from(["primary", "lower_secondary", "upper_secondary", "staff"]),
    st.dictionaries(st.sampled_from(["porn", "games", "self_harm", "chat", "ads"]), cells()),
)


@pytest.mark.parametrize("clients", range(1, 10))
def test_fewer_than_ten_clients_are_hidden(clients: int) -> None:
    assert publish_cell(Cell(events=1_000, clients=clients, top=100), RULE) is None


def test_nobody_is_hidden_too() -> None:
    assert publish_cell(Cell(), RULE) is None


def test_one_client_with_most_of_the_events_is_hidden() -> None:
    assert publish_cell(Cell(events=1_000, clients=40, top=950), RULE) is None
    assert publish_cell(Cell(events=1_000, clients=40, top=500), RULE) == 1_000


@given(tables)
def test_what_is_shown_obeys_the_rule_and_is_rounded(table: dict[str, dict[str, Cell]]) -> None:
    release = suppress("2026-10", table, RULE)
    for tier, row in release.rows.items():
        for category, value in row.cells.items():
            if value is not None:
                assert table[tier][category].publishable(RULE)
                assert value % 10 == 0
    hidden = sum(v is None for row in release.rows.values() for v in row.cells.values())
    assert hidden == release.hidden


def bounds(total: int, shown: list[int], hidden: int) -> tuple[int, int]:
    """What a reader knows of one hidden cell among `hidden`: they sum to the rest of the total.

    The reader is given more than we print: the exact total and exact shown cells.
    """
    rest = total - sum(shown)
    return (rest, rest) if hidden == 1 else (0, rest)


@given(tables)
@settings(max_examples=300)
def test_subtraction_leaves_no_hidden_cell_pinned(table: dict[str, dict[str, Cell]]) -> None:
    """An attacker with the exact totals still finds every hidden cell between 0 and twice itself,
    and whatever they learn as a sum would have been publishable as a cell of its own."""
    release = suppress("2026-10", table, RULE)
    unknown: list[Cell] = []
    for tier, row in release.rows.items():
        hidden = [cell for key, cell in table[tier].items() if row.cells[key] is None]
        if row.total is None:
            unknown += hidden
            continue
        assert_group_is_safe(hidden)
        shown = [cell.events for key, cell in table[tier].items() if row.cells[key] is not None]
        for cell in hidden:
            low, high = bounds(sum(c.events for c in table[tier].values()), shown, len(hidden))
            assert low == 0
            assert high >= 2 * cell.events
    if release.total is not None:
        assert_group_is_safe(unknown)


def assert_group_is_safe(hidden: list[Cell]) -> None:
    if not hidden:
        return
    assert len(hidden) >= 2
    whole = Cell()
    for cell in hidden:
        whole = whole.merged(cell)
    assert whole.publishable(RULE)


@given(tables)
@settings(max_examples=200)
def test_what_is_hidden_beside_the_primary_cells_does_not_depend_on_how_large_they_are(
    table: dict[str, dict[str, Cell]],
) -> None:
    """Kerckhoffs: the reader knows the algorithm. Complementary cells go by name, not by size:
    hidden publishable cells are a prefix of the publishable ones in the order of their names."""
    release = suppress("2026-10", table, RULE)
    for tier, row in release.rows.items():
        publishable = sorted(k for k, cell in table[tier].items() if cell.publishable(RULE))
        flags = [row.cells[key] is None for key in publishable]
        assert flags == sorted(flags, reverse=True)


def test_brute_force_attacker_on_a_small_row() -> None:
    """All rows the attacker holds possible after the release, enumerated: the hidden cell may be
    anything from nothing to several times its true value."""
    truth = {
        "chat": Cell(40, 12, 5),
        "drugs": Cell(45, 12, 5),
        "games": Cell(60, 20, 8),
        "self_harm": Cell(7, 2, 4),
    }
    seen = suppress("2026-10", {"primary": truth}, RULE)
    assert seen.rows["primary"].cells == {
        "chat": None, "drugs": None, "games": 60, "self_harm": None,
    }  # fmt: skip
    assert seen.rows["primary"].total == 150
    possible = set()
    for secret, chat, rest in itertools.product(range(95), range(0, 95, 3), (85, 89, 92, 94)):
        drugs = rest - secret - chat
        if drugs < 0:
            continue
        guess = {
            "chat": Cell(chat, 12, min(chat, 5)),
            "drugs": Cell(drugs, 12, min(drugs, 5)),
            "games": truth["games"],
            "self_harm": Cell(secret, 2, min(secret, 4)),
        }
        if same(suppress("2026-10", {"primary": guess}, RULE), seen):
            possible.add(secret)
    assert min(possible) <= 1
    assert max(possible) >= 40


def same(left: Release, right: Release) -> bool:
    return (left.rows, left.total) == (right.rows, right.total)


@given(st.integers(0, 10**9))
def test_rounding_moves_by_at_most_half_a_step(events: int) -> None:
    assert abs(rounded(events, 10) - events) <= 5


def test_a_month_goes_out_once_and_only_when_it_is_over() -> None:
    ledger = Ledger({"2026-09": "aa"})
    ledger.check("2026-09", "2026-11", "aa")
    ledger.check("2026-10", "2026-11", "bb")
    with pytest.raises(EvidenceError, match="other numbers"):
        ledger.check("2026-09", "2026-11", "bb")
    with pytest.raises(EvidenceError, match="not over"):
        ledger.check("2026-11", "2026-11", "cc")
