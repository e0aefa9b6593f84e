"""A world for control routes: a real database, a clock that the test turns, no workers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from filterd import config
from filterd.control import approvals, audit, people, sessions, small, tickets, tokens, vouching
from filterd.control.owner import Apply, Owner, Stores
from filterd.control.permissions import EVERYTHING, Role
from filterd.control.protocol import Caller, Route, decode, plain
from filterd.control.signin import Passwords, SignIn
from filterd.evidence.audit import Walk, seal
from filterd.storage.accounts import Accounts
from filterd.storage.approvals import Approvals
from filterd.storage.audit import AuditLog
from filterd.storage.database import open_database
from filterd.storage.revisions import Revisions
from filterd.storage.sessions import Sessions, SignInFailures, Tokens
from filterd.storage.small import Drafts, Values
from filterd.storage.tickets import Tickets
from filterd.storage.vault import Vault

LOCAL = Caller("cli:root", EVERYTHING)


@dataclass
class World:
    """Calls routes as the server would: decoded, permission checked, answer as JSON."""

    owner: Owner
    sign_in: SignIn
    routes: dict[str, Route]
    now: datetime
    applied: list[Any] = field(default_factory=list)
    appliers: dict[str, Apply] = field(default_factory=dict)

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    async def call(self, method: str, caller: Caller | str | None = None, **fields: Any) -> Any:
        who = caller if isinstance(caller, Caller) else LOCAL
        if isinstance(caller, str):
            who = await self.sign_in.identify(caller)
        route = self.routes[method]
        assert route.permission in who.permissions, f"{who.name} may not {method}"
        return plain(await route.run(who, decode(route.request, plain(fields))))

    async def person(self, name: str, role: Role) -> Caller:
        """An account with a password of its own, signed in and with all its rights."""
        from filterd.control.permissions import GRANTS

        made = await self.call("people.add", name=name, title=name, role=role.value)
        return Caller(name, GRANTS[role], made["id"], role)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = await open_database(tmp_path / "filterd.db")
    stores = Stores(
        database, Revisions(database), Values(database), Drafts(database),
        AuditLog(database, seal), Accounts(database), Sessions(database), Tokens(database),
        SignInFailures(database), Approvals(database), Tickets(database),
    )  # fmt: skip
    made: list[World] = []
    owner = Owner(
        config.load(None), stores, Vault.at(tmp_path / "keys" / "secrets.key"),
        lambda: made[0].now, None,  # type: ignore[arg-type]
    )  # fmt: skip
    sign_in = SignIn(owner, Passwords(PasswordHasher(time_cost=1, memory_cost=64)))

    async def apply(request: Any, author: Caller, approver: str) -> dict[str, Any]:
        made[0].applied.append((request, author.name, approver))
        return {"revision": 7}

    appliers: dict[str, Apply] = {"policy.apply": apply}
    routes = {
        **sessions.routes(owner, sign_in), **people.routes(owner, sign_in), **tokens.routes(owner),
        **small.routes(owner), **audit.routes(owner, Walk),
        **tickets.routes(owner, lambda address: "primary"),
        **approvals.routes(owner, appliers),
    }  # fmt: skip
    appliers.update(approvals.again(routes, vouching.GATED))
    monday = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    made.append(World(owner, sign_in, routes, monday, appliers=appliers))
    yield made[0]
    await database.close()
