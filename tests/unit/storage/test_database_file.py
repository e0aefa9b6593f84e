"""The database file: migrations, refusals in words, rescue from a backup, power-safe settings."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from filterd.errors import StorageError
from filterd.storage.database import Migration, Newer, open_database, shipped_migrations
from filterd.storage.rescue import KEEP_BACKUPS, make_backup, open_or_rescue
from filterd.storage.revisions import ChangeText, Edit, Revisions, document_hash
from filterd.storage.small import Values

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)


async def saved(path: Path, value: str) -> None:
    database = await open_database(path)
    await Values(database).set("k", value)
    await database.close()


async def read(path: Path) -> str:
    database = await open_database(path)
    try:
        return str(await Values(database).get("k"))
    finally:
        await database.close()


async def test_settings_that_survive_a_power_cut(tmp_path: Path) -> None:
    database = await open_database(tmp_path / "d")
    assert await database.row("PRAGMA synchronous") == {"synchronous": 2}
    assert await database.row("PRAGMA journal_mode") == {"journal_mode": "wal"}
    await database.close()
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o600


async def test_a_later_migration_with_a_lower_number_is_still_applied(tmp_path: Path) -> None:
    late = Migration(20, "evidence", "CREATE TABLE later (x) ;")
    early = Migration(10, "console", "CREATE TABLE early (x) ;")
    for steps in ([late], [early, late]):
        database = await open_database(tmp_path / "d", steps)
        tables = {row["name"] for row in await database.rows("SELECT name FROM sqlite_master")}
        await database.close()
    assert {"early", "later"} <= tables


async def test_a_failed_migration_changes_nothing(tmp_path: Path) -> None:
    bad = Migration(1, "bad", "CREATE TABLE half (x); CREATE TABLE half (x);")
    with pytest.raises(StorageError):
        await open_database(tmp_path / "d", [bad])
    database = await open_database(tmp_path / "d", [Migration(1, "good", "SELECT 1;")])
    assert not await database.rows("SELECT 1 FROM sqlite_master WHERE name = 'half'")
    await database.close()


async def test_a_newer_file_is_refused_in_words(tmp_path: Path) -> None:
    newest = [*shipped_migrations(), Migration(99, "future", "CREATE TABLE future (x);")]
    await (await open_database(tmp_path / "d", newest)).close()
    with pytest.raises(Newer, match=r"newer filterd \(schema 99"):
        await open_database(tmp_path / "d")


async def test_a_backup_waits_for_an_edit_that_is_being_stored(tmp_path: Path) -> None:
    database = await open_database(tmp_path / "d")
    async with asyncio.timeout(30):
        async with database.write() as transaction:
            copying = asyncio.ensure_future(database.backup(tmp_path / "copy"))
            await asyncio.sleep(0.05)
            await transaction.run("CREATE TABLE edit (x)")
        await copying
        await database.close()
    assert sqlite3.connect(tmp_path / "copy").execute("SELECT count(*) FROM edit").fetchone() == (
        0,
    )


async def test_an_edit_given_up_while_it_begins_leaves_no_transaction(tmp_path: Path) -> None:
    database = await open_database(tmp_path / "d")

    async def edit() -> None:
        async with database.write():
            pytest.fail("it was given up before")

    given_up = asyncio.ensure_future(edit())
    await asyncio.sleep(0)  # BEGIN is on its way to the thread
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    await Values(database).set("k", "later")
    await database.close()
    assert await read(tmp_path / "d") == "later"


async def test_migration_numbers_are_unique() -> None:
    numbers = [migration.number for migration in shipped_migrations()]
    assert len(numbers) == len(set(numbers))


async def test_a_damaged_file_is_put_aside_and_the_newest_backup_used(tmp_path: Path) -> None:
    path, backups = tmp_path / "filterd.db", tmp_path / "backups"
    await saved(path, "before")
    database = await open_database(path)
    await make_backup(database, backups, AT)
    await database.close()
    await saved(path, "after")
    path.write_bytes(b"\0" * 8192)
    database, rescue = await open_or_rescue(path, backups, AT)
    await database.close()
    assert rescue is not None and rescue.backup is not None
    assert rescue.damaged.read_bytes() == b"\0" * 8192
    assert await read(path) == "before"


async def test_flipped_octets_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "filterd.db"
    await saved(path, "x" * 20000)
    raw = bytearray(path.read_bytes())
    for i in range(4096, len(raw), 97):
        raw[i] ^= 0xFF
    path.write_bytes(raw)
    database, rescue = await open_or_rescue(path, tmp_path / "none", AT)
    await database.close()
    assert rescue is not None and rescue.backup is None


async def test_old_backups_go(tmp_path: Path) -> None:
    database = await open_database(tmp_path / "d")
    for day in range(1, KEEP_BACKUPS + 4):
        await make_backup(database, tmp_path / "b", AT.replace(day=day))
    await database.close()
    assert len(list((tmp_path / "b").iterdir())) == KEEP_BACKUPS


async def test_a_locked_file_is_told_and_nothing_half_written(tmp_path: Path) -> None:
    path = tmp_path / "d"
    database = await open_database(path)
    await database.rows("PRAGMA busy_timeout=50")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageError, match="locked by another program"):
        await Values(database).set("k", 1)
    other.execute("ROLLBACK")
    other.close()
    await Values(database).set("k", 2)
    assert await Values(database).get("k") == 2
    await database.close()


async def test_a_transaction_happens_whole_or_not_at_all(tmp_path: Path) -> None:
    database = await open_database(tmp_path / "d")
    with pytest.raises(RuntimeError):
        async with database.write() as transaction:
            await transaction.run("INSERT INTO settings VALUES ('k', '1')")
            raise RuntimeError
    assert await Values(database).get("k") is None
    await database.close()


async def test_revisions_are_numbered_linked_and_never_changed(tmp_path: Path) -> None:
    database = await open_database(tmp_path / "d")
    revisions = Revisions(database)
    change = ChangeText("mở", "open", True)
    for text in ("a", "b"):
        async with database.write() as transaction:
            await revisions.append(
                transaction, Edit("lan", "why", AT), {"school.yaml": text}, (change,)
            )
    first, second = await revisions.get(1), await revisions.get(2)
    assert first and second and second.previous_hash == first.hash == document_hash(first.files)
    assert second.weakens and second.changes == (change,) and second.edit.at == AT
    assert [r.number for r in await revisions.page(None, 10)] == [2, 1]
    with pytest.raises(StorageError, match="never changed"):
        async with database.write() as transaction:
            await transaction.run("UPDATE revisions SET author = 'x'")
    await database.close()


async def test_nobody_sees_what_was_taken_back(tmp_path: Path) -> None:
    """A transaction that does not end well leaves nothing, with whoever looked meanwhile either."""
    database = await open_database(tmp_path / "d", [Migration(1, "t", "CREATE TABLE t (x);")])
    looking: asyncio.Task[list[Any]] | None = None
    with contextlib.suppress(ZeroDivisionError):
        async with database.write() as transaction:
            await transaction.run("INSERT INTO t VALUES (1)")
            looking = asyncio.create_task(database.rows("SELECT x FROM t"))
            await asyncio.wait({looking}, timeout=0.2)
            assert await database.rows("SELECT x FROM t") == [{"x": 1}], "whoever wrote it"
            raise ZeroDivisionError
    assert looking is not None and await looking == []
    async with database.write() as transaction:
        await transaction.run("INSERT INTO t VALUES (2)")
    assert await database.rows("SELECT x FROM t") == [{"x": 2}]
    await database.close()
