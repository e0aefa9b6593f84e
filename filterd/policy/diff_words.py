"""The form of a difference between policies, and the sentences that several kinds share."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.policy.diff_periods import Titles, titled


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
    sets: tuple[frozenset[str], frozenset[str]],
    weakens: tuple[bool, bool],
    titles: Titles,
) -> list[Change]:
    """What was added to and removed from a set; `weakens` is what (adding, removing) mean."""
    label, vi, en = texts
    before, after = sets
    found: list[Change] = []
    if after - before:
        added = titled(after - before, titles)
        sentences = f"{label[0]}: {vi}: thêm {added[0]}", f"{label[1]}: {en}: + {added[1]}"
        found.append(Change(*sentences, weakens[0]))
    if before - after:
        removed = titled(before - after, titles)
        sentences = f"{label[0]}: {vi}: bỏ {removed[0]}", f"{label[1]}: {en}: − {removed[1]}"
        found.append(Change(*sentences, weakens[1]))
    return found
