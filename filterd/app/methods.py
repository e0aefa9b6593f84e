"""All control methods together, one module for each noun."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.app.list_facts import ListFacts
from filterd.app.presence import PresenceWatch
from filterd.app.seen import SeenLately
from filterd.clients.vendors import Vendors
from filterd.control import (
    approvals,
    audit,
    backup,
    describe,
    exams,
    exceptions,
    explain,
    lists,
    own_lists,
    people,
    policy,
    portal,
    sessions,
    small,
    status,
    tail,
    tickets,
    timed,
    tokens,
    traffic,
    vouching,
)
from filterd.control.owner import Owner
from filterd.control.protocol import Route
from filterd.control.signin import SignIn
from filterd.evidence.audit import Walk
from filterd.lists.refresher import Refresher
from filterd.live import LivePolicy
from filterd.policy.model import CategoryId, Title

GATED = (
    *lists.GATED, *vouching.GATED,
    "exams.add", "exceptions.add", "overrides.add", "overrides.cancel",
)  # fmt: skip
"""Methods that a second person's agreement carries out by calling them once more."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What some nouns need besides the owner's stores and the running policy."""

    seen: SeenLately
    presence: PresenceWatch
    refresher: Refresher
    lists: ListFacts
    look: explain.Look


class Methods:
    """`routes`: every method that the control socket knows."""

    def __init__(self, owner: Owner, live: LivePolicy, sign_in: SignIn, parts: Parts) -> None:
        view = tail.DebugView(owner)
        places = portal.Places(live)
        wire = traffic.OnTheWire(parts.seen, parts.presence, places, Vendors())
        self.routes: dict[str, Route] = {}

        def title_of(category: str) -> Title:
            return live.ground.taxonomy.categories[CategoryId(category)].title

        appliers = {
            **backup.appliers(owner, live, self.routes),
            **approvals.again(self.routes, GATED),
            **policy.appliers(owner, live),
            **tail.appliers(view),
            **timed.appliers(owner, live),
        }
        found = {
            **approvals.routes(owner, appliers),
            **audit.routes(owner, Walk),
            **exams.routes(owner, live),
            **exceptions.routes(owner, live),
            **explain.routes(owner, live, parts.look),
            **lists.routes(owner, parts.refresher, lambda: live.ground.index),
            **own_lists.routes(owner, parts.refresher, title_of),
            **people.routes(owner, sign_in),
            **policy.routes(owner, live, parts.seen),
            **portal.routes(live, portal.Around(owner, places, parts.lists, parts.look)),
            **sessions.routes(owner, sign_in),
            **small.routes(owner),
            **status.routes(live, status.Around(owner, parts.lists, parts.seen, view)),
            **tail.routes(owner, view),
            **tickets.routes(owner, places.tier_of),
            **timed.routes(owner, live),
            **tokens.routes(owner),
            **traffic.routes(owner, live, wire),
        }
        self.routes.update(found)
        self.routes.update(backup.routes(owner, live, self.routes))
        self.routes.update(describe.routes(self.routes))
