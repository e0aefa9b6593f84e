"""`lists.*`: what the lists are, updates, what waits for a decision, the school's own lists.

What weakens protection by a list waits for a second person (`list_wishes`), like a policy's edit.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import unicodedata
from dataclasses import dataclass, replace
from typing import Any, Protocol

from filterd.control.approvals import Wish, needs_second, second_person
from filterd.control.list_wishes import added, let_in, removed, rolled_back, switched_off
from filterd.control.owner import Owner
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Refusal, Route, plain
from filterd.errors import ListError
from filterd.lists import catalogue
from filterd.lists.formats import FORMATS
from filterd.lists.precedence import OTHERS
from filterd.lists.progress import summary
from filterd.lists.refresher import Refresher
from filterd.lists.state import State
from filterd.lists.status import overlap, status
from filterd.policy.reader import ValueProblem
from filterd.policy.verdict import ListIndex, Question
from filterd.tasks import spawn
from filterd.wire.names import from_text

_TYPE_A = 1
GATED = ("lists.approve", "lists.rollback", "lists.add_source", "lists.remove_source",
         "lists.set_enabled", "lists.local_set")  # fmt: skip
"""What may wait for a second person."""


@dataclass(frozen=True, slots=True)
class Ids:
    """Lists by id; none: all that are enabled."""

    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decide:
    """A decision about one list; `version`: the quarantined one that is meant, None: any."""

    id: str
    reason: str = ""
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Rollback:
    """Back to the version named, or to the one before."""

    id: str
    version: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Add:
    """A list of the school's own choice, by address."""

    title: str
    url: str
    category: str
    format: str = "auto"
    match: str = "subtree"
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """Use a list, or do not."""

    id: str
    enabled: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A name to look for in all lists."""

    name: str


class Current(Protocol):
    """The lists that answer now."""

    def __call__(self) -> ListIndex:
        """The index in use."""


def routes(owner: Owner, refresher: Refresher, current: Current) -> dict[str, Route]:
    """The methods of this noun; `current` gives the index in use."""
    noun = _Lists(owner, refresher, current)
    view, edit = Permission.VIEW, Permission.EDIT
    return {
        "lists.status": Route(Nothing, view, noun.status),
        "lists.progress": Route(Nothing, view, noun.progress),
        "lists.overlap": Route(Nothing, view, noun.overlap),
        "lists.search": Route(Search, view, noun.search),
        "lists.update": Route(Ids, edit, noun.update),
        "lists.reload": Route(Nothing, edit, noun.reload),
        "lists.approve": Route(Decide, edit, noun.approve),
        "lists.refuse": Route(Decide, edit, noun.refuse),
        "lists.rollback": Route(Rollback, edit, noun.rollback),
        "lists.add_source": Route(Add, edit, noun.add_source),
        "lists.remove_source": Route(Decide, edit, noun.remove_source),
        "lists.set_enabled": Route(Switch, edit, noun.set_enabled),
    }


class _Lists:
    """Carries out the methods; every change leaves a line in the audit trail."""

    def __init__(self, owner: Owner, refresher: Refresher, current: Current) -> None:
        self._owner = owner
        self._refresher = refresher
        self._library = refresher.library
        self._current = current

    async def status(self, _caller: Caller, _request: Nothing) -> dict[str, Any]:
        """Every list with its figures."""
        return await asyncio.to_thread(status, self._library)

    async def progress(self, _caller: Caller, _request: Nothing) -> dict[str, Any]:
        """What an update is doing, and how each list's last one ended."""
        return summary(self._refresher.progress)

    async def overlap(self, _caller: Caller, _request: Nothing) -> dict[str, Any]:
        """How many names the lists share."""
        return await asyncio.to_thread(overlap, self._library)

    async def search(self, _caller: Caller, request: Search) -> dict[str, Any]:
        """Every rule of every list about a name."""
        try:
            name = from_text(request.name)
        except ValueError as error:
            raise Refusal("invalid", "Không phải tên miền", str(error)) from None
        found = self._current().listings(Question(name, _TYPE_A))
        items = [
            {"list": one.list, "category": one.category, "rule": one.rule, "line": one.line}
            for one in found
            if one.category != OTHERS
        ]
        return {"items": items}

    async def update(self, caller: Caller, request: Ids) -> dict[str, Any]:
        """Start an update and answer at once; `lists.progress` tells how it goes."""
        for list_id in request.ids:
            await asyncio.to_thread(self._source, list_id)
        if self._refresher.progress.running:
            raise Refusal("conflict", "Đang cập nhật danh sách", "An update is running already")
        self._refresher.progress.results.clear()
        self._refresher.progress.running = True
        spawn(self._refresher.update(request.ids), "lists.update")
        await self._owner.audit(caller, "lists.update", ",".join(request.ids))
        return {"started": True}

    async def reload(self, caller: Caller, _request: Nothing) -> dict[str, Any]:
        """Use the index that was compiled by the command line."""
        await self._refresher.reload()
        await self._owner.audit(caller, "lists.reload")
        return {"version": self._current().version}

    async def approve(self, caller: Caller, request: Decide) -> dict[str, Any]:
        """Let a quarantined version go live."""
        if needs_second(caller):
            await self._ask_for(caller, let_in(await self._item(request.id), request.reason))
        if request.version is not None:
            await asyncio.to_thread(self._still_held, request)
        await _done(self._refresher.approve(request.id))
        await self._owner.audit(caller, "lists.approve", request.id, request.reason)
        return {}

    async def refuse(self, caller: Caller, request: Decide) -> dict[str, Any]:
        """Throw a quarantined version away."""
        await _done(self._refresher.refuse(request.id))
        await self._owner.audit(caller, "lists.refuse", request.id, request.reason)
        return {}

    async def rollback(self, caller: Caller, request: Rollback) -> dict[str, Any]:
        """Put an older version in use."""
        if needs_second(caller):
            item = await self._item(request.id)
            await self._ask_for(caller, rolled_back(item, request.version, request.reason))
        await _done(self._refresher.rollback(request.id, request.version))
        await self._owner.audit(caller, "lists.rollback", request.id, request.reason)
        return {}

    async def add_source(self, caller: Caller, request: Add) -> dict[str, Any]:
        """Remember a new list and fetch it; it is used when it passed the gate."""
        self._refuse_bad(request)
        if needs_second(caller):
            await self._ask_for(caller, added(plain(request)))
        known = {source.id for source in await asyncio.to_thread(self._library.sources)}
        list_id = _new_id(request.title, known)
        entry = {
            "id": list_id, "title": request.title.strip(), "url": request.url.strip(),
            "category": request.category, "format": request.format, "match": request.match,
            "licence": request.licence,
        }  # fmt: skip
        await asyncio.to_thread(self._remember, lambda s: replace(s, added=(*s.added, entry)))
        await self._owner.audit(caller, "lists.add_source", list_id, request.url)
        spawn(self._refresher.update((list_id,)), "lists.update")
        return {"id": list_id}

    def _refuse_bad(self, request: Add) -> None:
        try:
            catalogue.url(request.url)
        except ValueProblem as problem:
            raise Refusal("invalid", problem.vi, problem.en) from None
        if not request.title.strip() or len(request.title) > 200:
            raise Refusal("invalid", "Cần tên danh sách", "A list needs a title")
        if request.category not in self._library.around.categories:
            raise Refusal("invalid", "Không có loại này", f"No category {request.category!r}")
        if request.format not in ("auto", *FORMATS) or request.match not in ("exact", "subtree"):
            raise Refusal("invalid", "Không có định dạng này", "No such format or match")

    async def remove_source(self, caller: Caller, request: Decide) -> dict[str, Any]:
        """Forget a list that the school added or imported."""
        if needs_second(caller):
            await self._ask_for(caller, removed(await self._item(request.id), request.reason))

        def edit(state: State) -> State:
            added = tuple(each for each in state.added if each["id"] != request.id)
            imported = tuple(each for each in state.imported if each["id"] != request.id)
            if (added, imported) == (state.added, state.imported):
                raise ListError(f"{request.id!r} is not a list of the school's own")
            sources = {key: value for key, value in state.sources.items() if key != request.id}
            return replace(state, added=added, imported=imported, sources=sources)

        await _done(self._refresher.change(edit))
        await self._owner.audit(caller, "lists.remove_source", request.id, request.reason)
        return {}

    async def set_enabled(self, caller: Caller, request: Switch) -> dict[str, Any]:
        """Use a list or leave it out; one that was never fetched is fetched first."""
        source = await asyncio.to_thread(self._source, request.id)
        if needs_second(caller) and not request.enabled:
            await self._ask_for(caller, switched_off(await self._item(request.id), request.reason))
        switched = {request.id: request.enabled}
        await _done(
            self._refresher.change(lambda s: replace(s, switched={**s.switched, **switched}))
        )
        word = "on" if request.enabled else "off"
        await self._owner.audit(caller, f"lists.{word}", request.id, request.reason)
        if request.enabled and source.url is not None:
            spawn(self._refresher.update((request.id,)), "lists.update")
        return {}

    async def _ask_for(self, caller: Caller, wish: Wish | None) -> None:
        if wish is not None:
            await second_person(self._owner, caller, wish)

    async def _item(self, list_id: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = (await asyncio.to_thread(status, self._library))["items"]
        for item in found:
            if item["id"] == list_id:
                return item
        raise Refusal("not_found", "Không có danh sách này", f"no list {list_id!r}")

    def _still_held(self, request: Decide) -> None:
        held = self._library.store.state().of(request.id).quarantine
        if held is None or held.version.version != request.version:
            raise Refusal("conflict", "Bản đang chờ đã khác, hãy xem lại",
                          "Another version waits now; look again")  # fmt: skip

    def _source(self, list_id: str) -> catalogue.Source:
        try:
            return self._library.source(list_id)
        except ListError as error:
            raise Refusal("not_found", "Không có danh sách này", str(error)) from None

    def _remember(self, edit: Any) -> None:
        store = self._library.store
        with store.locked():
            store.save(edit(store.state()))


async def _done(work: Any) -> None:
    """Await a change; what it refuses is told to the caller."""
    try:
        await work
    except ListError as error:
        why = str(error)  # as `reason` it is for the page, which has its reader's words for it
        raise Refusal("invalid", f"Không thực hiện được: {why}", why, reason=why) from None


def _new_id(title: str, known: set[Any]) -> str:
    plain = unicodedata.normalize("NFKD", title.lower().replace("đ", "d"))
    stem = re.sub(r"[^a-z0-9]+", "_", plain.encode("ascii", "ignore").decode()).strip("_")[:40]
    found = f"own_{stem or 'list'}"
    return found if found not in known else f"{found}_{secrets.token_hex(3)}"
