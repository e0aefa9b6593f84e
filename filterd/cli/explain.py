"""`filterd explain NAME`: what every tier answers, which rule says so, and how to change it.

Works with the daemon down: reads the policy that ran last (or the policies directory when none
ever ran) and the compiled lists. Where an answer leads is asked of the daemon when it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from filterd import config
from filterd.cli.explain_chain import OFFLINE, UNKNOWN, asked, typed_chain
from filterd.clients.segments import Segments
from filterd.errors import ListError, PolicyError, Problem
from filterd.lists.index import open_index
from filterd.live import read_snapshot
from filterd.policy import document, taxonomy
from filterd.policy.expect import outcome
from filterd.policy.explain import Explanation, answer_text, explain, typed_name, wanted
from filterd.policy.model import Name, Policy, TierId
from filterd.policy.onward import Looked
from filterd.policy.ruleset import Ruleset, compile_ruleset
from filterd.policy.tables import Surroundings
from filterd.policy.verdict import ListIndex, Listing, Placement, Question
from filterd.wire import constants

TYPES = ("A", "AAAA", "CNAME", "HTTPS", "MX", "NS", "PTR", "SRV", "SVCB", "TXT")
VERDICTS = {
    "allowed": ("cho phép", "allowed"),
    "blocked": ("chặn", "blocked"),
    "rewritten": ("đổi câu trả lời", "rewritten"),
}


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    about = "the verdict on a name, the rule and list behind it, and how to change it"
    parser = commands.add_parser("explain", help=about, description=about)
    parser.add_argument("name", metavar="NAME", help="a name or a pasted address")
    parser.add_argument("--type", default="A", type=str.upper, choices=TYPES, help="query type")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--tier", metavar="T", help="one tier instead of all")
    whose.add_argument("--client", metavar="IP", help="the tier and segment of this address")
    parser.add_argument("--at", metavar="ISO-TIME", help="another time than now")
    behind = parser.add_mutually_exclusive_group()
    behind.add_argument(
        "--chain", metavar="NAMES", help="the CNAMEs and addresses behind it, with commas between"
    )
    behind.add_argument("--offline", action="store_true", help="ask nobody what is behind it")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument("--lang", choices=("vi", "en"), help="default: by $LANG")
    parser.add_argument("--config", metavar="FILE", help="settings file")
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The ruleset and where its policy comes from; `notes` are warnings in both languages."""

    ruleset: Ruleset
    notes: tuple[tuple[str, str], ...]


def run(arguments: argparse.Namespace) -> int:
    """Explain one name; 2 for a name, tier, client or time that cannot be read."""
    settings = config.load(config.find(arguments.config, system=True))
    loaded = load(settings)
    try:
        question = Question(typed_name(arguments.name), getattr(constants, arguments.type))
        at = _at(arguments.at, loaded.ruleset)
        places = _places(arguments, loaded.ruleset.policy)
        names = wanted(loaded.ruleset, question, places, at)
        behind = _behind(arguments, settings, question.name, names)
    except ValueError as error:
        print(f"filterd explain: {error}", file=sys.stderr)
        return 2
    found = explain(loaded.ruleset, question, places, at, behind.known.get)
    if any(each.unknown for each in found):
        note = tuple(UNKNOWN[lang].format(behind.why[lang]) for lang in (0, 1))
        loaded = Loaded(loaded.ruleset, (*loaded.notes, (note[0], note[1])))
    if arguments.json:
        print(json.dumps(_json(arguments, question.name, at, loaded, found), ensure_ascii=False))
        return 0
    language = arguments.lang or ("vi" if os.environ.get("LANG", "").startswith("vi") else "en")
    _print(question.name, at, loaded, found, 0 if language == "vi" else 1)
    return 0


@dataclass(frozen=True, slots=True)
class Behind:
    """What is known behind the names that were looked up, and why not more (vi, en)."""

    known: Mapping[Name, Looked]
    why: tuple[str, str] = OFFLINE


def _behind(
    arguments: argparse.Namespace, settings: config.Settings, name: Name, names: tuple[Name, ...]
) -> Behind:
    if arguments.chain is not None:
        return Behind(typed_chain(arguments.chain, names))
    if arguments.offline or not names:
        return Behind({})
    found = asked(settings.control_socket, name, arguments.type, arguments.at)
    if isinstance(found, str):
        return Behind({}, (found, found))
    why = "; ".join(each.error for each in found.values() if each.error)
    return Behind(found, (why, why) if why else OFFLINE)


def load(settings: config.Settings) -> Loaded:
    """The policy that ran last over the compiled lists; what is missing is noted, not fatal."""
    words = taxonomy.load(settings.blocklists)
    notes: list[tuple[str, str]] = []
    revision, files = _files(settings, notes)
    served = tuple(Name(zone) for zone, _ in settings.conditional)
    ruleset = compile_ruleset(
        document.parse(files, words),
        words,
        _index(settings.state_dir / "lists" / "index.fdx", notes),
        revision,
        Surroundings(served=served),
    )
    return Loaded(ruleset, tuple(notes))


def _files(settings: config.Settings, notes: list[tuple[str, str]]) -> tuple[int, dict[str, str]]:
    last = settings.state_dir / "run" / "policy-last.json"
    found = read_snapshot(last)
    if found is not None:
        return found.revision, dict(found.files)
    if last.exists():
        notes.append((f"{last} bị hỏng", f"{last} is damaged"))
    notes.append(
        (f"chính sách từ {settings.policies}", f"policy from {settings.policies}, not a revision")
    )
    try:
        paths = sorted(Path(settings.policies).glob("*.yaml"))
        return 0, {path.name: path.read_text("utf-8") for path in paths}
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError([Problem(str(settings.policies), None, "(file)", str(error))]) from None


class _NoLists:
    """Stands in for compiled lists that do not exist: only the policy's own rules speak."""

    version = "none"

    def listings(self, question: Question) -> tuple[Listing, ...]:
        return ()

    def address_listings(self, packed: bytes) -> tuple[Listing, ...]:
        return ()


def _index(path: Path, notes: list[tuple[str, str]]) -> ListIndex:
    try:
        return open_index(path)
    except ListError as error:
        notes.append(
            (
                f"KHÔNG CÓ DANH SÁCH, kết quả chỉ theo chính sách: {error}",
                f"NO LISTS, verdicts follow the policy alone: {error}",
            )
        )
        return _NoLists()


def _at(text: str | None, ruleset: Ruleset) -> datetime:
    if text is None:
        return datetime.now(UTC)
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=ruleset.zone)


def _places(arguments: argparse.Namespace, policy: Policy) -> list[Placement]:
    if arguments.client is not None:
        return [Segments(policy).place(ip_address(arguments.client).packed)]
    known = [tier.id for tier in policy.tiers]
    if arguments.tier is None:
        return [Placement(tier) for tier in known]
    if arguments.tier not in known:
        raise ValueError(f"no tier {arguments.tier!r}; there are {', '.join(known)}")
    return [Placement(TierId(arguments.tier))]


def _json(
    arguments: argparse.Namespace,
    name: Name,
    at: datetime,
    loaded: Loaded,
    found: tuple[Explanation, ...],
) -> dict[str, object]:
    return {
        "name": name,
        "type": arguments.type,
        "at": at.isoformat(),
        "revision": loaded.ruleset.revision,
        "verdicts": [explanation.as_json() for explanation in found],
        "notes": [{"vi": vi, "en": en} for vi, en in loaded.notes],
    }


def _print(
    name: Name, at: datetime, loaded: Loaded, found: tuple[Explanation, ...], language: int
) -> None:
    local = at.astimezone(loaded.ruleset.zone)
    revision = loaded.ruleset.revision
    print(f"{name}  ·  {local:%Y-%m-%d %H:%M %Z}  ·  {('bản', 'revision')[language]} {revision}")
    for note in loaded.notes:
        print(f"! {note[language]}")
    heads = (("BẬC", "TIER"), ("KẾT QUẢ", "VERDICT"), ("BƯỚC", "STEP"), ("QUY TẮC", "RULE"))
    rows = [tuple(head[language] for head in heads), *(_row(item, language) for item in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[3]]).rstrip())
    for chain in dict.fromkeys(item.hops for item in found if item.hops):
        words = (f"{hop.text} ✗" if hop.refusal else hop.text for hop in chain)
        print(f"{name} → {' → '.join(words)}")
    print()
    for change in dict.fromkeys(item.change for item in found):
        tiers = ", ".join(item.tier for item in found if item.change == change)
        print(f"{tiers}: {(change.vi, change.en)[language]}")


def _row(item: Explanation, language: int) -> tuple[str, str, str, str]:
    origin = item.verdict.origin
    answer = answer_text(item.verdict)
    word = VERDICTS[outcome(item.verdict)][language] + (f" ({answer})" if answer else "")
    place = f"{origin.file}:{origin.line}" if origin.line else origin.file or ""
    way = " → ".join(hop.text for hop in item.hops)
    way = f"→ {way}" if item.hops and item.hops[-1].refusal is not None else ""
    parts = (way, origin.rule, origin.list or "", origin.category or "", place)
    return item.tier, word, origin.step.value, " · ".join(part for part in parts if part)
