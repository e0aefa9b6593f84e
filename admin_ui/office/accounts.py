"""Accounts, sessions, second factor and audit of the office: the school console's own code, on the
office's database.

Owns a thread with the event loop in which that code runs. Pages call it through `Call`, exactly as
the console calls its supervisor; `GRANTS` and TOTP are the same. Here an account's `segments` are
the communes that it may see.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy.engine import make_url

from admin_ui.office.accounts_postgres import PostgresDatabase
from admin_ui.office.database import Office
from filterd.app.first_start import FIRST_ACCOUNT, first_account
from filterd.app.stores import stores_of
from filterd.config import Settings
from filterd.control import audit, people, sessions
from filterd.control.owner import Owner
from filterd.control.permissions import GUEST_ONLY, Permission
from filterd.control.protocol import GUEST, Caller, Refusal, Route, decode, plain
from filterd.control.signin import Passwords, SignIn
from filterd.errors import ControlError, FilterdError
from filterd.evidence.audit import Walk
from filterd.storage.database import Database, open_database, shipped_migrations
from filterd.storage.vault import Vault

__all__ = ["FIRST_ACCOUNT", "Accounts"]
TABLES = frozenset({2, 3})
"""Numbers of the migrations that make the audit log and the accounts."""
SECONDS = 60.0
T = TypeVar("T")


class Accounts:
    """`call` is the pages' door; `audit` writes down an act; `close` ends the thread."""

    def __init__(self, office: Office, passwords: Passwords | None = None) -> None:
        self._passwords = passwords
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="accounts", daemon=True)
        self._thread.start()
        self.first_password = self._do(self._open(office))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    async def _open(self, office: Office) -> str | None:
        self._database = await _database(office)
        vault = Vault.at(office.state_dir / "keys" / "secrets.key")
        settings = Settings(office.state_dir, office.state_dir, office.state_dir)
        self._owner = Owner(settings, stores_of(self._database), vault, office.clock,
                            cast("Any", None))  # fmt: skip
        self._sign_in = SignIn(self._owner, self._passwords or Passwords())
        self._routes: dict[str, Route] = {
            **people.routes(self._owner, self._sign_in, asks=False),
            **sessions.routes(self._owner, self._sign_in),
            **audit.routes(self._owner, Walk),
        }
        return await first_account(self._owner, self._sign_in.passwords, office.clock())

    def call(self, method: str, who: str | None, fields: dict[str, Any]) -> dict[str, Any]:
        """As over the control socket: raises ControlError with a `body` in both languages."""
        try:
            return cast("dict[str, Any]", self._do(self._call(method, who, fields)))
        except Refusal as refusal:
            raise _told(refusal) from None

    async def _call(self, method: str, who: str | None, fields: dict[str, Any]) -> Any:
        route = self._routes.get(method)
        if route is None:
            raise Refusal("not_found", "Không có phương thức này", "There is no such method")
        caller = await self._caller(who)
        if route.permission not in caller.permissions:
            raise Refusal("denied", "Bạn không có quyền làm việc này", "You may not do this")
        request = decode(route.request, plain(fields))
        try:
            return plain(await route.run(caller, request))
        except Refusal:
            raise
        except FilterdError as error:
            raise Refusal("unavailable", str(error), str(error)) from error

    async def _caller(self, who: str | None) -> Caller:
        if who is None or who == GUEST:
            return Caller("guest", GUEST_ONLY)
        return await self._sign_in.identify(who)

    def audit(self, token: str | None, action: str, target: str = "", reason: str = "") -> None:
        """Write down what the signed-in account (or, without a token, the service) did."""
        self._do(self._audit(token, action, target, reason))

    async def _audit(self, token: str | None, action: str, target: str, reason: str) -> None:
        if token is None:
            caller = Caller("office", frozenset({Permission.GUEST}))
        else:
            caller = await self._sign_in.identify(token)
        await self._owner.audit(caller, action, target, reason)

    def close(self) -> None:
        """Close the database and end the thread."""
        self._do(self._database.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


def _told(refusal: Refusal) -> ControlError:
    error = ControlError(refusal.code, str(refusal))
    error.body = refusal.body()  # type: ignore[attr-defined]
    return error


async def _database(office: Office) -> Database:
    if not office.postgres:
        wanted = [each for each in shipped_migrations() if each.number in TABLES]
        return await open_database(office.state_dir / "accounts.db", wanted)
    url = make_url(str(office.engine.url.render_as_string(hide_password=False)))
    database = PostgresDatabase(url.set(drivername="postgresql").render_as_string(False))
    import filterd.storage.migrations as files

    await database.open(Path(str(files.__file__)).parent)
    return cast("Database", database)
