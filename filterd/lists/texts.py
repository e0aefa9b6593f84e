"""What a plain entry looked like in its list, made from its flags: the index keeps no text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from filterd.lists.entry import BELOW, EXACT, EXCEPTION, IMPORTANT, NETWORK, SUBTREE
from filterd.wire.names import Name


def rule_text(name: Name, flags: int, format_name: str) -> str:
    """The rule as its author would write it; the bare name where the format has no more to say."""
    if flags & NETWORK:
        head = {SUBTREE: "||", EXACT: "|", BELOW: "*."}[flags & SUBTREE]
        exception = "@@" if flags & EXCEPTION else ""
        return f"{exception}{head}{name}^{'$important' if flags & IMPORTANT else ''}"
    if format_name == "rpz":
        star = "*." if flags & SUBTREE == BELOW else ""
        return f"{star}{name} CNAME {'rpz-passthru.' if flags & EXCEPTION else '.'}"
    if format_name == "wildcard" and flags & SUBTREE == SUBTREE:
        return f"*.{name}"
    if format_name == "dnsmasq":
        return f"server=/{name}/#" if flags & EXCEPTION else f"local=/{name}/"
    return name


def sample_texts(samples: Mapping[str, Iterable[tuple[int, str]]]) -> list[str]:
    """Dropped lines as people read them: the reason, the text, the number of the line."""
    return [
        f"{why}: {text}" + (f" ({line})" if line else "")
        for why, lines in samples.items()
        for line, text in lines
    ]
