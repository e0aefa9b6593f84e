"""The catalogue: which lists there are, where they come from and what they are for.

Reads `blocklists/catalogue.yaml`; knows no state (what was fetched when is the store's).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from filterd.errors import ConfigError, Problem
from filterd.lists.formats import FORMATS
from filterd.policy import values
from filterd.policy.model import CategoryId, ListId, Title
from filterd.policy.reader import Fields, Log, ValueProblem, choice, truth, whole
from filterd.policy.tree import read_tree

_KEYS = (
    "id", "title", "category", "url", "file", "mirrors", "format", "match", "licence",
    "attribution", "homepage", "max_age_days", "every", "enabled", "note", "members",
    "private_suffixes", "plain_http",
)  # fmt: skip
_EVERY = re.compile(r"([0-9]{1,4})\s*([mhdw])")
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
SHORTEST_EVERY = 900


@dataclass(frozen=True, slots=True)
class Source:
    """One list of the catalogue. `file` is an absolute path of a list that is shipped or local;
    other sources are fetched from `url`, then from `mirrors`. `members` maps the directories of
    a UT1 archive to categories. `every` is the time between updates in seconds."""

    id: ListId
    title: Title
    category: CategoryId
    url: str | None = None
    file: Path | None = None
    mirrors: tuple[str, ...] = ()
    format: str = "auto"
    match: str = "subtree"
    licence: str = ""
    attribution: str = ""
    homepage: str = ""
    max_age_days: int = 30
    every: int = 86400
    enabled: bool = True
    note: str = ""
    members: Mapping[str, CategoryId] = field(default_factory=dict)
    private_suffixes: bool = False
    plain_http: bool = False


def load(path: Path, categories: Collection[str]) -> tuple[Source, ...]:
    """The sources of a catalogue file; ConfigError with all its mistakes."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            [Problem(str(path), None, "(file)", f"cannot be read: {error}")]
        ) from None
    return parse(text, path, categories)


def parse(text: str, path: Path, categories: Collection[str]) -> tuple[Source, ...]:
    """The same for text; `file:` entries are relative to `path`."""
    tree = read_tree(path.name, text)
    if isinstance(tree, Problem):
        raise ConfigError([tree])
    log = Log(path.name)
    root = Fields(log, tree, "", ("sources",))
    found = tuple(
        _source(fields, path.parent, categories) for fields in root.children("sources", _KEYS)
    )
    _refuse_twins(found, log)
    if log.problems:
        raise ConfigError(log.problems)
    return found


def _source(fields: Fields, folder: Path, categories: Collection[str]) -> Source:
    title = fields.child("title", ("vi", "en"))
    file = fields.value("file", values.line, "")
    members = {
        key: CategoryId(fields_value) for key, fields_value in _members(fields, categories).items()
    }
    found = Source(
        id=ListId(fields.value("id", values.identifier, "", need=True)),
        title=_title(title, fields),
        category=CategoryId(fields.value("category", choice(categories), "", need=True)),
        url=fields.value("url", url, "") or None,
        file=(folder / file) if file else None,
        mirrors=fields.values("mirrors", url),
        format=fields.value("format", choice(("auto", *FORMATS)), "auto"),
        match=fields.value("match", choice(("exact", "subtree")), "subtree"),
        licence=fields.value("licence", values.line, ""),
        attribution=fields.value("attribution", values.line, ""),
        homepage=fields.value("homepage", values.line, ""),
        max_age_days=fields.value("max_age_days", whole(1, 36500), 30),
        every=fields.value("every", seconds, 86400),
        enabled=fields.value("enabled", truth, True),
        members=members,
        private_suffixes=fields.value("private_suffixes", truth, False),
        plain_http=fields.value("plain_http", truth, False),
    )
    if bool(found.url) == bool(found.file):
        fields.wrong(None, ValueProblem("needs either url or file", "cần url hoặc file"))
    return found


def _title(title: Fields | None, fields: Fields) -> Title:
    if title is None:
        name = fields.value("id", values.line, "")
        return Title(name, name)
    return Title(title.value("vi", values.line, ""), title.value("en", values.line, ""))


def _members(fields: Fields, categories: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    child = fields.child("members", tuple(key for key, _, _ in fields.pairs("members")))
    for key, _, _ in fields.pairs("members"):
        if child is not None and (category := child.value(key, choice(categories), "")):
            found[key] = category
    return found


def url(text: str) -> str:
    """An http(s) address with a host and nothing secret in it; ValueProblem says what is wrong."""
    parts = urlsplit(text.strip())
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueProblem(
            f"{text[:80]!r} is no address of a list", f"{text[:80]!r} không phải địa chỉ danh sách",
            "https://…",
        )  # fmt: skip
    if parts.username or parts.password:
        raise ValueProblem("no name or password in an address", "không để tên, mật khẩu trong URL")
    return text.strip()


def seconds(text: str) -> int:
    """`6h`, `1d`, `30m`: at least a quarter of an hour."""
    match = _EVERY.fullmatch(text.strip())
    span = int(match[1]) * _SECONDS[match[2]] if match else 0
    if span < SHORTEST_EVERY:
        raise ValueProblem(
            f"{text[:20]!r} is no interval", f"{text[:20]!r} không phải chu kỳ", "1d"
        )
    return span


def _refuse_twins(found: tuple[Source, ...], log: Log) -> None:
    seen: set[str] = set()
    for source in found:
        if source.id in seen:
            problem = ValueProblem(f"{source.id!r} is there twice", f"{source.id!r} bị trùng")
            log.add(None, "sources", problem)
        seen.add(source.id)
