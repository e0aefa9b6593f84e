"""The database and every store on it."""

from __future__ import annotations

from datetime import UTC, datetime

from filterd.config import Settings
from filterd.control.owner import Stores
from filterd.evidence.audit import seal
from filterd.storage.accounts import Accounts
from filterd.storage.approvals import Approvals
from filterd.storage.audit import AuditLog
from filterd.storage.database import Database
from filterd.storage.rescue import Rescue, open_or_rescue
from filterd.storage.revisions import Revisions
from filterd.storage.sessions import Sessions, SignInFailures, Tokens
from filterd.storage.small import Drafts, Values
from filterd.storage.tickets import Tickets


async def open_stores(settings: Settings) -> tuple[Database, Rescue | None]:
    """The database of the state directory; a damaged one is replaced by its newest backup.

    StorageError when it cannot be written to: who holds it lets others open and read it, and the
    start would end at its first save instead of waiting here.
    """
    path = settings.state_dir / "filterd.db"
    database, rescue = await open_or_rescue(path, settings.state_dir / "backups", datetime.now(UTC))
    try:
        async with database.write():
            pass
    except BaseException:
        await database.close()
        raise
    return database, rescue


def stores_of(database: Database) -> Stores:
    """Every store on one database."""
    return Stores(
        database, Revisions(database), Values(database), Drafts(database),
        AuditLog(database, seal), Accounts(database), Sessions(database), Tokens(database),
        SignInFailures(database), Approvals(database), Tickets(database),
    )  # fmt: skip
