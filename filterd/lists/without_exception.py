"""What no list may take back: exceptions against the floor (contract §5).

A school's own list of a floor's category cannot except anything, and no list of `csam` or
`authority` can, wherever it comes from: such lines are dropped when the list is read, counted with
their reason. An exception to the floor is an override with two signatures, never a line in a list.
"""

from __future__ import annotations

from filterd.lists.entry import EXCEPTION, Dropped, Why
from filterd.lists.parsed import Parsed, name_of_key
from filterd.lists.precedence import ListMeta
from filterd.lists.texts import rule_text
from filterd.policy.taxonomy import FLOOR, WITHOUT_EXCEPTION


def enforce(meta: ListMeta, parsed: Parsed, own: bool) -> Parsed:
    """`parsed` without what its category knows no exception for; `own`: the school's or office's
    own list, else a subscribed one, which may correct itself outside csam and authority."""
    if meta.category in (FLOOR if own else WITHOUT_EXCEPTION):
        _drop_names(parsed, meta)
        _drop_rules(parsed)
        _drop_addresses(parsed)
    return parsed


def _drop_names(parsed: Parsed, meta: ListMeta) -> None:
    for place in [place for place in parsed.groups if place[0] & EXCEPTION]:
        for keys, lines in parsed.groups.pop(place).pairs():
            for key, line in zip(keys, lines, strict=True):
                text = rule_text(name_of_key(key), place[0], meta.format)
                parsed.drop(Dropped(line, Why.FLOOR, text))


def _drop_rules(parsed: Parsed) -> None:
    kept = []
    for rule in parsed.rules:
        if rule.flags & EXCEPTION or rule.badfilter:
            parsed.drop(Dropped(rule.line, Why.FLOOR, rule.text))
        else:
            kept.append(rule)
    parsed.rules = kept


def _drop_addresses(parsed: Parsed) -> None:
    kept = []
    for found in parsed.addresses:
        if found.exception:
            parsed.drop(Dropped(found.line, Why.FLOOR, str(found.network)))
        else:
            kept.append(found)
    parsed.addresses = kept
