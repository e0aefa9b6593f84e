"""What all line formats share: names as lists write them, comments, local names, addresses.

Pure text in, values out; knows no format in particular.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from filterd.lists.entry import Address, Dropped, Why
from filterd.wire.names import Name, from_text

Lines = Iterable[tuple[int, str]]
"""Lines of a list with their numbers, ends and BOM already taken off."""

_NAME = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_PORT = re.compile(r":[0-9]{1,5}$")
_ADDRESS_LIKE = re.compile(r"[0-9.]+(?:/[0-9]+)?|\[?[0-9a-f]*:[0-9a-f:.%]*\]?(?:/[0-9]+)?", re.I)
_LONGEST = 1024
"""Characters that a name of 253 octets can be written in: decomposed, three or four for each."""
LOCAL_NAMES = frozenset(
    (
        "localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost",
        "ip6-loopback", "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters",
        "ip6-allhosts", "lo0",
    )
)  # fmt: skip
"""Names that every copy of /etc/hosts carries for the machine itself; never meant as blocked."""


def name_of(text: str) -> Name | Why:
    """The name that `text` spells: any case, final dot, port, IDN; or why it is none."""
    lowered = text.strip().lower().removesuffix(".")
    if len(lowered) > 253 or not _NAME.fullmatch(lowered):
        return _odd_name(lowered)
    if lowered[-1].isdigit() and _is_address(lowered):
        return Why.ADDRESS
    if lowered in LOCAL_NAMES:
        return Why.LOCAL_NAME
    return Name(lowered)


def _odd_name(text: str) -> Name | Why:
    if not text:
        return Why.NOT_A_NAME
    if _is_address(text):
        return Why.ADDRESS
    if "://" in text or "/" in text:
        return Why.URL
    if len(text) > _LONGEST:
        return Why.NOT_A_NAME
    if _PORT.search(text):
        bare = _PORT.sub("", text)  # one port: what has another colon is an address or nothing
        return Why.NOT_A_NAME if ":" in bare and not _is_address(bare) else name_of(bare)
    try:
        name = from_text(text)
    except ValueError:
        return Why.NOT_A_NAME
    # An escape in a list is a typing mistake: no list means the octet it would stand for.
    return name if name and "\\" not in name else Why.NOT_A_NAME


def _is_address(text: str) -> bool:
    return bool(_ADDRESS_LIKE.fullmatch(text)) and network_of(text) is not None


def network_of(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """An address or CIDR network (host bits allowed), or None."""
    try:
        return ipaddress.ip_network(text.strip().strip("[]"), strict=False)
    except ValueError:
        return None


def address_item(line: int, text: str, exception: bool = False) -> Address | Dropped:
    """Item for a line that is an address rather than a name."""
    network = network_of(text.removesuffix("."))
    if network is None:
        return Dropped(line, Why.ADDRESS, text)
    return Address(line, network, exception)


def without_comment(text: str, marks: str = "#") -> str:
    """`text` up to its comment: a mark at the start or behind white space."""
    if not any(mark in text for mark in marks):
        return text.strip()
    for position, sign in enumerate(text):
        if sign in marks and (position == 0 or text[position - 1].isspace()):
            return text[:position].strip()
    return text.strip()
