"""What the settings name, read by the rooms that will use it: before anything starts.

A worker that finds such a mistake can only answer SERVFAIL, and nobody looks into its log.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from filterd.config import Address, Settings
from filterd.errors import ConfigError, Problem
from filterd.upstream.endpoint import parse
from filterd.wire.names import from_text, to_wire

Found = tuple[str, str]
"""The key of the settings and what is wrong with it."""


def check(settings: Settings) -> None:
    """Raises ConfigError with everything that cannot work."""
    file = str(settings.source or "filterd.yaml")
    found = [*_upstreams(settings), *_addresses(settings), *_certificate(settings)]
    if found:
        raise ConfigError([Problem(file, None, key, text) for key, text in found])


def _upstreams(settings: Settings) -> Iterator[Found]:
    yield from _unreadable("upstreams", settings.upstreams)
    for zone, servers in settings.conditional:
        key = f"conditional.{zone}"
        try:
            to_wire(from_text(zone))
        except ValueError as error:
            yield key, f"is not a zone: {error}"
        yield from _unreadable(key, servers)


def _unreadable(key: str, texts: tuple[str, ...]) -> Iterator[Found]:
    for text in texts:
        try:
            parse(text)
        except ValueError as error:
            yield key, f"`{text}` is not an upstream: {error}"


def _addresses(settings: Settings) -> Iterator[Found]:
    """A port has one owner. Of a second the system would say that filterd itself holds it."""
    listen, pair = settings.listen, settings.pair
    wanted: list[tuple[str, Address | None]] = [
        *(("listen.dns", each) for each in listen.dns),
        *(("listen.dot", each) for each in listen.dot),
        *(("listen.doh", each) for each in listen.doh),
        ("metrics", settings.metrics),
        ("console", settings.console),
        ("portal", settings.portal),
        ("pair.listen", pair.listen if pair is not None else None),
    ]
    taken: dict[Address, str] = {}
    for key, address in wanted:
        if address is None or not address.port:
            continue
        if address in taken:
            yield key, f"{address} is taken by {taken[address]}: give each its own port"
        taken.setdefault(address, key)


def _certificate(settings: Settings) -> Iterator[Found]:
    listen = settings.listen
    if not (listen.dot or listen.doh):
        return
    import ssl  # most schools have no encrypted listener

    from filterd.listen import key_pair

    try:
        key_pair.check(_readable(listen.tls.certificate), _readable(listen.tls.key))
    except ssl.SSLError as error:
        reason = "they do not belong together" if "MISMATCH" in str(error) else str(error)
        files = f"{listen.tls.certificate} and {listen.tls.key}"
        yield "listen.tls", f"{files} are no certificate (PEM) with its key: {reason}"
    except (OSError, ValueError) as error:
        yield "listen.tls", str(error)


def _readable(path: Path | None) -> Path:
    if path is None:
        raise ValueError("needs `certificate` and `key` for dot and doh")
    with path.open("rb"):  # the ssl module does not say which of the two it could not open
        return path
