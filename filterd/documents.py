"""The taxonomy and the last policy document as they were read, read anew only when they changed.

Read once before the workers are forked, they are in memory once, and a worker decides without
having read them. Knows no ruleset, no list and no process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from filterd.policy import document, taxonomy
from filterd.policy.model import Policy
from filterd.policy.taxonomy import Taxonomy


class Documents:
    """What was read from one `blocklists` directory, and the policy parsed last.

    Threads may share it: what is kept is replaced whole, and at worst read twice.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taxonomy: tuple[object, Taxonomy] | None = None
        self._policy: tuple[Mapping[str, str], Taxonomy, Policy] | None = None

    def taxonomy(self) -> Taxonomy:
        """The taxonomy, read anew only when its files changed: it is four fifths of a reload.

        ConfigError with all its mistakes.
        """
        found = tuple((p.name, s.st_mtime_ns, s.st_size) for p, s in _stats(self._folder))
        kept = self._taxonomy
        if kept is None or kept[0] != found:
            kept = self._taxonomy = (found, taxonomy.load(self._folder))
        return kept[1]

    def policy(self, files: Mapping[str, str], kinds: Taxonomy) -> Policy:
        """The policy, parsed anew only when it changed: most swaps are of lists alone.

        PolicyError with every mistake of the document.
        """
        kept = self._policy
        if kept is None or kept[1] is not kinds or kept[0] != files:
            kept = self._policy = (dict(files), kinds, document.parse(files, kinds))
        return kept[2]


def _stats(folder: Path) -> Iterable[tuple[Path, os.stat_result]]:
    return ((path, path.stat()) for path in sorted(folder.glob("*.yaml")))
