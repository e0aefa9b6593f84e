"""From a ruleset frame of the supervisor to what a worker puts in force.

Reads the frame's policy documents and opens its index; knows no socket and no cache. Called in a
thread beside the loop: a policy takes tens of milliseconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from filterd.clients.segments import Segments, packed
from filterd.lists.addresses import Stretches
from filterd.lists.index import Half, Index, file_table, open_index
from filterd.metrics import layout
from filterd.policy import document, taxonomy
from filterd.policy.model import Policy
from filterd.policy.ruleset import Ruleset, compile_ruleset
from filterd.policy.tables import Surroundings
from filterd.policy.taxonomy import Taxonomy
from filterd.resolve.ports import Running
from filterd.wire.names import from_text

Outlines = Callable[[tuple[Half, Half], Iterable[str], Iterable[str]], object | None]
"""`listen.drain.open_outline`."""


class RulesetReader:
    """Reads frames under the settings of one worker."""

    def __init__(self, settings: Mapping[str, Any], outlines: Outlines) -> None:
        self._outlines = outlines
        self._folder = Path(settings["blocklists"])
        self._served = tuple(from_text(zone) for zone in settings.get("conditional", {}))
        self._taxonomy: tuple[object, Taxonomy] | None = None
        self._policy: tuple[Mapping[str, str], Taxonomy, Policy] | None = None

    def read(
        self, frame: Mapping[str, Any], neighbours: Mapping[bytes, str], designated: tuple[str, ...]
    ) -> tuple[Policy, Running, list[tuple[Stretches, Stretches]]]:
        """The policy, what is put in force, and the address lists (`Index.stretches`).

        `designated` are the encrypted endpoints that devices are told of. Raises FilterdError for
        documents that do not hold and for an index that cannot be used.
        """
        kinds = self._kinds()
        policy = self._parsed(frame["files"], kinds)
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

    def _parsed(self, files: Mapping[str, str], kinds: Taxonomy) -> Policy:
        """The policy, parsed anew only when it changed: most swaps are of lists alone."""
        kept = self._policy
        if kept is None or kept[1] is not kinds or kept[0] != files:
            kept = self._policy = (files, kinds, document.parse(files, kinds))
        return kept[2]

    def _kinds(self) -> Taxonomy:
        """The taxonomy, read anew only when its files changed: it is four fifths of a reload."""
        found = tuple((p.name, s.st_mtime_ns, s.st_size) for p, s in _stats(self._folder))
        if self._taxonomy is None or self._taxonomy[0] != found:
            self._taxonomy = (found, taxonomy.load(self._folder))
        return self._taxonomy[1]


def _stats(folder: Path) -> list[tuple[Path, os.stat_result]]:
    return [(path, path.stat()) for path in sorted(folder.glob("*.yaml"))]
