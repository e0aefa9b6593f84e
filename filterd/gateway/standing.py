"""How this box stands to the other of two, written down for keepalived and for `filterd doctor`.

Imported at the very start of the service, so it knows next to nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from filterd import whole_files

BEHIND, REPORT = "pair-behind", "pair.json"


@dataclass(slots=True)
class Standing:
    """How this box stands to the other: `state` is same, alone, refused or unknown."""

    state: str = "unknown"
    problem: str = ""
    silent: int = 0

    @property
    def behind(self) -> bool:
        """Whether the other one should answer first."""
        return self.state in ("unknown", "refused")


def tell(folder: Path, standing: Standing) -> None:
    """Write it down for keepalived (`gateway.keepalived`) and for `filterd doctor`."""
    body = {"state": standing.state, "problem": standing.problem}
    report = json.dumps(body, ensure_ascii=False).encode()
    whole_files.replace(folder / REPORT, report, lasting=False)  # told anew at every start
    # in place and never empty: keepalived reads it whenever it was written
    handle = os.open(folder / BEHIND, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.write(handle, b"%d\n" % standing.behind)
    finally:
        os.close(handle)
