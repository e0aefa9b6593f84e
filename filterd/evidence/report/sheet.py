"""A record as XLSX, for those who put many reports together. Texts only: no formula runs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, cast

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from filterd.evidence.method import Method
from filterd.evidence.report.record import Record
from filterd.evidence.report.words import Words

_HEAD = PatternFill("solid", fgColor="E6EAEF")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def xlsx(record: Record, method: Method, language: str) -> bytes:
    """Sheets: summary, indicators, bypass and safe search, lists, sessions, annex."""
    words = Words(language)
    book = Workbook()
    first = cast("Worksheet", book.active)
    first.title = words("status")
    _rows(first, (words("title"), ""), _head(record, words))
    _rows(book.create_sheet(words("indicators")), _indicator_head(words),
          _indicators(record, method, words))  # fmt: skip
    _rows(book.create_sheet(words("lists")[:31]), _list_head(words), _lists(record))
    _rows(book.create_sheet("4725"), _annex_head(words), _annex(record, words))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _head(record: Record, words: Words) -> list[Sequence[Any]]:
    period = cast("Mapping[str, Any]", record["period"])
    seal = cast("Mapping[str, Any]", record["signature"])
    return [
        (words("school"), record["school_name"]),
        (words("school_id"), record["school_id"]),
        (words("period"), f"{words.day(period['first'])} – {words.day(period['last'])}"),
        (words("as_of"), words.day(str(record["as_of"]))),
        (words("method"), f"{record['method_version']} ({words('proposed')})"),
        (words("status"), words(f"status_{record['status']}")),
        (words("evidence_days"), f"{record['days_with_evidence']} / {record['days_due']}"),
        (words("digest"), seal["digest"]),
        (words("device"), seal["device"]),
        ("Ed25519", seal["ed25519"]),
    ]


def _indicator_head(words: Words) -> Sequence[str]:
    keys = ("indicator", "value", "threshold", "n", "verdict", "why")
    return ("", *(words(key) for key in keys))


def _indicators(record: Record, method: Method, words: Words) -> list[Sequence[Any]]:
    gates = cast("Mapping[str, Mapping[str, Any]]", record["gates"])
    rows: list[Sequence[Any]] = []
    for id_, gate in gates.items():
        title = method.thresholds[id_].title
        value = None if gate["value"] is None else gate["value"] / 10_000
        why = words(f"reason_{gate['reason']}") if gate["reason"] else ""
        rows.append(
            (id_, title.vi if words.language == "vi" else title.en, value,
             gate["threshold"] / 10_000, gate["n"], words(f"verdict_{gate['verdict']}"), why)
        )  # fmt: skip
    return rows


def _list_head(words: Words) -> Sequence[str]:
    return [words(k) for k in ("list", "category", "licence", "entries", "checked", "changed")]


def _lists(record: Record) -> list[Sequence[Any]]:
    lists = cast("Sequence[Mapping[str, Any]]", record["lists"])
    keys = ("source", "category", "licence", "entries", "checked_h", "changed_h")
    return [tuple(each[key] for key in keys) for each in lists]


def _annex_head(words: Words) -> Sequence[str]:
    return [words(k) for k in ("criterion", "points", "self_score", "evidence", "checked_by")]


def _annex(record: Record, words: Words) -> list[Sequence[Any]]:
    annex = cast("Mapping[str, Any]", record["annex"])
    rows: list[Sequence[Any]] = [
        (words(f"criterion_{row['criterion']}"), row["points"], row["self_score"],
         ", ".join(row["evidence"]), "")
        for row in annex["rows"]
    ]  # fmt: skip
    return [*rows, (words("total"), 100, annex["total"], words(f"level_{annex['level']}"), "")]


def _rows(sheet: Worksheet, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    sheet.append([_inert(cell) for cell in head])
    for row in rows:
        sheet.append([_inert(cell) for cell in row])
    for cell in sheet[1]:
        cell.font, cell.fill = Font(bold=True), _HEAD
    for column in sheet.columns:
        width = max(len(str(cell.value or "")) for cell in column)
        letter = get_column_letter(int(column[0].column or 1))
        sheet.column_dimensions[letter].width = min(60, width + 3)
        for cell in column:
            cell.alignment = Alignment(vertical="top", wrap_text=True)
            if isinstance(cell.value, float):
                cell.number_format = "0.00%"
    sheet.freeze_panes = "A2"


def _inert(value: Any) -> Any:
    """A text that a spreadsheet would run is written as a text (CWE-1236)."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
