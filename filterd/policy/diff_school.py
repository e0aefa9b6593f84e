"""Differences in `school.yaml`: networks, devices, own names, decisions, calendar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_address
from typing import TypeVar
from zoneinfo import ZoneInfo

from filterd.policy.addresses import internal
from filterd.policy.diff_words import Change
from filterd.policy.model import (
    AuthorityEntry,
    Exam,
    LocalRecord,
    Name,
    Network,
    Override,
    Policy,
    Tier,
    TierId,
)
from filterd.policy.strictness import looser
from filterd.policy.tiers import strictest

T = TypeVar("T")
Words = tuple[str, str]
Homes = Mapping[str, str]


def school_changes(old: Policy, new: Policy, homes: Homes) -> tuple[Change, ...]:
    """Everything outside the tiers that changed."""
    say = _Names(old, new)
    return (
        *_places(old, new, homes),
        *_several(old.records, new.records, _record, lambda r, added: added and _public(r)),
        *_several(old.internal_zones, new.internal_zones, _zone, lambda _, added: added),
        *_several(_plain(old), _plain(new), say.override, lambda rule, added: added is rule.allow),
        *_several(old.exams, new.exams, say.exam, lambda _, added: not added),
        *_orders(old, new),
        *_rest(old, new),
    )


def _several(
    old: Iterable[T],
    new: Iterable[T],
    words: Callable[[T], Words],
    weakens: Callable[[T, bool], bool],
) -> Iterator[Change]:
    before, after = Counter(old), Counter(new)
    for item in before - after:
        vi, en = words(item)
        yield Change(f"Bỏ {vi}", f"Removed: {en}", weakens(item, False))
    for item in after - before:
        vi, en = words(item)
        yield Change(f"Thêm {vi}", f"Added: {en}", weakens(item, True))


def _plain(policy: Policy) -> list[Override]:
    """The overrides without the line they stand in, which is no difference."""
    return [replace(rule, line=None) for rule in policy.overrides]


def _record(record: LocalRecord) -> Words:
    text = f"{record.name} {record.type} {record.value}"
    return f"bản ghi {text}", f"record {text}"


def _public(record: LocalRecord) -> bool:
    """A record that leads outside can open a site; one for an inner address cannot."""
    return record.type not in ("A", "AAAA") or not internal(ip_address(record.value).packed)


def _zone(zone: Name) -> Words:
    return f"vùng nội bộ {zone}", f"internal zone {zone}"


class _Names:
    """Says tiers, segments and times as people know them: titles, and the school's clock."""

    def __init__(self, old: Policy, new: Policy) -> None:
        self._zone = ZoneInfo(new.time_zone)
        self._known: dict[str, Words] = {}
        for policy in (old, new):
            for segment in policy.segments:
                title = segment.title or segment.id
                self._known[f"segment {segment.id}"] = title, title
            for tier in policy.tiers:
                self._known[f"tier {tier.id}"] = _said(tier)

    def _all(self, kind: str, ids: Iterable[str]) -> list[Words]:
        return [self._known.get(f"{kind} {id}", (id, id)) for id in sorted(ids)]

    def _until(self, at: datetime | None) -> str | None:
        return f"{at.astimezone(self._zone):%H:%M %d/%m/%Y}" if at else None

    def override(self, rule: Override) -> Words:
        """An override: what, for whom, until when."""
        places = [*self._all("tier", rule.tiers), *self._all("segment", rule.segments)]
        where = [", ".join(place[language] for place in places) for language in (0, 1)]
        every = ("mọi tên (tạm dừng lọc)", "every name (pause)")
        name = (rule.name, rule.name) if rule.name else every
        vi = f"{'cho phép' if rule.allow else 'chặn'} {name[0]} ({where[0] or 'mọi bậc'})"
        en = f"{'allow' if rule.allow else 'block'} {name[1]} ({where[1] or 'all tiers'})"
        if rule.exception is not None:
            vi, en = f"ngoại lệ mức sàn: {vi}", f"exception to the floor: {en}"
        end = self._until(rule.expires)
        return (f"{vi} đến {end}", f"{en} until {end}") if end else (vi, en)

    def exam(self, exam: Exam) -> Words:
        """An exam: where, and until when."""
        rooms = ", ".join(room[0] for room in self._all("segment", exam.segments))
        end = self._until(exam.until)
        return f"kỳ thi ở {rooms} đến {end}", f"exam in {rooms} until {end}"


def _orders(old: Policy, new: Policy) -> Iterator[Change]:
    def text(order: AuthorityEntry) -> str:
        return f"{order.name} ({order.document}, {order.issuer})"

    for order in old.authority:
        if order not in new.authority:
            vi = f"Bỏ yêu cầu chặn của cơ quan chức năng: {text(order)}"
            yield Change(vi, f"Order of an authority removed: {text(order)}", True, forbidden=True)
    for order in new.authority:
        if order not in old.authority:
            vi = f"Thêm yêu cầu chặn của cơ quan chức năng: {text(order)}"
            yield Change(vi, f"Order of an authority added: {text(order)}", False)


def _places(old: Policy, new: Policy, homes: Homes) -> Iterator[Change]:
    """Networks and devices whose tier changed, also by coming or going."""
    before = {segment.network: segment for segment in old.segments}
    after = {segment.network: segment for segment in new.segments}
    for network in {**before, **after}:
        first, last = _tier_of(old, network), _tier_of(new, network)
        segment = after.get(network) or before[network]
        name = segment.title or segment.id
        if first.id != last.id:
            vi, en = _moved(first, last)
            weakens = looser(first, last, homes)
            yield Change(
                f"Mạng {name} ({network}): {vi}", f"Network {name} ({network}): {en}", weakens
            )
        elif before.get(network) != after.get(network):
            yield Change(
                f"Sửa mạng {name} ({network})", f"Network {name} ({network}) edited", False
            )
    yield from _devices(old, new, homes)
    first, last = _tier(old, strictest(old)), _tier(new, strictest(new))
    if first.id != last.id:
        vi, en = _moved(first, last)
        yield Change(f"Nguồn lạ: {vi}", f"Unknown sources: {en}", looser(first, last, homes))


def _devices(old: Policy, new: Policy, homes: Homes) -> Iterator[Change]:
    before = {device.key: device.tier for device in old.devices}
    after = {device.key: device.tier for device in new.devices}
    for key in {**before, **after}:
        if before.get(key) == after.get(key):
            continue
        was = _said(_tier(old, before[key])) if key in before else _NOWHERE
        now = _said(_tier(new, after[key])) if key in after else _NOWHERE
        # A device that goes falls back to whatever network it is in: the loosest is assumed.
        first = _tier(old, before.get(key, strictest(old)))
        ends = [after[key]] if key in after else [segment.tier for segment in new.segments]
        weakens = any(looser(first, _tier(new, end), homes) for end in ends)
        yield Change(
            f"Thiết bị {key}: {was[0]} → {now[0]}", f"Device {key}: {was[1]} → {now[1]}", weakens
        )


_NOWHERE = ("theo mạng", "by its network")


def _said(tier: Tier) -> Words:
    return tier.title.vi or tier.id, tier.title.en or tier.id


def _moved(first: Tier, last: Tier) -> Words:
    was, now = _said(first), _said(last)
    return f"{was[0]} → {now[0]}", f"{was[1]} → {now[1]}"


def _tier(policy: Policy, id: TierId) -> Tier:
    return next(tier for tier in policy.tiers if tier.id == id)


def _tier_of(policy: Policy, network: Network) -> Tier:
    """The tier of the longest segment around a network, else the one of unknown sources."""
    around = [
        segment
        for segment in policy.segments
        if segment.network.version == network.version
        and segment.network.prefixlen <= network.prefixlen
        and network.network_address in segment.network
    ]
    chosen = max(around, key=lambda segment: segment.network.prefixlen, default=None)
    return _tier(policy, chosen.tier if chosen is not None else strictest(policy))


def _rest(old: Policy, new: Policy) -> Iterator[Change]:
    periods = [period for tier in new.tiers for period in tier.schedule]
    dated = any(period.on for period in periods)
    rows = (
        ("Sửa lịch năm học", "The school calendar changed", old.calendar, new.calendar, dated),
        ("Đổi múi giờ", "The time zone changed", old.time_zone, new.time_zone, bool(periods)),
        (
            "Sửa thông tin trường",
            "The school's identity changed",
            old.identity,
            new.identity,
            False,
        ),
        (
            "Đổi địa chỉ trang thông báo",
            "The portal's address changed",
            old.portal,
            new.portal,
            False,
        ),
    )
    for vi, en, before, after, weakens in rows:
        if before != after:
            yield Change(vi, en, weakens)
