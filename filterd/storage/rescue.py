"""A damaged database: put aside, and the newest whole backup put in its place."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filterd.errors import StorageError
from filterd.storage.database import Damaged, Database, open_database

KEEP_BACKUPS = 7


@dataclass(frozen=True, slots=True)
class Rescue:
    """What had to be done: where the damaged file went, and which backup took its place."""

    damaged: Path
    backup: Path | None


async def open_or_rescue(path: Path, backups: Path, at: datetime) -> tuple[Database, Rescue | None]:
    """Open the database; if it is damaged, the newest backup that opens, else an empty one."""
    try:
        return await open_database(path), None
    except Damaged:
        aside = await asyncio.to_thread(_put_aside, path, at)
    for backup in await asyncio.to_thread(_newest_first, backups):
        await asyncio.to_thread(shutil.copyfile, backup, path)
        try:
            return await open_database(path), Rescue(aside, backup)
        except StorageError:
            await asyncio.to_thread(path.unlink)
    return await open_database(path), Rescue(aside, None)


async def make_backup(database: Database, backups: Path, at: datetime) -> Path:
    """A verified copy named by its time; the oldest beyond KEEP_BACKUPS go."""
    await asyncio.to_thread(backups.mkdir, 0o700, parents=True, exist_ok=True)
    target = backups / f"filterd-{at:%Y%m%dT%H%M%S}.db"
    await database.backup(target)
    for old in (await asyncio.to_thread(_newest_first, backups))[KEEP_BACKUPS:]:
        await asyncio.to_thread(old.unlink)
    return target


def _newest_first(backups: Path) -> list[Path]:
    return sorted(backups.glob("filterd-*.db"), reverse=True)


def _put_aside(path: Path, at: datetime) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{at:%Y%m%dT%H%M%S}")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside
