"""`filterd verdicts`: what lists say about names, read as JSON lines (contract §4).

The lists alone: no daemon, no policy, nothing protected.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from filterd.errors import ListError
from filterd.lists.judge import Judge, Wanted
from filterd.lists.types import TYPES

DESCRIPTION = """\
Reads one JSON object a line: {"name", "type"?, "client"?, "client_name"?, "tags"?} and writes it
back with "verdict" (allowed, blocked, rewritten), "rule", "list", "line" and, for rewritten,
"answer" (also "rcode" and "records"). "type" is A when missing. Nothing is protected here and no
policy is asked: the lists alone, each format as its authors mean it.

Formats and what an entry means unless match= says otherwise:
  hosts     the name alone; an address other than 0.0.0.0, :: and loopback is answered (AdGuard)
  domains   the name alone (AdGuard, Pi-hole, Blocky)
  wildcard  *.name and name: the name and everything below it (Blocky, OISD, dnscrypt-proxy)
  adblock   as AdGuard: ||name^ the name and below, a bare name alone, $modifiers, @@, /regex/
  rpz       name: the name alone; *.name: what is below it, not itself; the nearest trigger wins
  dnsmasq   address=, local=, server=: the name and everything below it; the nearest wins
  ut1       the name and everything below it (squidGuard)
  regex     found anywhere in the name, any case (Pi-hole, RE2 syntax)
  addresses IP and CIDR: asked with an address as "name"
  auto      found out from the first lines

Precedence inside a category (lists without category= are one category): $badfilter, $dnsrewrite,
@@ with $important, $important, @@, block.
"""


def register(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "verdicts", help="what lists say about names on stdin, without daemon and policy",
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "--list", action="append", required=True, dest="lists", type=wanted,
        metavar="FILE[,format=F][,match=exact|subtree][,category=C]",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="as always: JSON lines")
    parser.set_defaults(run=run)


def wanted(text: str) -> Wanted:
    """One `--list` value; argparse tells the user what is wrong with it."""
    parts = text.split(",")
    while len(parts) > 1 and "=" not in parts[1]:
        parts[0:2] = [",".join(parts[0:2])]
    found = {"format": "auto", "match": "", "category": ""}
    for part in parts[1:]:
        key, _, value = part.partition("=")
        if key not in found:
            raise argparse.ArgumentTypeError(f"{key!r} is none of: {', '.join(found)}")
        found[key] = value
    if found["match"] not in ("", "exact", "subtree"):
        raise argparse.ArgumentTypeError("match is exact or subtree")
    try:
        return Wanted(Path(parts[0]), found["format"], found["match"] or None, found["category"])
    except ListError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(arguments: argparse.Namespace) -> int:
    """Judge every line of stdin; exit 2 on a line that is no question."""
    judge = Judge(arguments.lists)
    for answer in answers(judge, sys.stdin):
        sys.stdout.write(answer + "\n")
    return 0


def answers(judge: Judge, lines: Iterable[str]) -> Iterator[str]:
    """One JSON line for each that is not empty."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            asked = json.loads(line)
            if not isinstance(asked, dict) or not isinstance(asked.get("name"), str):
                raise ValueError("needs an object with a name")
            kind = str(asked.get("type") or "A").upper()
            answer = {**asked, **judge.answer(asked, TYPES.get(kind, _numbered(kind)))}
        except ValueError as error:
            answer = {"input": line.strip(), "line_number": number, "error": str(error)}
        yield json.dumps(answer, ensure_ascii=False)


def _numbered(kind: str) -> int:
    """`TYPE123` (RFC 3597); 0 for a word that is no type."""
    digits = kind.removeprefix("TYPE")
    return int(digits) if digits.isdigit() and int(digits) < 65536 else 0
