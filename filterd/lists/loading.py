"""One list file from disk to `Parsed`: unpack, detect, run the parser behind the bulk filter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import IO

from filterd.errors import ListError
from filterd.lists import bulk, reader
from filterd.lists.detect import SAMPLE_LINES, detect
from filterd.lists.entry import Why
from filterd.lists.formats import FORMATS, Options, parse
from filterd.lists.formats.ut1 import parse_unusable
from filterd.lists.parsed import Parsed, gather

UT1_MEMBERS = frozenset(("domains", "urls", "expressions"))


def load(
    path: Path, format_name: str, options: Options, caps: reader.Caps = reader.DEFAULT_CAPS
) -> tuple[str, Parsed]:
    """The list in a file and the format it is in (`auto`: found out); ListError if unreadable."""
    with reader.opened(path, caps) as plain:
        return load_stream(plain, format_name, options, caps)


def load_stream(
    plain: IO[bytes], format_name: str, options: Options, caps: reader.Caps
) -> tuple[str, Parsed]:
    """The same for an open, plain stream."""
    blocks: Iterable[bytes] = _bounded(reader.blocks(plain), caps)
    if format_name == "auto":
        head = list(islice(blocks, 1))
        found = detect(_sample(head))
        if found is None:
            return "domains", Parsed()
        format_name, blocks = found, chain(head, blocks)
    if format_name not in FORMATS:
        raise ListError(f"unknown list format {format_name!r}: one of {', '.join(FORMATS)}")
    parsed = Parsed()
    lines = bulk.slow_lines(blocks, bulk.shapes(format_name, options), parsed)
    gather(parse(format_name, lines, options), parsed)
    return format_name, parsed


def _bounded(blocks: Iterable[bytes], caps: reader.Caps) -> Iterator[bytes]:
    """The blocks until they hold too many lines; counted here because runs never reach a parser."""
    seen = 0
    for block in blocks:
        seen += block.count(b"\n")
        if seen > caps.lines:
            raise ListError(f"more than {caps.lines:,} lines: refused")
        yield block


def _sample(blocks: list[bytes]) -> Iterator[str]:
    for block in blocks:
        for line in block.split(b"\n", 8 * SAMPLE_LINES)[: 8 * SAMPLE_LINES]:
            yield line.decode("utf-8", "replace")


def load_ut1(
    path: Path,
    options: Options,
    caps: reader.Caps = reader.DEFAULT_CAPS,
    only: Collection[str] | None = None,
) -> dict[str, Parsed]:
    """UT1 directories (an archive, or a folder on disk) as one `Parsed` per category directory;
    `only`: no others are read."""
    found: dict[str, Parsed] = {}
    for name, content in _ut1_files(path, caps):
        category, kind = name.parent.name, name.name
        if only is not None and category not in only:
            continue
        if kind == "domains":
            _, parsed = load_stream(content, "ut1", options, caps)
        else:
            parsed = Parsed()
            why = Why.URL if kind == "urls" else Why.REGEX
            lines = bulk.slow_lines(_bounded(reader.blocks(content), caps), (), parsed)
            gather(parse_unusable(lines, why), parsed)
        found[category] = _joined(found.get(category), parsed)
    return found


def _ut1_files(path: Path, caps: reader.Caps) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    if not path.is_dir():
        for member in reader.members(path, caps):
            name = PurePosixPath(member.name)
            if name.name in UT1_MEMBERS and name.parent.name:
                yield name, member.content
        return
    for file in sorted(path.rglob("*")):
        if file.name in UT1_MEMBERS and file.is_file() and not file.is_symlink():
            with reader.opened(file, caps) as content:
                yield PurePosixPath(file.relative_to(path.parent).as_posix()), content


def _joined(before: Parsed | None, parsed: Parsed) -> Parsed:
    """Line numbers stay those of `domains`, the only file whose lines an answer can name."""
    if before is None:
        return parsed
    main, other = (before, parsed) if before.groups else (parsed, before)
    main.dropped.update(other.dropped)
    main.samples.update(other.samples)
    main.lines += other.lines
    return main
