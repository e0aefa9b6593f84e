"""`sessions.*`: signing in and out, the second step, who is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from filterd.control.owner import Owner, not_found
from filterd.control.permissions import GRANTS, Permission, Role
from filterd.control.protocol import Caller, Nothing, Refusal, Route
from filterd.control.signin import ABSOLUTE, SIGNED_OUT, WRONG_CODE, SignIn
from filterd.storage.accounts import Account
from filterd.storage.sessions import Session


@dataclass(frozen=True, slots=True)
class Start:
    """`sessions.start`: `address` and `agent` are the browser's."""

    account: str
    password: str
    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """A TOTP code of six digits or a recovery code."""

    code: str


@dataclass(frozen=True, slots=True)
class OfAccount:
    """Sessions of one account; None: all of them."""

    account: str | None = None


@dataclass(frozen=True, slots=True)
class ById:
    """One session by its id."""

    id: str


def routes(owner: Owner, sign_in: SignIn) -> dict[str, Route]:
    """The methods of this noun."""
    nouns = _Sessions(owner, sign_in)
    return {
        "sessions.start": Route(Start, Permission.GUEST, nouns.start),
        "sessions.totp": Route(Code, Permission.SELF, nouns.totp),
        "sessions.whoami": Route(Nothing, Permission.SELF, nouns.whoami),
        "sessions.end": Route(Nothing, Permission.SELF, nouns.end),
        "sessions.list": Route(OfAccount, Permission.SELF, nouns.list),
        "sessions.revoke": Route(ById, Permission.SELF, nouns.revoke),
    }


class _Sessions:
    def __init__(self, owner: Owner, sign_in: SignIn) -> None:
        self._owner = owner
        self._sign_in = sign_in

    async def start(self, caller: Caller, request: Start) -> dict[str, Any]:
        try:
            account = await self._sign_in.password(
                request.account, request.password, request.address
            )
        except Refusal as refusal:
            if refusal.code == "denied":
                await self._owner.audit(caller, "sessions.refused", request.account[:80])
            raise
        token = await self._sign_in.begin(account, request.address, request.agent)
        await self._owner.audit(_named(account), "sessions.start")
        session, _ = await self._sign_in.session(token)
        return {"token": token, "needs": self._sign_in.needs(account, session)}

    async def totp(self, caller: Caller, request: Code) -> dict[str, Any]:
        session, account = await self._own(caller)
        keys = (f"account:{account.name.lower()}|{session.address}", f"address:{session.address}")
        await self._sign_in.not_too_soon(keys)
        if not await self._sign_in.code(account, request.code):
            await self._owner.stores.failures.add(keys, self._owner.clock())
            await self._owner.audit(caller, "sessions.refused", account.name)
            raise WRONG_CODE
        await self._owner.stores.failures.clear(keys[0])
        token = await self._sign_in.rotate(session, proven=True)
        session, account = await self._sign_in.session(token)
        return {"token": token, "needs": self._sign_in.needs(account, session)}

    async def whoami(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        if caller.local:
            return {"account": None, "needs": None, "permissions": sorted(caller.permissions),
                    "until": None}  # fmt: skip
        if caller.token is None:  # an API token
            account = await self._owner.stores.accounts.get(caller.account or "")
            if account is None:
                raise SIGNED_OUT
            return {"account": _shown(account), "needs": None,
                    "permissions": sorted(caller.permissions), "until": None}  # fmt: skip
        session, account = await self._own(caller)
        needs = self._sign_in.needs(account, session)
        granted = caller.permissions if needs else GRANTS[Role(account.role)]
        return {
            "account": _shown(account),
            "needs": needs,
            "permissions": sorted(granted),
            "until": session.since + ABSOLUTE,
        }

    async def end(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        session, _ = await self._own(caller)
        await self._owner.stores.sessions.end(session.id)
        await self._owner.audit(caller, "sessions.end")
        return {}

    async def list(self, caller: Caller, request: OfAccount) -> dict[str, Any]:
        wanted = request.account
        if Permission.PEOPLE not in caller.permissions:
            wanted = caller.account or ""
        current = None
        if caller.token is not None:
            current = (await self._own(caller))[0].id
        names = {a.id: a.name for a in await self._owner.stores.accounts.list()}
        return {
            "items": [
                {"id": s.id, "account": names.get(s.account, ""), "since": s.since,
                 "last": s.last, "address": s.address, "agent": s.agent,
                 "current": s.id == current}
                for s in await self._owner.stores.sessions.list(wanted)
            ]
        }  # fmt: skip

    async def revoke(self, caller: Caller, request: ById) -> dict[str, Any]:
        own = None if Permission.PEOPLE in caller.permissions else caller.account or ""
        sessions = await self._owner.stores.sessions.list(own)
        found = next((session for session in sessions if session.id == request.id), None)
        if found is None:
            raise not_found("session")
        await self._owner.stores.sessions.end(found.id)
        await self._owner.audit(caller, "sessions.revoke", found.account)
        return {}

    async def _own(self, caller: Caller) -> tuple[Session, Account]:
        if caller.token is None:
            raise SIGNED_OUT
        return await self._sign_in.session(caller.token)


def _named(account: Account) -> Caller:
    return Caller(account.name, frozenset(), account.id)


def _shown(account: Account) -> dict[str, Any]:
    return {"id": account.id, "name": account.name, "title": account.title,
            "role": account.role, "language": account.language, "segments": account.segments,
            "totp": account.totp}  # fmt: skip
