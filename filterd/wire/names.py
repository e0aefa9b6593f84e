"""Domain names in their three forms: wire octets, filterd's text form, and the index key.

Owns the type `Name` and every conversion to and from it. Knows no message and no policy.
"""

from __future__ import annotations

import re
from typing import NewType

import idna

Name = NewType("Name", str)
"""A domain name as text: lower case, no final dot, octets outside [a-z0-9_-] as \\DDD; root ''."""

MAX_WIRE = 255
MAX_LABEL = 63
ROOT = Name("")

_PLAIN = b"abcdefghijklmnopqrstuvwxyz0123456789_-."
_PLAIN_OCTETS = frozenset(_PLAIN[:-1])
_PLAIN_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_ESCAPE = re.compile(r"\\([0-9]{3})|\\([^0-9])|([A-Za-z0-9_-])")


def from_wire(wire: bytes) -> Name:
    """Text form of one whole uncompressed wire name (RFC 1035 §3.1); ValueError if it is none."""
    labels: list[bytes] = []
    position = 0
    try:
        while length := wire[position]:
            labels.append(wire[position + 1 : position + 1 + length])
            position += length + 1
            if length > MAX_LABEL:
                raise ValueError("compression or a label type that does not exist")
    except IndexError:
        raise ValueError("the name ends before its root label") from None
    if position + 1 != len(wire) or position >= MAX_WIRE:
        raise ValueError("octets behind the name, or more than 255 of them")
    text = b".".join(labels).lower()
    if text.translate(None, _PLAIN) or text.count(b".") != max(len(labels) - 1, 0):
        return Name(".".join(_escaped(label.lower()) for label in labels))
    return Name(text.decode("ascii"))


def to_wire(name: Name) -> bytes:
    """Uncompressed lower-case wire form; ValueError when a label or the name is too long."""
    if not name:
        return b"\0"
    out = bytearray()
    for text in name.split("."):
        label = text.encode("ascii") if "\\" not in text else _unescaped(text)
        if not 0 < len(label) <= MAX_LABEL:
            raise ValueError(f"a label of {name!r} is empty or longer than 63 octets")
        out.append(len(label))
        out += label
    out.append(0)
    if len(out) > MAX_WIRE:
        raise ValueError(f"{name!r} is longer than 255 octets")
    return bytes(out)


def from_text(text: str) -> Name:
    """Name as people write it: any case, final dot, IDN (UTS #46, IDNA 2008), \\DDD and \\X.

    Octets outside letters, digits, hyphen and underscore count only when escaped. ValueError
    says what is wrong with anything else; the root is "." and "" is refused.
    """
    lowered = text.strip().lower()
    if _PLAIN_NAME.fullmatch(lowered) and len(lowered) < MAX_WIRE - 1:
        return Name(lowered)
    if lowered == ".":
        return ROOT
    if not lowered.isascii():
        lowered = _to_ascii(lowered)
    lowered = lowered.removesuffix(".") if not lowered.endswith("\\.") else lowered
    name = Name(".".join(_canonical(label, text) for label in _split(lowered)))
    to_wire(name)
    return name


def reversed_key(name: Name) -> str:
    """Key under which `name` sorts next to its children: "www.example.com" → "com.example.www."."""
    if not name:
        return ""
    labels = name.split(".")
    labels.reverse()
    return ".".join(labels) + "."


def ancestors(name: Name) -> tuple[Name, ...]:
    """The name itself and everything above it, most specific first; the root is left out."""
    if not name:
        return ()
    found = [name]
    _, dot, rest = name.partition(".")
    while dot:
        found.append(Name(rest))
        _, dot, rest = rest.partition(".")
    return tuple(found)


def _escaped(label: bytes) -> str:
    return "".join(chr(o) if o in _PLAIN_OCTETS else f"\\{o:03d}" for o in label)


def _unescaped(label: str) -> bytes:
    out = bytearray()
    position = 0
    while position < len(label):
        if label[position] == "\\":
            out.append(int(label[position + 1 : position + 4]))
            position += 4
        else:
            out.append(ord(label[position]))
            position += 1
    return bytes(out)


def _to_ascii(text: str) -> str:
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        labels = mapped.split(".")
        return ".".join(la if la.isascii() else idna.alabel(la).decode() for la in labels)
    except (idna.IDNAError, UnicodeError) as error:
        raise ValueError(f"not a domain name: {text!r} ({error})") from None


def _split(text: str) -> list[str]:
    """Labels of a presentation-form name; a backslash takes the next character's meaning."""
    labels: list[str] = [""]
    position = 0
    while position < len(text):
        if text[position] == "\\":
            labels[-1] += text[position : position + 2]
            position += 2
        elif text[position] == ".":
            labels.append("")
            position += 1
        else:
            labels[-1] += text[position]
            position += 1
    return labels


def _canonical(label: str, whole: str) -> str:
    octets = bytearray()
    position = 0
    while position < len(label):
        match = _ESCAPE.match(label, position)
        octet = -1
        if match is not None:
            octet = int(match[1]) if match[1] else ord(match[2] or match[3])
            position = match.end()
        if not 0 <= octet <= 255:
            raise ValueError(f"not a domain name: {whole!r}")
        octets.append(octet)
    if not 0 < len(octets) <= MAX_LABEL:
        raise ValueError(f"a label of {whole!r} is empty or longer than 63 octets")
    return _escaped(bytes(octets).lower())
