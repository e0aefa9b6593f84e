"""Which changes of the lists weaken protection, and in which words a second person is asked.

Pure: each function takes what is known (an item of `lists.status`, or texts) and gives the wish,
or None where nothing gets weaker. Where it cannot be known, the answer is the cautious one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from filterd.control.approvals import Wish
from filterd.control.owner import required_reason
from filterd.storage.revisions import ChangeText

Item = Mapping[str, Any]
ONLY_BLOCKS = frozenset({"hosts", "domains", "ut1"})
"""Formats without exceptions; a list in any other may open names that other lists block."""
_PLAIN = re.compile(
    r"(?:(?:0\.0\.0\.0|127\.0\.0\.1|::1?)\s+)?(?:\|\||\*\.)?[^\s|*^$@/#;=,]+\^?(?:\s+#.*)?"
)


@dataclass(frozen=True, slots=True)
class OwnNames:
    """A text of the school's own list, how many entries it gives and how many lines it loses."""

    text: str
    entries: int
    dropped: int

    def lines(self) -> frozenset[str]:
        """The lines that say something."""
        stripped = (line.strip() for line in self.text.splitlines())
        return frozenset(line for line in stripped if line and line[0] not in "#!;")


def _asked(method: str, request: Mapping[str, Any], vi: str, en: str, *more: ChangeText) -> Wish:
    reason = required_reason(str(request["reason"]))
    return Wish(method, request, vi, en, reason, (ChangeText(vi, en, True), *more))


def _title(item: Item) -> tuple[str, str]:
    return str(item["title"]["vi"]), str(item["title"]["en"])


def switched_off(item: Item, reason: str) -> Wish | None:
    """A list that acts is to be left out."""
    if not (item["enabled"] and item["entries"]):
        return None
    vi, en = _title(item)
    return _asked(
        "lists.set_enabled", {"id": item["id"], "enabled": False, "reason": reason},
        f"Tắt danh sách “{vi}” ({item['entries']} tên)",
        f"Turn off the list “{en}” ({item['entries']} names)",
    )  # fmt: skip


def removed(item: Item, reason: str) -> Wish | None:
    """A list of the school's own that acts is to go."""
    if not (item["enabled"] and item["entries"]):
        return None
    vi, en = _title(item)
    return _asked(
        "lists.remove_source", {"id": item["id"], "reason": reason},
        f"Xoá danh sách “{vi}” ({item['entries']} tên)",
        f"Remove the list “{en}” ({item['entries']} names)",
    )  # fmt: skip


def let_in(item: Item, reason: str) -> Wish | None:
    """A quarantined version that takes names away is to act."""
    held = item["quarantine"]
    if held is None or not (held["removed"] or held["after"] < held["before"]):
        return None
    vi, en = _title(item)
    gone = max(held["removed"], held["before"] - held["after"])
    samples = tuple(
        ChangeText(f"Không còn chặn theo danh sách này: {name}", f"No longer listed: {name}", True)
        for name in held["removed_samples"][:10]
    )
    return _asked(
        "lists.approve", {"id": item["id"], "reason": reason, "version": held["version"]},
        f"Nhận bản cập nhật của “{vi}”: bớt {gone} tên ({held['before']} → {held['after']})",
        f"Let in the update of “{en}”: {gone} names go ({held['before']} → {held['after']})",
        *samples,
    )  # fmt: skip


def rolled_back(item: Item, version: str | None, reason: str) -> Wish | None:
    """An older version is to act: whatever was listed since would be open again."""
    versions = item["versions"]
    older = [v for v in versions if not v["current"] and version in (None, v["version"])]
    if not older:
        return None  # refused by the lists themselves
    current = next((v["entries"] for v in versions if v["current"]), 0)
    vi, en = _title(item)
    request = {"id": item["id"], "version": older[0]["version"], "reason": reason}
    return _asked(
        "lists.rollback", request,
        f"Quay lại bản cũ của “{vi}” ({current} → {older[0]['entries']} tên)",
        f"Back to an older version of “{en}” ({current} → {older[0]['entries']} names)",
    )  # fmt: skip


def added(request: Mapping[str, Any]) -> Wish | None:
    """A list by address whose format can hold exceptions may open names as well as block them."""
    if request["format"] in ONLY_BLOCKS:
        return None
    reason = f"{request['title']}: {request['url']}"[:500]
    vi = f"Thêm danh sách “{request['title']}” có thể chứa ngoại lệ ({request['url']})"
    en = f"Add the list “{request['title']}”, which may hold exceptions ({request['url']})"
    return Wish("lists.add_source", request, vi, en, reason, (ChangeText(vi, en, True),))


@dataclass(frozen=True, slots=True)
class Edited:
    """An edit of the school's own list: of which category, why, and of which text (its digest)."""

    category: str
    title: tuple[str, str]
    reason: str
    base: str


def own_names(edit: Edited, old: OwnNames, new: OwnNames) -> Wish | None:
    """The school's own list of a category becomes shorter, or gets lines that could open a name."""
    gone = old.lines() - new.lines()
    opening = [line for line in new.lines() - old.lines() if not _PLAIN.fullmatch(line)]
    if not gone and not opening and new.entries >= old.entries and new.dropped <= old.dropped:
        return None
    changes = [
        *(ChangeText(f"Bỏ dòng {line}", f"Line removed: {line}", True) for line in sorted(gone)),
        *(ChangeText(f"Thêm dòng {line}", f"Line added: {line}", True) for line in sorted(opening)),
    ]
    request = {"category": edit.category, "text": new.text, "reason": edit.reason,
               "base": edit.base}  # fmt: skip
    return _asked(
        "lists.local_set", request,
        f"Danh sách của trường, {edit.title[0]}: {old.entries} → {new.entries} tên",
        f"The school’s own list, {edit.title[1]}: {old.entries} → {new.entries} names",
        *changes[:20],
    )  # fmt: skip
