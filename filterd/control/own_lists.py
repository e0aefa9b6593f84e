"""`lists.local_*`: the school's own names of each category, typed by hand, acting at once.

Taking names away, or a line that could open one, waits for a second person.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filterd.control.approvals import needs_second, second_person
from filterd.control.list_wishes import Edited, OwnNames, own_names
from filterd.control.owner import Owner
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Refusal, Route
from filterd.errors import ListError
from filterd.lists import overlay
from filterd.lists.refresher import Refresher
from filterd.policy.model import Title


@dataclass(frozen=True, slots=True)
class LocalText:
    """The school's own list of a category, whole; empty text removes it.

    `base`: digest of the text that was edited (`local_get`); another text by then is a conflict.
    """

    category: str
    text: str
    reason: str = ""
    base: str | None = None


TitleOf = Callable[[str], Title]


def routes(owner: Owner, refresher: Refresher, title_of: TitleOf) -> dict[str, Route]:
    """The methods of this noun; `title_of` a category."""
    noun = _OwnLists(owner, refresher, title_of)
    return {
        "lists.local_get": Route(Nothing, Permission.VIEW, noun.get),
        "lists.local_set": Route(LocalText, Permission.EDIT, noun.set),
    }


class _OwnLists:
    def __init__(self, owner: Owner, refresher: Refresher, title_of: TitleOf) -> None:
        self._owner = owner
        self._title_of = title_of
        self._refresher = refresher
        self._library = refresher.library

    async def get(self, _caller: Caller, _request: Nothing) -> dict[str, Any]:
        """The school's own lists as they were written."""
        return {"items": await asyncio.to_thread(self._read)}

    def _read(self) -> list[dict[str, Any]]:
        found = []
        for category, path in self._library.local_lists():
            text = path.read_text("utf-8")
            found.append({"category": category, "text": text, "base": digest(text),
                          **overlay.figures(path)})  # fmt: skip
        return found

    async def set(self, caller: Caller, request: LocalText) -> dict[str, Any]:
        """Replace the school's own list of a category; it acts at once, nothing is compiled."""
        if request.category not in self._library.around.categories:
            raise Refusal("invalid", "Không có loại này", f"No category {request.category!r}")
        texts = await asyncio.to_thread(self._compared, request)
        base = digest(texts[0].text)
        if request.base not in (None, base):
            raise Refusal("conflict", "Danh sách đã được sửa trong lúc đó, hãy mở lại",
                          "The list was changed meanwhile; open it again")  # fmt: skip
        if needs_second(caller):
            title = self._title_of(request.category)
            asked = Edited(request.category, (title.vi, title.en), request.reason, base)
            if (wish := own_names(asked, *texts)) is not None:
                await second_person(self._owner, caller, wish)
        found = await asyncio.to_thread(self._write, request)
        await self._refresher.reload()
        await self._owner.audit(caller, "lists.local_set", request.category, request.reason)
        return found

    def _compared(self, request: LocalText) -> tuple[OwnNames, OwnNames]:
        kept = dict(self._library.local_lists()).get(request.category)
        before = kept.read_text("utf-8") if kept is not None else ""
        return weighed(before), weighed(request.text)

    def _write(self, request: LocalText) -> dict[str, Any]:
        self._library.store.prepare()
        return overlay.write(self._library.store.local, request.category, request.text)


def digest(text: str) -> str:
    """Names a text, so that an edit of an older one is noticed."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def weighed(text: str) -> OwnNames:
    """A text with what the parser makes of it; one that it refuses counts as empty."""
    if not text.strip():
        return OwnNames(text, 0, 0)
    with tempfile.TemporaryDirectory(prefix="filterd-own-") as folder:
        path = Path(folder) / "names.txt"
        path.write_text(text, "utf-8")
        try:
            found = overlay.figures(path)
        except ListError:
            return OwnNames(text, 0, len(text.splitlines()))
    return OwnNames(text, found["entries"], sum(found["dropped"].values()))
