"""The words of the report in one language. Knows no layout."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import cast

import yaml

from filterd.policy.model import Title

LANGUAGES = ("vi", "en")


@cache
def table() -> dict[str, dict[str, str]]:
    """Every key with its texts."""
    text = files("filterd.evidence.report").joinpath("texts.yaml").read_text("utf-8")
    return cast("dict[str, dict[str, str]]", yaml.safe_load(text))


def both(key: str) -> Title:
    """The text in both languages, for answers that pages show."""
    return Title(*(Words(language)(key) for language in LANGUAGES))


class Words:
    """`words("limits")`; a key that nobody wrote is shown as it is, so that nothing is hidden."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "vi"

    def __call__(self, key: str, **values: object) -> str:
        text = table().get(key, {}).get(self.language, key.replace("_", " "))
        return text.format(**values) if values else text

    def day(self, iso: str) -> str:
        """2026-11-21 as people write it: 21/11/2026 in Vietnamese, unchanged in English."""
        year, month, day = iso.split("-")
        return f"{day}/{month}/{year}" if self.language == "vi" else iso

    def share(self, basis_points: int) -> str:
        """9950 as 99,50 %."""
        text = f"{basis_points / 100:.2f}"
        return (text.replace(".", ",") if self.language == "vi" else text) + " %"

    def number(self, n: int) -> str:
        """Thousands apart: 13.200 in Vietnamese, 13,200 in English."""
        return f"{n:,}".replace(",", ".") if self.language == "vi" else f"{n:,}"
