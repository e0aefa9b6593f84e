"""The form of a difference between policies, and the sentences that several kinds share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """One difference in both languages.

    `weakens`: lets through more than before. `forbidden`: nobody at the school may make it (an
    authority's order removed).
    """

    vi: str
    en: str
    weakens: bool
    forbidden: bool = False


def both(vi: str, en: str, words: tuple[str, str], weakens: bool = False) -> Change:
    """A sentence in both languages with the one word that differs put in for `{}`."""
    return Change(vi.replace("{}", words[0]), en.replace("{}", words[1]), weakens)


def listed(
    texts: tuple[tuple[str, str], str, str],
    before: frozenset[str],
    after: frozenset[str],
    weakens: tuple[bool, bool],
) -> list[Change]:
    """What was added to and removed from a set; `weakens` is what (adding, removing) mean."""
    label, vi, en = texts
    found: list[Change] = []
    if added := ", ".join(sorted(after - before)):
        found.append(
            Change(f"{label[0]}: {vi}: thêm {added}", f"{label[1]}: {en}: + {added}", weakens[0])
        )
    if removed := ", ".join(sorted(before - after)):
        found.append(
            Change(f"{label[0]}: {vi}: bỏ {removed}", f"{label[1]}: {en}: − {removed}", weakens[1])
        )
    return found
