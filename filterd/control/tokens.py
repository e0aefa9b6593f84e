"""`tokens.*`: API tokens of a signed-in person, limited to some of the person's permissions."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from filterd.control.owner import Owner, new_id, not_found
from filterd.control.permissions import GRANTS, Permission
from filterd.control.protocol import Caller, Nothing, Refusal, Route
from filterd.control.signin import TOKEN_PREFIX, digest
from filterd.storage.sessions import Token


@dataclass(frozen=True, slots=True)
class ById:
    """A token by its id."""

    id: str


@dataclass(frozen=True, slots=True)
class AddToken:
    """An API token; `scopes` are permissions, never more than the account has."""

    title: str
    scopes: tuple[Permission, ...]
    expires: datetime | None = None


def routes(owner: Owner) -> dict[str, Route]:
    """The methods of this noun."""
    tokens = _Tokens(owner)
    return {
        "tokens.list": Route(Nothing, Permission.VIEW, tokens.list),
        "tokens.add": Route(AddToken, Permission.VIEW, tokens.add),
        "tokens.revoke": Route(ById, Permission.VIEW, tokens.revoke),
    }


class _Tokens:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._tokens = owner.stores.tokens

    async def list(self, caller: Caller, request: Nothing) -> dict[str, Any]:
        found = await self._tokens.list(_account(caller))
        return {
            "items": [
                {"id": t.id, "title": t.title, "scopes": t.scopes, "expires": t.expires,
                 "last_used": t.last_used}
                for t in found
            ]
        }  # fmt: skip

    async def add(self, caller: Caller, request: AddToken) -> dict[str, Any]:
        if caller.token is None or caller.role is None:
            raise Refusal("denied", "Hãy đăng nhập trên trình duyệt", "Sign in as a person first")
        beyond = set(request.scopes) - GRANTS[caller.role]
        if beyond or not request.scopes or not request.title.strip():
            raise Refusal(
                "invalid",
                "Cần tên và các quyền mà bạn có",
                "A token needs a title and permissions that you have",
            )
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = Token(
            new_id(), digest(secret), _account(caller), request.title.strip()[:120],
            tuple(scope.value for scope in request.scopes), request.expires,
            self._owner.clock(), None,
        )  # fmt: skip
        await self._tokens.add(token)
        await self._owner.audit(caller, "tokens.add", token.title, ", ".join(token.scopes))
        return {"id": token.id, "token": secret}

    async def revoke(self, caller: Caller, request: ById) -> dict[str, Any]:
        if not await self._tokens.revoke(_account(caller), request.id):
            raise not_found("token")
        await self._owner.audit(caller, "tokens.revoke", request.id)
        return {}


def _account(caller: Caller) -> str:
    if caller.account is None:
        raise Refusal("denied", "Hãy đăng nhập", "Only people have API tokens")
    return caller.account
