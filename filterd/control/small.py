"""`drafts.*`, `contacts.*`, `setup.*`: an unfinished edit, help numbers, the first visit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from filterd.control.owner import Owner
from filterd.control.permissions import Permission
from filterd.control.protocol import Caller, Nothing, Refusal, Route
from filterd.storage.small import Draft

CONTACTS: tuple[dict[str, Any], ...] = (
    {
        "id": "111",
        "title": {"vi": "Tổng đài quốc gia bảo vệ trẻ em", "en": "National child helpline"},
        "value": "111",
        "kind": "phone",
        "note": {"vi": "Miễn phí, 24/7", "en": "Free, day and night"},
    },
)
"""What the block page shows until the school edits it."""
_MAX_CONTACTS = 20


@dataclass(frozen=True, slots=True)
class SetDraft:
    """The whole document as edited, and the revision that it was made from."""

    files: dict[str, str]
    base: int


@dataclass(frozen=True, slots=True)
class SetContacts:
    """The list that the portal shows."""

    items: tuple[dict[str, object], ...]


def routes(owner: Owner) -> dict[str, Route]:
    """The methods of these nouns."""
    noun = _Small(owner)
    return {
        "drafts.get": Route(Nothing, Permission.EDIT, noun.draft),
        "drafts.set": Route(SetDraft, Permission.EDIT, noun.set_draft),
        "drafts.drop": Route(Nothing, Permission.EDIT, noun.drop_draft),
        "contacts.get": Route(Nothing, Permission.PORTAL, noun.contacts),
        "contacts.set": Route(SetContacts, Permission.EDIT, noun.set_contacts),
        "setup.state": Route(Nothing, Permission.VIEW, noun.setup),
        "setup.done": Route(Nothing, Permission.EDIT, noun.setup_done),
    }


class _Small:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._values = owner.stores.values

    async def draft(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        found = await self._owner.stores.drafts.get(caller.name)
        if found is None:
            return {"files": None, "base": None, "at": None}
        return {"files": found.files, "base": found.base, "at": found.at}

    async def set_draft(self, caller: Caller, request: SetDraft) -> dict[str, Any]:
        draft = Draft(request.files, request.base, self._owner.clock())
        await self._owner.stores.drafts.set(caller.name, draft)
        return {}

    async def drop_draft(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        await self._owner.stores.drafts.drop(caller.name)
        return {}

    async def contacts(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        return {"items": await self._values.get("contacts") or CONTACTS}

    async def set_contacts(self, caller: Caller, request: SetContacts) -> dict[str, Any]:
        items = [_contact(item) for item in request.items[:_MAX_CONTACTS]]
        await self._values.set("contacts", items)
        await self._owner.audit(caller, "contacts.set", ", ".join(i["value"] for i in items))
        return {}

    async def setup(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        accounts = await self._owner.stores.accounts.list()
        newest = await self._owner.stores.revisions.newest_number()
        steps = {
            "password": any(not account.must_change for account in accounts),
            "totp": any(account.totp for account in accounts),
            "approver": any(account.role == "approver" for account in accounts),
            "policy": newest > 1,
        }
        return {"done": bool(await self._values.get("setup_done")), "steps": steps}

    async def setup_done(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        await self._values.set("setup_done", True)
        await self._owner.audit(caller, "setup.done")
        return {}


def _contact(item: dict[str, Any]) -> dict[str, Any]:
    """One contact of known shape; a link is http(s), a phone number has digits only."""
    wrong = Refusal("invalid", "Liên hệ không đúng dạng", "A contact is not well formed")
    title, note = item.get("title"), item.get("note") or {"vi": "", "en": ""}
    value, kind = str(item.get("value", "")).strip()[:200], item.get("kind")
    if not isinstance(title, dict) or not isinstance(note, dict):
        raise wrong
    phone = kind == "phone" and value.replace(" ", "").lstrip("+").isdigit()
    link = kind == "link" and value.startswith(("https://", "http://")) and value.isprintable()
    if not (phone or link):
        raise wrong
    texts = [{k: str(text.get(k, ""))[:200] for k in ("vi", "en")} for text in (title, note)]
    return {"id": str(item.get("id") or value)[:64], "title": texts[0], "value": value,
            "kind": kind, "note": texts[1]}  # fmt: skip
