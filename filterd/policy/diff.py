"""What changed between two policies, as sentences for people in both languages.

`weakens` marks what lets through more than before, at any hour: such a change needs a second
approver. Where it cannot be known without lists, the answer is the cautious one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from filterd.policy.diff_periods import Titles, what, when
from filterd.policy.diff_school import school_changes
from filterd.policy.diff_words import Change, both, listed
from filterd.policy.model import Policy, Tier, Title
from filterd.policy.strictness import looser, looser_schedule
from filterd.policy.taxonomy import Taxonomy

__all__ = ["Change", "diff"]


@dataclass(frozen=True, slots=True)
class _Pair:
    """The same tier before and after."""

    old: Tier
    new: Tier
    homes: Mapping[str, str]
    titles: Titles

    @property
    def label(self) -> tuple[str, str]:
        return self.new.title.vi or self.new.id, self.new.title.en or self.new.id


def diff(old: Policy, new: Policy, taxonomy: Taxonomy | None = None) -> tuple[Change, ...]:
    """Every difference that matters, tiers first; empty for equal policies.

    The taxonomy says which category a service belongs to; without it `weakens` errs on the
    cautious side for allowed services.
    """
    services = taxonomy.services.values() if taxonomy is not None else ()
    homes = {str(service.id): str(service.category) for service in services}
    titles: dict[str, Title] = {str(service.id): service.title for service in services}
    if taxonomy is not None:
        titles.update({str(key): kind.title for key, kind in taxonomy.categories.items()})
    before = {tier.id: tier for tier in old.tiers}
    after = {tier.id: tier for tier in new.tiers}
    changes: list[Change] = []
    for id, tier in after.items():
        if id in before:
            changes.extend(_tier_changes(_Pair(before[id], tier, homes, titles)))
        else:
            changes.append(both("Thêm bậc {}", "Tier {} added", (tier.title.vi, tier.title.en)))
    for id, tier in before.items():
        if id not in after:
            changes.append(both("Bỏ bậc {}", "Tier {} removed", (tier.title.vi, tier.title.en)))
    if set(before) == set(after) and list(before) != list(after):
        changes.append(Change("Đổi thứ tự các bậc", "The order of the tiers changed", False))
    return (*changes, *school_changes(old, new, homes))


def _tier_changes(pair: _Pair) -> list[Change]:
    found = [*_sets(pair), *_switches(pair), *_schedule(pair), *_expectations(pair)]
    # The sentences are about single settings; the tier as a whole is judged too, so that no
    # combination of harmless-looking ones goes unmarked.
    if looser(pair.old, pair.new, pair.homes) and not any(change.weakens for change in found):
        found.append(both("{}: mở hơn trước", "{}: more open than before", pair.label, True))
    return found


def _sets(pair: _Pair) -> list[Change]:
    old, new, label = pair.old, pair.new, pair.label
    walled = old.allow_only or any(period.effect.allow_only for period in old.schedule)
    both_allowed = replace(old, allowed_services=old.allowed_services | new.allowed_services)
    both_blocked = replace(old, blocked_services=old.blocked_services & new.blocked_services)
    allows = looser_schedule(old, both_allowed, pair.homes)
    unblocks = looser_schedule(old, both_blocked, pair.homes)
    rows = (
        ("chặn loại", "blocks category", old.blocked, new.blocked, (False, True)),
        (
            *("chặn dịch vụ", "blocks service"),
            *(old.blocked_services, new.blocked_services, (False, unblocks)),
        ),
        (
            *("cho phép dịch vụ", "allows service"),
            *(old.allowed_services, new.allowed_services, (allows, False)),
        ),
        (
            *("tên được mở", "open names"),
            *(frozenset(old.allowed), frozenset(new.allowed), (walled, False)),
        ),
        (
            *("nhóm được mở", "open groups"),
            *(frozenset(old.allowed_groups), frozenset(new.allowed_groups), (walled, False)),
        ),
        (
            *("tìm kiếm an toàn", "safe search"),
            *(old.safe_search, new.safe_search, (False, True)),
        ),
    )
    return [
        change
        for vi, en, before, after, weakens in rows
        for change in listed(
            (label, vi, en), (frozenset(before), frozenset(after)), weakens, pair.titles
        )
    ]


def _switches(pair: _Pair) -> list[Change]:
    old, new, label = pair.old, pair.new, pair.label
    strict = ("off", "moderate", "strict")
    rows: tuple[tuple[str, str, object, object, bool], ...] = (
        ("bậc học sinh", "pupils' tier", old.pupils, new.pupils, not new.pupils),
        ("chỉ mở tên được phép", "allow-only", old.allow_only, new.allow_only, not new.allow_only),
        (
            *("YouTube", "YouTube", old.youtube, new.youtube),
            strict.index(new.youtube) < strict.index(old.youtube),
        ),
        (
            *("chặn máy tìm kiếm không an toàn", "unsafe engines blocked"),
            *(old.block_unsafe_engines, new.block_unsafe_engines, not new.block_unsafe_engines),
        ),
        ("cách báo chặn", "block action", old.action, new.action, False),
        ("TTL khi chặn", "block TTL", old.block_ttl, new.block_ttl, False),
    )
    return [
        Change(
            f"{label[0]}: {vi}: {_word(before)[0]} → {_word(after)[0]}",
            f"{label[1]}: {en}: {_word(before)[1]} → {_word(after)[1]}",
            weakens,
        )
        for vi, en, before, after, weakens in rows
        if before != after
    ]


def _word(value: object) -> tuple[str, str]:
    if isinstance(value, bool):
        return ("bật", "on") if value else ("tắt", "off")
    return str(value), str(value)


def _schedule(pair: _Pair) -> list[Change]:
    old = {period.name: period for period in pair.old.schedule}
    new = {period.name: period for period in pair.new.schedule}
    if old == new:
        return []
    moved = replace(pair.old, schedule=pair.new.schedule)
    weakens = looser_schedule(pair.old, moved, pair.homes)
    found: list[Change] = []
    for name in (*new, *(name for name in old if name not in new)):
        if old.get(name) == new.get(name):
            continue
        vi, en = ("sửa", "changed") if name in old and name in new else ("thêm", "added")
        if name not in new:
            vi, en = "bỏ", "removed"
        period = new.get(name) or old[name]
        times, effect = when(period), what(period, pair.titles)
        found.append(
            both(
                f"{{}}: {vi} lịch «{name}» {times[0]}: {effect[0]}",
                f"{{}}: schedule “{name}” {en}, {times[1]}: {effect[1]}",
                pair.label,
                weakens,
            )
        )
    return found


def _expectations(pair: _Pair) -> list[Change]:
    old, new = frozenset(pair.old.expect), frozenset(pair.new.expect)
    found = [
        both(
            f"{{}}: bỏ điều kiện kiểm tra {gone.name}: {gone.outcome}",
            f"{{}}: expectation {gone.name}: {gone.outcome} removed",
            pair.label,
            gone.outcome != "allowed",
        )
        for gone in sorted(old - new, key=lambda item: item.name)
    ]
    found.extend(
        both(
            f"{{}}: thêm điều kiện kiểm tra {added.name}: {added.outcome}",
            f"{{}}: expectation {added.name}: {added.outcome} added",
            pair.label,
        )
        for added in sorted(new - old, key=lambda item: item.name)
    )
    return found
