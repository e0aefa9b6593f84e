"""`backup.*`: one sealed archive with policy, people, lists and contacts; restoring shows first.

A restore needs a second person whatever is in it: it may replace everything at once. People come
back with a locked account and without their second factor, so an archive cannot make an approver.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from filterd.control import archive
from filterd.control.approvals import Wish, second_person
from filterd.control.edits import Proposal, put
from filterd.control.owner import Apply, Owner, count_export, new_id, required_reason
from filterd.control.permissions import Permission, Role
from filterd.control.protocol import Caller, Refusal, Route, Routes, decode, plain
from filterd.errors import PolicyError
from filterd.live import LivePolicy
from filterd.storage.accounts import Account
from filterd.storage.revisions import ChangeText

PARTS = ("policy", "accounts", "lists", "contacts")


@dataclass(frozen=True, slots=True)
class Export:
    """What to put into the archive, and the passphrase that opens it."""

    passphrase: str
    parts: tuple[str, ...] = PARTS


@dataclass(frozen=True, slots=True)
class Inspect:
    """An archive in base64."""

    archive: str
    passphrase: str


@dataclass(frozen=True, slots=True)
class Import:
    """Parts of an archive to restore."""

    archive: str
    passphrase: str
    parts: tuple[str, ...]
    reason: str


def routes(owner: Owner, live: LivePolicy, others: Routes) -> dict[str, Route]:
    """The methods of this noun; `others` are the methods that lists and contacts go through."""
    noun = _Backup(owner, live, others)
    return {
        "backup.export": Route(Export, Permission.BACKUP, noun.export),
        "backup.inspect": Route(Inspect, Permission.BACKUP, noun.inspect),
        "backup.import": Route(Import, Permission.BACKUP, noun.restore),
    }


def appliers(owner: Owner, live: LivePolicy, others: Routes) -> dict[str, Apply]:
    """How an approved restore is carried out."""
    noun = _Backup(owner, live, others)

    async def apply(request: Mapping[str, Any], author: Caller, approver: str) -> dict[str, Any]:
        return {"restored": await noun.put_back(request["content"], author, approver)}

    return {"backup.import": apply}


class _Backup:
    def __init__(self, owner: Owner, live: LivePolicy, others: Routes) -> None:
        self._owner = owner
        self._live = live
        self._others = others

    async def export(self, caller: Caller, request: Export) -> dict[str, Any]:
        if len(request.passphrase) < archive.MIN_PASSPHRASE:
            raise Refusal("invalid", "Mật khẩu của tệp cần ít nhất 12 ký tự",
                          "The passphrase needs at least 12 characters")  # fmt: skip
        now = self._owner.clock()
        content: dict[str, Any] = {"made": now.isoformat(), "revision": self._live.running.revision,
                                   "school": self._live.running.policy.identity.name}  # fmt: skip
        for part in PARTS:
            if part in request.parts:
                content[part] = await self._read(part, caller)
        sealed = await asyncio.to_thread(
            archive.seal, content, request.passphrase, secrets.token_bytes(28)
        )
        await count_export(self._owner)
        await self._owner.audit(caller, "backup.export", ", ".join(request.parts))
        name = f"filterd-{now:%Y%m%d-%H%M}.backup"
        return {"archive": base64.b64encode(sealed).decode(), "file": name}

    async def _read(self, part: str, caller: Caller) -> Any:
        if part == "policy":
            return dict(self._live.running.files)
        if part == "accounts":
            kept = ("name", "title", "role", "segments", "language", "password")
            found = await self._owner.stores.accounts.list()
            return [{key: plain(getattr(account, key)) for key in kept} for account in found]
        if part == "contacts":
            return (await self._ask("contacts.get", caller))["items"]
        status = await self._ask("lists.status", caller)
        keys = ("id", "title", "url", "category", "enabled", "own", "licence")
        return {
            "sources": [{key: item.get(key) for key in keys} for item in status["items"]],
            "local": (await self._ask("lists.local_get", caller))["items"],
        }

    async def _ask(self, method: str, caller: Caller, **fields: Any) -> Any:
        """Another method's answer, as if the caller had asked it."""
        route = self._others.get(method)
        if route is None:
            return {"items": []}
        return plain(await route.run(caller, decode(route.request, fields)))

    async def inspect(self, caller: Caller, request: Inspect) -> dict[str, Any]:
        content = await self._open(request.archive, request.passphrase)
        parts = [part for part in PARTS if part in content]
        return {"made": content.get("made"), "school": content.get("school"), "parts": parts,
                "changes": await self._changes(content, parts, caller)}  # fmt: skip

    async def restore(self, caller: Caller, request: Import) -> dict[str, Any]:
        content = await self._open(request.archive, request.passphrase)
        parts = [part for part in PARTS if part in content and part in request.parts]
        if not parts:
            raise Refusal("invalid", "Hãy chọn ít nhất một phần", "Choose at least one part")
        reason = required_reason(request.reason)
        chosen = {**{part: content[part] for part in parts}, "reason": reason}
        changes = tuple(
            ChangeText(change["vi"], change["en"], change["weakens"])
            for change in await self._changes(content, parts, caller)
        )
        await second_person(
            self._owner, caller,
            Wish("backup.import", {"content": chosen}, "Khôi phục từ tệp sao lưu",
                 "Restore from a backup", reason, changes),
        )  # fmt: skip
        return {"restored": await self.put_back(chosen, caller, None)}

    async def _open(self, text: str, passphrase: str) -> dict[str, Any]:
        try:
            sealed = base64.b64decode(text, validate=True)
            return await asyncio.to_thread(archive.unseal, sealed, passphrase)
        except (binascii.Error, archive.ArchiveError) as error:
            raise Refusal("invalid", "Không mở được tệp: sai mật khẩu hoặc tệp đã bị sửa",
                          f"The archive cannot be opened: {error}") from None  # fmt: skip

    async def _changes(
        self, content: Mapping[str, Any], parts: list[str], caller: Caller
    ) -> list[dict[str, Any]]:
        """What restoring these parts would change, in words."""
        found: list[dict[str, Any]] = []
        if "policy" in parts:
            try:
                look = await self._live.look(content["policy"])
            except PolicyError as error:
                text = f"The policy in the archive cannot be used: {error}"
                raise Refusal("invalid", "Chính sách trong tệp không dùng được", text) from None
            found.extend(plain(change) for change in look.changes)
        for part in ("accounts", "lists", "contacts"):
            if part in parts and await self._read(part, caller) != content[part]:
                vi, en = _WORDS[part]
                found.append({"vi": vi, "en": en, "weakens": part == "lists"})
        return found

    async def put_back(
        self, content: Mapping[str, Any], author: Caller, approver: str | None
    ) -> list[str]:
        """Restore every part that is there; the policy last, since it says what all is for."""
        if "accounts" in content:
            await self._people(content["accounts"])
        if "contacts" in content:
            await self._ask("contacts.set", author, items=content["contacts"])
        if "lists" in content:
            await self._lists(content["lists"], author, content["reason"])
        if "policy" in content:
            proposal = Proposal(content["policy"], None, content["reason"], approver)
            await put(self._owner, self._live, author, proposal)
        restored = [part for part in PARTS if part in content]
        await self._owner.audit(author, "backup.import", ", ".join(restored), content["reason"])
        return restored

    async def _people(self, people: list[Mapping[str, Any]]) -> None:
        store, now = self._owner.stores.accounts, self._owner.clock()
        for person in people:
            if await store.named(str(person["name"])) is None:
                await store.add(_locked(person, now))

    async def _lists(self, lists: Mapping[str, Any], author: Caller, reason: str) -> None:
        status = await self._ask("lists.status", author)
        known = {item["id"]: item for item in status["items"]}
        for item in lists["sources"]:
            here = known.get(item["id"])
            if here is None and item.get("own") and item.get("url"):
                title = item["title"]["vi"] if isinstance(item["title"], dict) else item["title"]
                await self._ask("lists.add_source", author, title=title, url=item["url"],
                                category=item["category"], format="auto",
                                match="subtree")  # fmt: skip
            elif here is not None and here["enabled"] != item["enabled"]:
                await self._ask("lists.set_enabled", author, id=item["id"],
                                enabled=item["enabled"], reason=reason)  # fmt: skip
        for item in lists["local"]:
            await self._ask("lists.local_set", author, category=item["category"],
                            text=item["text"], reason=reason)  # fmt: skip


_WORDS = {
    "accounts": ("Thêm lại người dùng còn thiếu, ở trạng thái khoá",
                 "People who are missing come back, with a locked account"),
    "lists": ("Danh sách và tên của trường như trong tệp",
              "Lists and the school's own names as in the archive"),
    "contacts": ("Đường dây trợ giúp như trong tệp", "Helplines as in the archive"),
}  # fmt: skip


def _locked(person: Mapping[str, Any], at: datetime) -> Account:
    """An account from an archive: locked, to be let in by hand, with a new second factor."""
    return Account(
        new_id(), str(person["name"])[:64], str(person["title"])[:120], Role(person["role"]).value,
        tuple(str(key) for key in person["segments"]), str(person["language"])[:2],
        str(person["password"])[:200], True, False, True, at, None,
    )  # fmt: skip
