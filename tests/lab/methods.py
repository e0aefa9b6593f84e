"""Methods as an office would write them: the shipped v0 with something changed."""

from __future__ import annotations

from datetime import date
from typing import Any

import yaml

from filterd.evidence.versions import shipped_texts


def edited(**changes: Any) -> str:
    """v0's text with these fields replaced, maps of maps merged one level down."""
    raw: dict[str, Any] = yaml.safe_load(shipped_texts()["v0"])
    for key, value in changes.items():
        if not isinstance(value, dict):
            raw[key] = value
            continue
        for inner, part in value.items():
            if isinstance(part, dict):
                raw[key].setdefault(inner, {}).update(part)
            else:
                raw[key][inner] = part
    return yaml.safe_dump(raw, allow_unicode=True, sort_keys=False)


def v1(begins: str, version: str = "v1") -> str:
    """A version that asks for 99,9 % instead of 99,5 % of I1, from a day on."""
    return edited(
        version=version, valid_from=date.fromisoformat(begins),
        title={"vi": f"Phương pháp {version}", "en": f"Method {version}"},
        indicators={"I1": {"pass": 9990}},
    )  # fmt: skip
