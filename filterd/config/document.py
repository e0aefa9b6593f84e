"""`filterd.yaml` ⇄ values: every mistake at once, with its line and the nearest known key."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from filterd.config.model import (
    Address,
    CacheSettings,
    GatewaySettings,
    Listen,
    PairSettings,
    Tls,
)
from filterd.config.words import address, interface, network, number_of, plain, upstream
from filterd.errors import ConfigError, Problem

_SPAN = re.compile(r"(\d+)\s*([smhd]?)")
_SPAN_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def read(path: Path, base: Path) -> dict[str, Any]:
    """The fields of `Settings` that the file gives; raises ConfigError with all its mistakes."""
    reader = _Reader(str(path), base)
    values = reader.mapping(reader.parse(path), "", _KEYS)
    if not reader.problems:
        _check_together(reader, values)
    if reader.problems:
        raise ConfigError(reader.problems)
    return values


def _check_together(reader: _Reader, values: Mapping[str, Any]) -> None:
    cache, listen = values.get("cache"), values.get("listen")
    if cache and cache.min_ttl > cache.max_ttl:
        reader.report(None, "cache.min_ttl", "is larger than cache.max_ttl")
    if listen and not (listen.dns or listen.dot or listen.doh):
        reader.report(None, "listen", "nobody can ask: name an address for dns, dot or doh")
    if listen and (listen.dot or listen.doh) and not (listen.tls.certificate and listen.tls.key):
        reader.report(None, "listen.tls", "needs `certificate` and `key` for dot and doh")


class _Reader:
    """Walks the YAML nodes so that every problem can name its line."""

    def __init__(self, file: str, base: Path) -> None:
        self.file = file
        self.base = base
        self.problems: list[Problem] = []

    def parse(self, path: Path) -> yaml.Node | None:
        try:
            return yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
        except OSError as error:
            raise ConfigError(
                [Problem(self.file, None, "(file)", f"cannot be read: {error}")]
            ) from None
        except RecursionError:
            raise ConfigError(
                [Problem(self.file, None, "(file)", "is nested too deeply")]
            ) from None
        except UnicodeDecodeError as error:
            text = f"is not UTF-8 (octet {error.start + 1}): save it as UTF-8"
            raise ConfigError([Problem(self.file, None, "(file)", text)]) from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = None if mark is None else mark.line + 1
            text = getattr(error, "problem", None) or str(error)
            raise ConfigError(
                [Problem(self.file, line, "(file)", f"is not YAML: {text}")]
            ) from None

    def mapping(
        self, node: yaml.Node | None, prefix: str, known: Mapping[str, _Parse]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value, line in self.pairs(node, prefix):
            name = f"{prefix}{key}"
            if key not in known:
                near = difflib.get_close_matches(key, known, 1, 0.5)
                hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}"
                self.report(line, name, "is not a setting", hint)
            elif key in values:
                self.report(line, name, "is given twice")
            else:
                values[key] = None
                self.value(values, key, (value, name, known[key]))
        return values

    def value(self, values: dict[str, Any], key: str, given: tuple[yaml.Node, str, _Parse]) -> None:
        node, name, parse = given
        try:
            values[key] = parse(self, node, name)
        except ValueError as error:
            self.report(node.start_mark.line + 1, name, str(error))

    def pairs(self, node: yaml.Node | None, prefix: str) -> list[tuple[str, yaml.Node, int]]:
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value == ""):
            return []
        if not isinstance(node, yaml.MappingNode):
            line = node.start_mark.line + 1
            self.report(line, prefix.rstrip(".") or "(file)", "must be `key: value` pairs")
            return []
        found = []
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode):
                found.append((str(key.value), value, line))
            else:
                self.report(line, prefix.rstrip(".") or "(file)", "a key must be plain text")
        return found

    def report(self, line: int | None, key: str, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(self.file, line, key, message, hint))


_Parse = Callable[[_Reader, yaml.Node, str], Any]


def _scalar(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError("must be a single value")
    return plain(str(node.value))


def _null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _each(parse: Callable[[str], Any]) -> _Parse:
    def read(reader: _Reader, node: yaml.Node, name: str) -> tuple[Any, ...]:
        if _null(node):
            return ()
        if not isinstance(node, yaml.SequenceNode):
            raise ValueError('must be a list, such as ["…", "…"]')
        items = []
        for item in node.value:
            try:
                items.append(parse(_scalar(item)))
            except ValueError as error:
                reader.report(item.start_mark.line + 1, name, str(error))
        return tuple(items)

    return read


def _truth(reader: _Reader, node: yaml.Node, name: str) -> bool:
    if _scalar(node) not in ("true", "false"):
        raise ValueError(f"`{_scalar(node)}` is neither true nor false")
    return _scalar(node) == "true"


def _paths(reader: _Reader, node: yaml.Node, name: str) -> tuple[Path, ...]:
    return tuple(reader.base / text for text in _each(str)(reader, node, name))


def _optional_address(reader: _Reader, node: yaml.Node, name: str) -> Address | None:
    return None if _null(node) or _scalar(node) == "off" else address(_scalar(node))


def _path(reader: _Reader, node: yaml.Node, name: str) -> Path:
    if _null(node) or not _scalar(node):
        raise ValueError("must be a path")
    return reader.base / _scalar(node)


def _optional_path(reader: _Reader, node: yaml.Node, name: str) -> Path | None:
    return None if _null(node) else _path(reader, node, name)


def _number(low: int, high: int) -> _Parse:
    def read(reader: _Reader, node: yaml.Node, name: str) -> int:
        text = _scalar(node)
        if not low <= (number := number_of(text)) <= high:
            raise ValueError(f"`{text[:40]}` is not a whole number from {low} to {high}")
        return number

    return read


def _workers(reader: _Reader, node: yaml.Node, name: str) -> int:
    if _scalar(node) == "auto":
        return len(os.sched_getaffinity(0))
    return int(_number(1, 256)(reader, node, name))


def _span(reader: _Reader, node: yaml.Node, name: str) -> int:
    match = _SPAN.fullmatch(_scalar(node))
    if not match or number_of(match[1]) < 0:
        raise ValueError(f"`{_scalar(node)}` is not a length of time, such as 90s, 10m, 6h or 3d")
    return int(match[1]) * _SPAN_SECONDS[match[2]]


def _strategy(reader: _Reader, node: yaml.Node, name: str) -> str:
    known = ("parallel", "fastest", "sequential")
    if _scalar(node) not in known:
        raise ValueError(f"`{_scalar(node)}` is none of {', '.join(known)}")
    return _scalar(node)


def _conditional(
    reader: _Reader, node: yaml.Node, name: str
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    urls = _each(upstream)
    found: dict[str, tuple[str, ...]] = {}
    for text, value, line in reader.pairs(node, f"{name}."):
        zone, key = text.lower().rstrip("."), f"{name}.{text}"
        try:
            servers = urls(reader, value, key)
        except ValueError as error:
            reader.report(line, key, str(error))
            continue
        if zone in found:
            reader.report(line, key, "is given twice")
        elif not value.value:
            reader.report(line, key, "names no server to ask")
        found[zone] = servers
    return tuple(found.items())


def _pair(reader: _Reader, node: yaml.Node, name: str) -> PairSettings | None:
    if _null(node):
        return None
    found = reader.mapping(node, f"{name}.", _PAIR)
    lacking = [key for key in _PAIR if found.get(key) is None]
    if lacking:
        raise ValueError(f"needs {', '.join(lacking)} as well")
    return PairSettings(**found)


def _group(make: Callable[..., Any], known: Mapping[str, _Parse]) -> _Parse:
    def read(reader: _Reader, node: yaml.Node, name: str) -> Any:
        return make(**reader.mapping(node, f"{name}.", known))

    return read


_LISTEN: dict[str, _Parse] = {
    "dns": _each(address),
    "dot": _each(address),
    "doh": _each(address),
    "tls": _group(Tls, {"certificate": _optional_path, "key": _optional_path}),
}
_CACHE: dict[str, _Parse] = {
    "size_mib": _number(1, 65536),
    "min_ttl": _number(0, 86400),
    "max_ttl": _number(1, 7 * 86400),
    "stale": _span,
}
_GATEWAY: dict[str, _Parse] = {
    "interfaces": _each(interface),
    "exempt": _each(network),
    "resolver_addresses": _paths,
    "block_vpn": _truth,
    "leases": _paths,
    "measure_paths": _truth,
    "radius": _optional_address,
}
_PAIR: dict[str, _Parse] = {
    "listen": lambda _reader, node, _name: address(_scalar(node)),
    "peer": lambda _reader, node, _name: address(_scalar(node)),
    "certificate": _path,
}
_KEYS: dict[str, _Parse] = {
    "state_dir": _path,
    "workers": _workers,
    "listen": _group(Listen, _LISTEN),
    "allow_from": _each(network),
    "upstreams": _each(upstream),
    "upstream_strategy": _strategy,
    "conditional": _conditional,
    "policies": _path,
    "catalogue": _path,
    "metrics": _optional_address,
    "console": _optional_address,
    "portal": _optional_address,
    "cache": _group(CacheSettings, _CACHE),
    "gateway": _group(GatewaySettings, _GATEWAY),
    "pair": _pair,
    "office_every": _span,
}
