"""Makers come from the IEEE registry as the system keeps it; without one there is none."""

from __future__ import annotations

from pathlib import Path

from filterd.clients import vendors
from filterd.clients.vendors import Vendors

CSV = (
    "Registry,Assignment,Organization Name,Organization Address\r\n"
    'MA-L,3C5282,"Hewlett Packard",Palo Alto CA US\r\n'
    'MA-L,00000C,"Cisco  Systems, Inc",170 West Tasman Drive San Jose CA US\r\n'
)


def test_makers_by_the_first_half_of_the_address(tmp_path: Path) -> None:
    (tmp_path / "oui.csv").write_text(CSV)
    found = Vendors(tmp_path / "oui.csv").of(
        ["3c:52:82:00:00:01", "00:00:0c:11:22:33", "da:52:82:00:00:03", "bad", "DoH token"]
    )
    assert found == {
        "3c:52:82:00:00:01": "Hewlett Packard",
        "00:00:0c:11:22:33": "Cisco Systems, Inc",
    }


def test_what_was_looked_up_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "oui.csv"
    path.write_text(CSV)
    known = Vendors(path)
    assert known.of(["3c:52:82:00:00:01", "ff:ff:ff:00:00:00"])
    path.unlink()
    assert known.of(["3c:52:82:99:99:99", "ff:ff:ff:00:00:00"]) == {
        "3c:52:82:99:99:99": "Hewlett Packard"
    }


def test_without_a_registry_nobody_is_named_and_memory_is_bounded(tmp_path: Path) -> None:
    known = Vendors(tmp_path / "missing.csv")
    for start in range(0, 3 * vendors.LIMIT, 500):
        assert known.of([f"{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}:00:00:00"
                         for n in range(start, start + 500)]) == {}  # fmt: skip
    assert len(known._known) <= vendors.LIMIT
