"""The register: import with all mistakes told, history that follows the school's id."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from admin_ui.office import register
from admin_ui.office.database import Office
from admin_ui.office.register import Imported, Merge
from admin_ui.office.tables import schools, units
from filterd.errors import DocumentError
from tests.lab.office_school import entry

CSV = """\ufeffMã trường;Tên trường;Mã xã;Xã/phường;Mã sở;Cấp học;Tỉnh
91001;Tiểu học Nguyễn Huệ;X001;Phường Rạch Giá;SO-91;Tiểu học;An Giang
91002;THCS Đống Đa;X002;Xã Vĩnh Thông;SO-91;THCS|Tiểu học;An Giang
"""


def test_a_vietnamese_spreadsheet_is_read_and_read_again(office: Office) -> None:
    entries = register.parse(CSV.encode())
    assert [e.levels for e in entries] == [("primary",), ("lower_secondary", "primary")]
    assert register.load(office, entries, date(2026, 9, 1)) == Imported(2, 0, 0, 0)
    assert register.load(office, entries, date(2026, 10, 1)) == Imported(0, 0, 0, 2)
    row = office.rows(select(schools).where(schools.c.id == "91002"))[0]
    assert row["search"] == "thcs dong da 91002"


def test_every_mistake_is_told_at_once_and_nothing_is_imported(office: Office) -> None:
    bad = "id,name,commune_id,levels\n1,A,X,primary\n1,B,X,kindergarden\n,C,,\n"
    with pytest.raises(DocumentError) as caught:
        register.load(office, register.parse(bad.encode()), date(2026, 9, 1))
    told = {(p.line, p.key) for p in caught.value.problems}
    assert told == {(3, "levels"), (4, "id"), (4, "commune")}
    assert office.rows(select(schools)) == []
    with pytest.raises(DocumentError, match="commune"):
        register.parse(b"id,name\n1,2\n")
    with pytest.raises(DocumentError, match="UTF-8"):
        register.parse(b"id,name,commune_id\n1,\xff\xfe,3\n")


def test_t11_history_follows_the_school_through_merges_and_renames(office: Office) -> None:
    """Acceptance T11: commune merge and rename mid-year, two parents, ids stay."""
    register.load(office, [entry(1, 1), entry(2, 2), entry(3, 3)], date(2024, 9, 1))
    moved = register.merge(
        office, Merge(("X001", "X002"), "X900", "Phường Rạch Giá", date(2025, 7, 1))
    )
    assert moved == 2
    register.load(
        office, [register.Entry("VN-91-000001", "Tiểu học Lê Lợi", "X900", "Phường Rạch Giá",
                                "SO-91", "Sở GD&ĐT An Giang", "school", ("primary",))],
        date(2026, 1, 1),
    )  # fmt: skip
    school = "VN-91-000001"
    assert register.fact_on(office, school, "commune", date(2025, 6, 30)) == "X001"
    assert register.fact_on(office, school, "commune", date(2025, 7, 1)) == "X900"
    assert register.fact_on(office, school, "name", date(2025, 12, 31)) == "Trường Tiểu học số 1"
    assert register.fact_on(office, school, "name", date(2026, 2, 1)) == "Tiểu học Lê Lợi"
    assert register.fact_on(office, school, "department", date(2026, 2, 1)) == "SO-91"
    old = office.rows(select(units).where(units.c.id == "X001"))[0]
    assert (old["valid_to"], old["successor"]) == ("2025-06-30", "X900")
    named = [(row["field"], row["unit"]) for row in register.history(office, school)]
    assert ("commune", "Xã số 1") in named
    assert ("commune", "Phường Rạch Giá") in named
    assert (
        office.rows(select(schools).where(schools.c.id == "VN-91-000003"))[0]["commune"] == "X003"
    )


def test_a_commune_that_is_not_there_cannot_be_merged(office: Office) -> None:
    with pytest.raises(DocumentError, match="no such commune"):
        register.merge(office, Merge(("X404",), "X1", "x", date(2026, 1, 1)))
