"""The query log of the office's name server is read in pieces: same lines, bounded memory."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin_ui.office import proof
from admin_ui.office.database import Office

PIECE = 16
LINES = st.lists(st.text(alphabet="aệ\U0001f600 ", max_size=24), max_size=12)


@given(LINES, st.text(alphabet="aệ", max_size=40))
def test_pieces_give_the_lines_that_the_whole_would(texts: list[str], unfinished: str) -> None:
    """However a piece cuts lines and characters; only lines over a piece may be left out, and the
    last one waits for its end."""
    lines = [f"{number} {text}" for number, text in enumerate(texts)]
    ended = "".join(f"{line}\n" for line in lines).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof, "_PIECE_BYTES", PIECE)
        found = list(proof._pieces(io.BytesIO(ended + unfinished.encode())))
    got = [line for some, _ in found for line in some]
    assert sum(size for _, size in found) == len(ended)
    assert got == [line for line in lines if len(line.encode()) < PIECE or line in got]


def test_a_reading_goes_on_where_the_last_one_ended(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[str] = []

    def read_lines(_: Office, lines: Iterable[str]) -> int:
        new = list(lines)
        got.extend(new)
        return len(new)

    monkeypatch.setattr(proof, "read_lines", read_lines)
    monkeypatch.setattr(proof, "_PIECE_BYTES", PIECE)
    log = tmp_path / "query.log"
    long = "x" * 5 * PIECE
    log.write_text(f"tên một\n{long}\nệệệệệ hai\nba, not en", "utf-8")
    assert proof.read_log(office, log) == 2 and got == ["tên một", "ệệệệệ hai"]
    assert proof.read_log(office, log) == 0
    with log.open("a", encoding="utf-8") as file:
        file.write("ded\nbốn\n")
    assert proof.read_log(office, log) == 2 and got[2:] == ["ba, not ended", "bốn"]
    log.write_text("", "utf-8")  # rotated, and read while it is empty
    assert proof.read_log(office, log) == 0
    again = "".join(f"năm {n}\n" for n in range(40))
    log.write_text(again, "utf-8")
    assert proof.read_log(office, log) == 40 and got[4:] == again.splitlines()


def test_no_more_than_two_pieces_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_PIECE_BYTES", PIECE)
    content = (b"y" * 3 + b"\n") * 50 + b"x" * 10_000 + b"\n" + b"z\n"
    found = list(proof._pieces(io.BytesIO(content)))
    assert max(sum(len(line) + 1 for line in lines) for lines, _ in found) <= 2 * PIECE
    assert [line for lines, _ in found for line in lines] == ["yyy"] * 50 + ["z"]
