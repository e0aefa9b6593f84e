"""How single values are written in a policy: names, days, times, networks, moments — both ways.

Readers raise `ValueProblem`; writers give the text that the reader understands.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from ipaddress import ip_address, ip_network

from filterd.policy.model import Name, Network, Range
from filterd.policy.reader import ValueProblem
from filterd.wire.names import from_text

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
VIETNAMESE = {"t2": 0, "t3": 1, "t4": 2, "t5": 3, "t6": 4, "t7": 5, "cn": 6}
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def name(text: str) -> Name:
    """A domain name; it always means itself and everything below it."""
    if text.startswith("*."):
        raise ValueProblem(
            "no wildcard: a name means itself and everything below it",
            "không dùng dấu *: một tên đã gồm mọi tên bên dưới",
            text[2:],
        )
    if "/" in text or " " in text.strip():
        host = re.sub(r"^[a-z][a-z0-9+.-]*://", "", text.strip().lower()).split("/")[0]
        raise ValueProblem(
            f"{text[:80]!r} is not a domain name",
            f"{text[:80]!r} không phải tên miền",
            host or None,
        )
    try:
        found = from_text(text)
    except ValueError as error:
        raise ValueProblem(
            f"{text[:80]!r} is not a domain name: {error}", f"{text[:80]!r} không phải tên miền"
        ) from None
    if not found:
        raise ValueProblem("the root is no name to rule", "không đặt quy tắc cho tên gốc")
    return found


def name_or_root(text: str) -> Name:
    """A domain name, or `.` for every name there is."""
    return Name("") if text.strip() == "." else name(text)


def weekdays(text: str) -> frozenset[int]:
    """`mon`, `mon-fri`, `sat-mon`, `t2-t6`, `cn`; Monday is 0."""
    first, _, last = text.lower().replace(" ", "").partition("-")
    try:
        start = _weekday(first)
        end = _weekday(last) if last else start
    except KeyError:
        raise ValueProblem(
            f"{text!r} is no weekday", f"{text!r} không phải thứ trong tuần", "mon-fri, or t2-t6"
        ) from None
    return frozenset((start + step) % 7 for step in range((end - start) % 7 + 1))


def _weekday(word: str) -> int:
    return VIETNAMESE[word] if word in VIETNAMESE else {w: i for i, w in enumerate(WEEKDAYS)}[word]


def weekdays_text(days: frozenset[int]) -> list[str]:
    """The days one by one, Monday first."""
    return [WEEKDAYS[day] for day in sorted(days)]


def hours(text: str) -> Range:
    """`07:00-11:30`; an end at or before the start runs over midnight; `24:00` is midnight."""
    start, _, end = text.replace(" ", "").replace("–", "-").partition("-")
    if not _CLOCK.fullmatch(start) or not _CLOCK.fullmatch(end):
        raise _bad_hours(text)
    return Range(_clock(start, text), _clock(end, text))


def _clock(word: str, whole: str) -> time:
    hour, minute = (int(part) for part in word.split(":"))
    if hour == 24 and minute:
        raise _bad_hours(whole)
    return time(hour % 24, minute)


def _bad_hours(text: str) -> ValueProblem:
    return ValueProblem(
        f"{text[:40]!r} is no stretch of time",
        f"{text[:40]!r} không phải khoảng giờ",
        "07:00-11:30 (in quotes)",
    )


def hours_text(span: Range) -> str:
    """As `hours` reads it."""
    return f"{span.start:%H:%M}-{span.end:%H:%M}"


def day(text: str) -> date:
    """`2026-09-05`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueProblem(
            f"{text[:40]!r} is no date", f"{text[:40]!r} không phải ngày", "2026-09-05"
        ) from None


def moment(text: str) -> datetime:
    """An absolute instant: `2026-11-30T17:00:00+07:00`; without an offset it is refused."""
    try:
        found = datetime.fromisoformat(text.replace(" ", "T", 1))
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        raise ValueProblem(
            f"{text[:40]!r} is no instant with its UTC offset",
            f"{text[:40]!r} không phải thời điểm có kèm múi giờ",
            "2026-11-30T17:00:00+07:00",
        )
    return found


def network(text: str) -> Network:
    """A CIDR block whose host bits are zero, or a single address."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        hint = str(ip_network(text, strict=False))
    except ValueError:
        hint = "10.0.11.0/24"
    raise ValueProblem(f"{text[:60]!r} is no network", f"{text[:60]!r} không phải mạng CIDR", hint)


def address(text: str) -> str:
    """An IPv4 or IPv6 address in its canonical text."""
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueProblem(
            f"{text[:60]!r} is no address", f"{text[:60]!r} không phải địa chỉ IP"
        ) from None


def hardware(text: str) -> str:
    """A MAC address as `aa:bb:cc:dd:ee:ff`."""
    found = text.lower().replace("-", ":")
    if not _MAC.fullmatch(found):
        raise ValueProblem(
            f"{text[:40]!r} is no hardware address",
            f"{text[:40]!r} không phải địa chỉ MAC",
            "aa:bb:cc:dd:ee:ff",
        )
    return found


def identifier(text: str) -> str:
    """An id: lower-case letters, digits, `_` and `-`, at most 63."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", text):
        raise ValueProblem(
            f"{text[:40]!r} is no id",
            f"{text[:40]!r} không phải mã hợp lệ",
            "lower-case letters, digits, _ and -",
        )
    return text


def line(text: str) -> str:
    """Free text of at most 500 characters, no control characters."""
    if len(text) > 500 or any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueProblem(
            "at most 500 characters on one line", "nhiều nhất 500 ký tự trên một dòng"
        )
    return text
