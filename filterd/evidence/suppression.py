"""What may be published of counts that stem from pupils' devices. Pure.

The rule (requirements §4.1): a cell is shown only when at least k distinct clients are behind it
AND its top client made no more than the dominance share of its events; shown cells are rounded;
a total is shown only when what it adds to the shown cells — the *merged* cell of everything that
is hidden below it — obeys the same rule and no single hidden cell is more than the dominance share
of it, so subtraction leaves every hidden cell anywhere between nothing and half of the rest. More
cells are hidden (complementary suppression) until that holds, in an order that does not depend on
their values, because "the smallest is hidden first" would itself bound the hidden ones. Column
totals are never shown. A period is released once, whole and closed (see `Ledger`), so nothing can
be learned by subtracting two releases that overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from filterd.errors import EvidenceError
from filterd.evidence.method import Privacy

HIDDEN_TEXT = "<10"
"""How a hidden cell is printed; zero is hidden too, else a zero would speak."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Events, a lower bound of the distinct clients, an upper bound of the top client's events.

    Over a month clients cannot be told apart from day to day (the counting key dies daily), so
    `clients` is the largest daily count and `top` the sum of the daily tops: both err to hiding.
    """

    events: int = 0
    clients: int = 0
    top: int = 0

    def merged(self, other: Cell) -> Cell:
        """The cell of both taken together, bounds kept on the safe side."""
        return Cell(
            self.events + other.events, max(self.clients, other.clients), self.top + other.top
        )

    def publishable(self, rule: Privacy) -> bool:
        """k and dominance."""
        return self.clients >= rule.k and self.top * 10_000 <= self.events * rule.dominance


@dataclass(frozen=True, slots=True)
class Row:
    """A published row: None is hidden. `total` None: not shown."""

    cells: Mapping[str, int | None]
    total: int | None


@dataclass(frozen=True, slots=True)
class Release:
    """What leaves the school for one closed month, and how many cells were hidden."""

    month: str
    rows: Mapping[str, Row]
    total: int | None
    hidden: int


def rounded(events: int, step: int) -> int:
    """To the nearest step, halves up."""
    return (events + step // 2) // step * step


def publish_cell(cell: Cell, rule: Privacy) -> int | None:
    """One cell that stands alone (such as a day's number of queries); None: hidden."""
    return rounded(cell.events, rule.rounding) if cell.publishable(rule) else None


def suppress(month: str, table: Mapping[str, Mapping[str, Cell]], rule: Privacy) -> Release:
    """The release of a table tier → category → cell; every row is decided on its own first."""
    rows: dict[str, Row] = {}
    open_cells: list[Cell] = []
    for name, cells in sorted(table.items()):
        shown = _shown(cells, rule)
        hidden = [cell for key, cell in cells.items() if key not in shown]
        published = {
            key: rounded(cells[key].events, rule.rounding) if key in shown else None
            for key in sorted(cells)
        }
        if _subtractable(hidden, rule):
            rows[name] = Row(published, _total(cells.values(), rule))
        else:
            rows[name] = Row(published, None)
            open_cells += hidden
    everything = [cell for cells in table.values() for cell in cells.values()]
    total = _total(everything, rule) if _subtractable(open_cells, rule) else None
    count = sum(value is None for row in rows.values() for value in row.cells.values())
    return Release(month, rows, total, count)


def _shown(cells: Mapping[str, Cell], rule: Privacy) -> set[str]:
    """Keys to show after complementary suppression.

    When even hiding the whole row would not make its total safe, the cells stay and the total goes.
    """
    first = {key for key, cell in cells.items() if cell.publishable(rule)}
    shown = set(first)
    for key in sorted(first):
        if _subtractable([cell for k, cell in cells.items() if k not in shown], rule):
            return shown
        shown.discard(key)
    return first


def _subtractable(hidden: Sequence[Cell], rule: Privacy) -> bool:
    """May the sum of these hidden cells be known to the reader?"""
    if not hidden:
        return True
    whole = _merge(hidden)
    largest = max(cell.events for cell in hidden)
    return whole.publishable(rule) and largest * 10_000 <= whole.events * rule.dominance


def _merge(cells: Iterable[Cell]) -> Cell:
    whole = Cell()
    for cell in cells:
        whole = whole.merged(cell)
    return whole


def _total(cells: Iterable[Cell], rule: Privacy) -> int:
    return rounded(sum(cell.events for cell in cells), rule.rounding)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Months that were released, with the digest of what went out; no month goes out twice.

    This is what stops differencing (NIST SP 800-53 SI-19(5)): periods never overlap, none is
    corrected later, and sums over longer periods are sums of what was released.
    """

    released: Mapping[str, str]

    def check(self, month: str, today_month: str, body_digest: str) -> None:
        """EvidenceError when the month is still open or was released with other numbers."""
        if month >= today_month:
            raise EvidenceError("open_period", f"{month} is not over: its cells stay closed")
        if self.released.get(month, body_digest) != body_digest:
            raise EvidenceError("released_twice", f"{month} went out already with other numbers")
