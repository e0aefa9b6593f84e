"""What the office adds to the floor (`office/floor.json` beside the index): only ever more.

A file that cannot be read, or names what is not known here, adds nothing and is told in the log:
the floor that is built in stands in any case.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from filterd.policy.model import CategoryId, Floor
from filterd.policy.taxonomy import CATEGORIES

_log = logging.getLogger("filterd.lists")
FILE = "floor.json"


def read(folder: Path) -> dict[CategoryId, Floor]:
    """Category → for whom the office locks it; `{"everyone": […], "pupils": […]}` in the file."""
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        raw = json.loads(path.read_text("utf-8"))
        if not isinstance(raw, Mapping):
            raise ValueError("not an object")
        found: dict[CategoryId, Floor] = {}
        for whom in (Floor.PUPILS, Floor.EVERYONE):  # everyone is the stricter of the two
            found.update((CategoryId(str(each)), whom) for each in raw.get(whom.value, ()))
    except (OSError, ValueError, TypeError) as error:
        _log.error("the office's floor %s left out: %s", path, error)
        return {}
    unknown = sorted(each for each in found if each not in CATEGORIES)
    if unknown:
        _log.warning("the office's floor names unknown categories: %s", ", ".join(unknown))
    return {each: whom for each, whom in found.items() if each in CATEGORIES}
