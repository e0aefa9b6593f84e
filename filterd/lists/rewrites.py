"""Values of `$dnsrewrite`: short and full form (AdGuard knowledge base, "dnsrewrite").

Pure text in, `Rewrite` out; None for what the reference refuses.
"""

from __future__ import annotations

import ipaddress
import re

from filterd.lists.entry import Rewrite
from filterd.wire.names import Name

KEYWORDS = frozenset(("NOERROR", "SERVFAIL", "NXDOMAIN", "REFUSED"))
_RCODES = KEYWORDS | {"FORMERR", "NOTIMP", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"}
_HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*\.?", re.I
)
_PARAMETER = re.compile(r"[^=\s]+=[^=\s]+")


def read(value: str) -> Rewrite | None:
    """A rewrite; `empty` for no value at all, which only an exception can mean something by."""
    parts = value.split(";", 2)
    if len(parts) == 1:
        return _short(value)
    if len(parts) == 2:
        return None
    rcode, kind, content = parts[0].upper(), parts[1].upper(), parts[2]
    if rcode not in _RCODES:
        return None
    if rcode != "NOERROR" or not (kind or content):
        return Rewrite(rcode=rcode)
    return _record(kind, content)


def _short(value: str) -> Rewrite | None:
    if not value:
        return Rewrite(empty=True)
    if value.isascii() and value.isalpha() and value.isupper():
        return Rewrite(rcode=value) if value in KEYWORDS else None
    if address := _address(value):
        return address
    return Rewrite(target=_name(value)) if _HOST.fullmatch(value) else None


def _name(text: str) -> Name:
    return Name(text.lower().removesuffix("."))


def _address(text: str) -> Rewrite | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return Rewrite(type="A" if address.version == 4 else "AAAA", value=str(address))


def _record(kind: str, content: str) -> Rewrite | None:
    if kind in ("A", "AAAA"):
        found = _address(content)
        return found if found is not None and found.type == kind else None
    if kind == "CNAME":
        return Rewrite(target=_name(content)) if _HOST.fullmatch(content) else None
    if kind == "PTR":
        return Rewrite(type=kind, value=_name(content) + ".") if _HOST.fullmatch(content) else None
    if kind == "TXT":
        return Rewrite(type=kind, value=content)
    if kind in _NUMBERS:
        return _numbered(kind, content)
    return Rewrite(type=kind, value=content) if kind.isalnum() and kind[:1].isalpha() else None


_NUMBERS = {"MX": 1, "SRV": 3, "HTTPS": 1, "SVCB": 1}
"""How many 16-bit numbers stand in front of the target name."""


def _numbered(kind: str, content: str) -> Rewrite | None:
    words = content.split(" ")
    count = _NUMBERS[kind]
    if len(words) < count + 1 or (kind in ("MX", "SRV") and len(words) != count + 1):
        return None
    if not all(word.isdigit() and int(word) < 65536 for word in words[:count]):
        return None
    target, parameters = words[count], words[count + 1 :]
    if not (_HOST.fullmatch(target) or (target == "." and kind != "MX")):
        return None
    if not all(_PARAMETER.fullmatch(parameter) for parameter in parameters):
        return None
    return Rewrite(type=kind, value=content)
