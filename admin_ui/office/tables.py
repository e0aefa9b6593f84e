"""The office's tables, as SQLAlchemy core sees them; the same on SQLite and PostgreSQL.

Days and moments are ISO 8601 text (UTC for moments), lists and maps JSON text. Nothing here can
hold a pupil, a client, a device of a pupil or a name that somebody asked for.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("number", Integer, primary_key=True))

units = Table(
    "units",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # commune | department
    Column("name", Text, nullable=False),
    Column("province", Text, nullable=False, server_default=""),
    Column("valid_from", Text),
    Column("valid_to", Text),
    Column("successor", Text),
)

schools = Table(
    "schools",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("search", Text, nullable=False),  # name and id without accents, lower case
    Column("facility", Text, nullable=False),
    Column("levels", Text, nullable=False),
    Column("commune", Text, ForeignKey("units.id"), nullable=False),
    Column("department", Text, ForeignKey("units.id")),
    Column("opened", Text, nullable=False),
    Column("closed", Text),
    Column("enrolled", Text),  # day of the first device
    Column("last_day", Text),  # newest day with a summary
    Column("note", Text, nullable=False, server_default=""),
    Index("schools_commune", "commune"),
)

school_facts = Table(
    "school_facts",
    metadata,
    Column("school", Text, ForeignKey("schools.id"), primary_key=True),
    Column("field", Text, primary_key=True),  # name | commune | department
    Column("valid_from", Text, primary_key=True),
    Column("valid_to", Text),
    Column("value", Text, nullable=False),
)

codes = Table(
    "codes",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("school", Text, ForeignKey("schools.id"), nullable=False),
    Column("expires", Text, nullable=False),
    Column("used", Text),
    Column("made_by", Text, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("school", Text, ForeignKey("schools.id"), nullable=False, index=True),
    Column("public", Text, nullable=False),
    Column("state", Text, nullable=False),  # active | rotated | revoked
    Column("enrolled", Text, nullable=False),
    Column("ended", Text),
    Column("successor", Text),
    Column("counter", Integer, nullable=False, server_default="0"),
    Column("digest", Text),
    Column("day", Text),
    Column("seen", Text),
    Column("bundle", Integer),
)

summaries = Table(
    "summaries",
    metadata,
    Column("day", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("counter", Integer, primary_key=True),
    Column("school", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("received", Text, nullable=False),
    Column("late", Integer, nullable=False),
    Column("gap", Integer, nullable=False),
    Column("envelope", LargeBinary, nullable=False),  # zstd
    Column("method", Text, nullable=False, server_default=""),  # the version it names
    Index("summaries_school", "school", "day"),
    Index("summaries_device", "device", "counter"),
    postgresql_partition_by="RANGE (day)",
)

refusals = Table(
    "refusals",
    metadata,
    Column("day", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("school", Text),
    Column("times", Integer, nullable=False),
    Column("last", Text, nullable=False),
    Column("detail", Text, nullable=False),
)

stale = Table(
    "stale",
    metadata,
    Column("school", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("marked", Integer, nullable=False, server_default="0"),  # how often since it was clean
)

assessments = Table(
    "assessments",
    metadata,
    Column("month", Text, primary_key=True),
    Column("school", Text, ForeignKey("schools.id"), primary_key=True),
    Column("status", Text, nullable=False),
    Column("as_of", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("made", Text, nullable=False),
    Column("days", Integer, nullable=False),
    Column("late", Integer, nullable=False),
    Column("exposed_s", Integer, nullable=False),
    Column("enforcing_s", Integer, nullable=False),
    Column("indicators", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("limits", Text, nullable=False),
    Column("newest", Text, nullable=False),  # facts of the newest day, for the school page
    Column("strange", Integer, nullable=False, server_default="0"),  # days by another method
    Index("assessments_school", "school", "month"),
    Index("assessments_status", "month", "status"),
    # Rows hold kilobytes of evidence; counting statuses must not read them.
    Index("assessments_seen", "month", "school", "status"),
)

failing = Table(
    "failing",
    metadata,
    Column("month", Text, primary_key=True),
    Column("school", Text, primary_key=True),
    Column("indicator", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("failing_indicator", "month", "indicator"),
)

cells = Table(
    "cells",
    metadata,
    Column("month", Text, primary_key=True),
    Column("school", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("body", Text, nullable=False),
)

proofs = Table(
    "proofs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("school", Text, ForeignKey("schools.id"), nullable=False),
    Column("month", Text, nullable=False),
    Column("nonce", Text, nullable=False, unique=True),
    Column("asked", Text, nullable=False),  # when the device fetched it
    Column("due", Text, nullable=False),  # what is seen after this does not count
    Column("blocked", Text, nullable=False),
    Column("control", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("passed", Integer),  # None: not judged yet
    Index("proofs_school", "school", "month"),
)

efficacy = Table(
    "efficacy",
    metadata,
    Column("list_index", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("entered", Text, nullable=False),
    Column("entered_by", Text, nullable=False),
)

awareness = Table(
    "awareness",
    metadata,
    Column("id", Text, primary_key=True),
    Column("school", Text, ForeignKey("schools.id"), nullable=False, index=True),
    Column("day", Text, nullable=False),
    Column("grades", Text, nullable=False),
    Column("participants", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("entered_by", Text, nullable=False),
)

authority = Table(
    "authority",
    metadata,
    Column("name", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("issued", Text, nullable=False),
    Column("expires", Text),
    Column("entered_by", Text, nullable=False),
    Column("removed", Text),
)

releases = Table(
    "releases",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("made", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

handed_in = Table(
    "handed_in",
    metadata,
    Column("obligation", Text, primary_key=True),
    Column("year", Integer, primary_key=True),
    Column("day", Text, nullable=False),
    Column("entered_by", Text, nullable=False),
)

settings = Table(
    "settings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
