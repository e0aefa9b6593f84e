"""Single values of the office: what is set once and read by one noun. Owns the table `settings`."""

from __future__ import annotations

from sqlalchemy import Connection, Select, select

from admin_ui.office.database import Office, upsert
from admin_ui.office.tables import settings


def value(office: Office, key: str) -> str:
    """What is kept under that key; "" when nothing is."""
    rows = office.rows(_one(key))
    return str(rows[0]["value"]) if rows else ""


def value_in(connection: Connection, key: str) -> str:
    """The same within a transaction."""
    return str(connection.execute(_one(key)).scalar() or "")


def keep(office: Office, key: str, text: str) -> None:
    """In a transaction of its own."""
    with office.write() as connection:
        keep_in(connection, key, text)


def keep_in(connection: Connection, key: str, text: str) -> None:
    """With what else the transaction does."""
    statement = upsert(connection, settings).values(key=key, value=text)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["key"], set_={"value": text})
    )


def _one(key: str) -> Select[tuple[str]]:
    return select(settings.c.value).where(settings.c.key == key)
