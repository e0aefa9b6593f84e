"""filterd: the DNS filter of a school gateway."""

from datetime import UTC, datetime

RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
"""No clock can be right that shows a time before this release."""
