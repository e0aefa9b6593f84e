"""A period of a schedule as a sentence in both languages: its days, its hours, what it changes.

Knows titles only through the mapping it is given; an id without a title stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from filterd.policy.model import Period, Title

Titles = Mapping[str, Title]
_DAYS = (("T2", "T3", "T4", "T5", "T6", "T7", "CN"),
         ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))  # fmt: skip
_VERBS = (("mở", "open"), ("chặn", "blocked"))


def titled(ids: Iterable[str], titles: Titles) -> tuple[str, str]:
    """The titles of some ids, sorted by id, in both languages."""
    found = [titles.get(id, Title(id, id)) for id in sorted(ids)]
    return ", ".join(title.vi for title in found), ", ".join(title.en for title in found)


def when(period: Period) -> tuple[str, str]:
    """Its days and hours, such as "T2–T6 11:30–13:00"."""
    hours = ", ".join(f"{span.start:%H:%M}–{span.end:%H:%M}" for span in period.ranges)
    vi, en = (f"{_days(period.weekdays, names)} {hours}" for names in _DAYS)
    return vi, en


def _days(weekdays: frozenset[int], names: tuple[str, ...]) -> str:
    """Runs of days as "Mon–Fri", single days by name."""
    parts: list[str] = []
    day = 0
    while day < 7:
        end = day
        while end in weekdays:
            end += 1
        if end - day > 2:
            parts.append(f"{names[day]}–{names[end - 1]}")
        else:
            parts.extend(names[day:end])
        day = max(end, day) + 1
    return ", ".join(parts)


def what(period: Period, titles: Titles) -> tuple[str, str]:
    """What it changes, such as "mở Trò chơi trực tuyến"."""
    effect = period.effect
    sets = (effect.allow | effect.allow_services, effect.block | effect.block_services)
    vi: list[str] = []
    en: list[str] = []
    for ids, (verb_vi, verb_en) in zip(sets, _VERBS, strict=True):
        if ids:
            names = titled(ids, titles)
            vi.append(f"{verb_vi} {names[0]}")
            en.append(f"{names[1]} {verb_en}")
    if effect.allow_only is not None:
        vi.append("chỉ mở tên được phép" if effect.allow_only else "không chỉ mở tên được phép")
        en.append("allow-only" if effect.allow_only else "not allow-only")
    if effect.youtube is not None:
        vi.append(f"YouTube {effect.youtube}")
        en.append(f"YouTube {effect.youtube}")
    return "; ".join(vi), "; ".join(en)
