"""From a ruleset frame of the supervisor to what a worker puts in force.

Reads the frame's policy documents and opens its index; knows no socket and no cache. Called in a
thread beside the loop: a policy takes tens of milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from filterd.clients.segments import Segments, packed
from filterd.documents import Documents
from filterd.lists.addresses import Stretches
from filterd.lists.index import Half, Index, file_table, open_index
from filterd.metrics import layout
from filterd.policy.model import Policy
from filterd.policy.ruleset import Ruleset, compile_ruleset
from filterd.policy.tables import Surroundings
from filterd.resolve.ports import Running
from filterd.wire.names import from_text

Outlines = Callable[[tuple[Half, Half], Iterable[str], Iterable[str]], object | None]
"""`listen.drain.open_outline`."""


class RulesetReader:
    """Reads frames under the settings of one worker; `documents` are those that its supervisor had
    read before it was forked."""

    def __init__(
        self, settings: Mapping[str, Any], outlines: Outlines, documents: Documents | None = None
    ) -> None:
        self._outlines = outlines
        self._documents = documents or Documents(Path(settings["blocklists"]))
        self._served = tuple(from_text(zone) for zone in settings.get("conditional", {}))

    def read(
        self, frame: Mapping[str, Any], neighbours: Mapping[bytes, str], designated: tuple[str, ...]
    ) -> tuple[Policy, Running, list[tuple[Stretches, Stretches]]]:
        """The policy, what is put in force, and the address lists (`Index.stretches`).

        `designated` are the encrypted endpoints that devices are told of. Raises FilterdError for
        documents that do not hold and for an index that cannot be used.
        """
        kinds = self._documents.taxonomy()
        policy = self._documents.policy(frame["files"], kinds)
        # the supervisor has read the whole file; here only its head is checked
        index = open_index(Path(frame["index"]), verify=False)
        revision = int(frame["revision"])
        ruleset = compile_ruleset(
            policy, kinds, index, revision, Surroundings(self._served, designated)
        )
        portal = tuple(packed(address) for address in policy.portal)
        tiers = tuple(frame.get("tiers", ())) or layout.tier_order(t.id for t in policy.tiers)
        outline = self._outline(index, ruleset)
        places = Segments(policy, neighbours)
        running = Running(ruleset, places, portal, tiers, revision, outline)
        return policy, running, index.stretches

    def _outline(self, index: Index, ruleset: Ruleset) -> object | None:
        """What tells the memo that two names are alike; None where any might be an exception."""
        spoken, mentioned = index.spoken, ruleset.mentioned
        if spoken.names is None or "" in mentioned or "" in spoken.names:
            return None
        halves = file_table(index).halves
        return self._outlines(halves, {*mentioned, *spoken.names}, spoken.pieces)
