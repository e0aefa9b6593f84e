"""List files in a folder, for `filterd lists compile --from`: which category each one is for.

By the catalogue (a file named after a source's id or after the last part of its address), else by
words in its name. A file that says nothing is left out and told, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from filterd.lists import reader
from filterd.lists.catalogue import Source
from filterd.lists.job import JobList

WORDS: dict[str, str] = {
    "adult": "porn", "nsfw": "porn", "xxx": "porn", "porno": "porn",
    "malicious": "malware", "antimalware": "malware", "threat": "malware", "tif": "malware",
    "nocoin": "malware", "urlhaus": "malware", "ransomware": "malware", "virus": "malware",
    "scam": "phishing", "fraud": "phishing", "chongluadao": "phishing", "abuse": "phishing",
    "tracking": "ads", "adguard": "ads", "abpvn": "ads", "hostsvn": "ads", "light": "ads",
    "gameconsole": "ads", "pro": "ads",
    "doh": "bypass", "vpn": "bypass", "proxy": "bypass", "proxies": "bypass", "tor": "bypass",
    "dyndns": "bypass", "urlshortener": "bypass", "nosafesearch": "bypass", "relay": "bypass",
    "encrypted": "bypass", "tiktok": "social", "redirector": "bypass", "drogue": "drugs",
    "agressif": "violence", "warez": "piracy", "suicide": "self_harm", "tlds": "malware",
    "browsers": "bypass", "facebook": "social", "twitter": "social", "vaping": "drugs",
}  # fmt: skip
"""Words of file names in public collections, beside the category ids themselves."""

NOT_LISTS = frozenset(
    ("whitelist", "allowlist", "allow", "white", "safesearch", "readme", "manifest")
)
_ENDINGS = re.compile(r"\.(?:xz|gz|zst|zstd)$")
_SKIPPED = re.compile(r"\.(?:json|csv|md|html?|dat|pdf|zip|dnsperf\.txt|yaml|part)$")
UT1_MEMBERS: dict[str, str] = {
    "adult": "porn", "mixed_adult": "porn", "lingerie": "porn", "agressif": "violence",
    "aggressive": "violence", "violence": "violence", "malware": "malware",
    "cryptojacking": "malware", "stalkerware": "malware", "ddos": "malware",
    "phishing": "phishing", "gambling": "gambling",
    "drogue": "drugs", "drugs": "drugs", "dating": "dating", "games": "games", "warez": "piracy",
    "social_networks": "social", "redirector": "bypass", "strict_redirector": "bypass",
    "strong_redirector": "bypass", "doh": "bypass", "vpn": "bypass",
    "residential-proxies": "bypass", "remote-control": "bypass", "publicite": "ads",
    "ads": "ads", "shopping": "shopping",
    "chat": "chat", "ai": "genai", "audio-video": "video", "hacking": "malware", "sect": "hate",
    "dangerous_material": "violence",
}  # fmt: skip
"""Directories of UT1 (dsi.ut-capitole.fr/blacklists) that mean what a category of ours means."""


_UT1_FILES = {
    "domains": "",
    "urls": "addresses of pages: DNS sees only names",
    "expressions": "expressions over addresses of pages: DNS sees only names",
    "usage": "not a blocklist",
}
"""Files of a UT1/squidGuard category directory, and why all but `domains` are of no use here."""


@dataclass(frozen=True, slots=True)
class Found:
    """Lists to compile, and the files that were left out, each with the reason."""

    lists: tuple[JobList, ...]
    left_out: tuple[tuple[str, str], ...]


def discover(folder: Path, sources: Sequence[Source], categories: Collection[str]) -> Found:
    """Every list file below `folder` (or the one file it names)."""
    by_name = dict(_names(sources))
    lists: list[JobList] = []
    left_out: list[tuple[str, str]] = []
    for path in _files(folder):
        shown = path.relative_to(folder).as_posix() if path != folder else path.name
        stem = _ENDINGS.sub("", path.name.lower())
        source = by_name.get(stem) or by_name.get(stem.rpartition(".")[0])
        if source is None and (_SKIPPED.search(stem) or NOT_LISTS & _words(shown)):
            left_out.append((shown, "not a blocklist"))
        elif source is not None:
            lists.append(_of_source(source, path, shown))
        elif stem in _UT1_FILES and path.parent != folder:
            if (found := _of_directory(path, shown, categories)) is not None:
                lists.append(found)
            else:
                left_out.append((shown, _UT1_FILES[stem] or "its directory is no known category"))
        elif stem.endswith(".tar") or stem.endswith(".tgz"):
            members = {k: v for k, v in UT1_MEMBERS.items() if v in categories}
            lists.append(JobList(_id(stem), "", str(path), "ut1", members=members, file=shown))
        elif category := category_of(shown, categories):
            lists.append(JobList(_id(shown), category, str(path), file=shown))
        else:
            left_out.append((shown, "no category: name it after one, or add it to the catalogue"))
    return Found(tuple(_distinct(lists)), tuple(left_out))


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
        return
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield path


def _names(sources: Sequence[Source]) -> Iterator[tuple[str, Source]]:
    for source in sources:
        yield source.id, source
        if source.file is not None:
            continue
        for address in (source.url, *source.mirrors):
            if address:
                name = PurePosixPath(urlsplit(address).path).name.lower()
                yield _ENDINGS.sub("", name), source
    # Shipped files last: their plain names ("ads.txt") are what a folder of one's own has too.


def _of_source(source: Source, path: Path, shown: str) -> JobList:
    return JobList(
        source.id, source.category, str(path), source.format, source.match,
        private_suffixes=source.private_suffixes, members=dict(source.members), file=shown,
    )  # fmt: skip


def _of_directory(path: Path, shown: str, categories: Collection[str]) -> JobList | None:
    """The `domains` file of an unpacked UT1 category directory; None for its other files."""
    directory = path.parent.name.lower()
    category = UT1_MEMBERS.get(directory, directory)
    if _ENDINGS.sub("", path.name.lower()) != "domains" or category not in categories:
        return None
    return JobList(_id(f"ut1_{directory}"), category, str(path), "domains", file=shown)


def _words(text: str) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", text.lower()))


def category_of(name: str, categories: Collection[str]) -> str | None:
    """The category that the words of a file name speak of, the last word first."""
    stem = PurePosixPath(name).name.lower()
    for category in sorted(categories, key=len, reverse=True):
        if category in stem.replace("-", "_"):
            return category
    for word in reversed(re.split(r"[^a-z0-9]+", name.lower())):
        if WORDS.get(word) in categories:
            return WORDS[word]
    return None


def _id(shown: str) -> str:
    stem = _ENDINGS.sub("", shown.lower())
    return re.sub(r"[^a-z0-9]+", "_", stem.removesuffix(".txt")).strip("_")[:63] or "list"


def _distinct(lists: list[JobList]) -> Iterator[JobList]:
    """The same list under two names of a source is taken once."""
    seen: set[str] = set()
    for each in lists:
        if each.id not in seen:
            seen.add(each.id)
            yield each


def is_archive(path: Path) -> bool:
    """Whether the file holds a tar archive, under whatever compression."""
    return reader.is_tar(path)
