"""Where verdicts come from: the `Origin` of each kind of rule, told alike everywhere."""

from __future__ import annotations

from filterd.policy.model import (
    AuthorityEntry,
    CategoryId,
    ListId,
    LocalRecord,
    Name,
    Override,
    Service,
)
from filterd.policy.verdict import Listing, Origin, Step

AUTHORITY = CategoryId("authority")
SCHOOL_FILE = "school.yaml"
SETTINGS_FILE = "filterd.yaml"
REBINDING = Origin(Step.SPECIAL, "rebinding")
"""A private address in the answer to a public name."""


def written(override: Override) -> Origin:
    """An override of the school, with the line it stands in."""
    return Origin(Step.OVERRIDE, override.name or ".", file=SCHOOL_FILE, line=override.line)


def listed(step: Step, listing: Listing) -> Origin:
    """A rule of a blocklist."""
    return Origin(step, listing.rule, listing.list, listing.category, listing.file, listing.line)


def ordered(order: AuthorityEntry) -> Origin:
    """An authority's order in the policy."""
    rule = f"{order.name} ({order.document})"
    source = ListId(AUTHORITY)
    return Origin(Step.FLOOR_EVERYONE, rule, source, AUTHORITY, SCHOOL_FILE, order.line)


def own(record: LocalRecord) -> Origin:
    """A record of the school's own."""
    return Origin(Step.LOCAL, record.name, file=SCHOOL_FILE, line=record.line)


def zone(name: Name, of_school: bool) -> Origin:
    """A zone that other servers answer: named by the school, or by the box's settings."""
    return Origin(Step.LOCAL, name, file=SCHOOL_FILE if of_school else SETTINGS_FILE)


def service(step: Step, found: Service) -> Origin:
    """A service of the catalogue, blocked by name or by its category."""
    source = ListId("services")
    return Origin(step, found.id, source, found.category, "services.yaml", found.line)


def shared(listings: tuple[Listing, ...]) -> bool:
    """Whether the outcome holds for every asker: no personal rule took part."""
    return not any(listing.personal for listing in listings)
