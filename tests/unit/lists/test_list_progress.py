"""What people see of an update on a terminal: a bar that fills, and nothing where nobody looks."""

from __future__ import annotations

import io

import pytest

from filterd.cli.lists_tables import progress_bar, progress_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_fills_with_every_list_that_was_read() -> None:
    out = Terminal()
    show = progress_bar(out)
    for name in ("one", "two"):
        show({"list": name, "of": 4})
    show({"building": 1234})
    bars = [part.partition("]")[0].count("#") for part in out.getvalue().split("[")[2::2]]
    assert bars == [7, 15, 30], out.getvalue()
    assert "building the index of 1,234 entries" in out.getvalue()


def test_a_file_gets_plain_lines() -> None:
    out = io.StringIO()
    show = progress_bar(out)
    show({"list": "one", "of": 1})
    show({"building": 5})
    assert out.getvalue() == "reading one\nbuilding the index of 5 entries\n"


@pytest.mark.parametrize(("whole", "filled"), [(2_000_000, 15), (None, 0)])
def test_a_fetch_is_followed_by_its_octets(whole: int | None, filled: int) -> None:
    out = Terminal()
    show = progress_line(out)
    show({"running": True, "list": "porn", "bytes": 1_000_000, "whole": whole})
    assert out.getvalue().count("#") == filled and "porn 1.0 MiB" in out.getvalue()
    show({"running": False})
    assert out.getvalue().endswith("\033[K")
    nobody = io.StringIO()
    progress_line(nobody)({"running": True, "list": "x", "bytes": 1, "whole": 2})
    assert nobody.getvalue() == ""
