"""What the office publishes to its schools: signed, versioned, expiring, never rolled back. Pure.

A root document names three root keys, of which two must sign every new root, and the release keys
that sign bundles. Root n+1 is signed by two keys of root n and two of its own (as in The Update
Framework, specification 1.0 §5.3), so a stolen release key is replaced without touching a school.
Times come in as arguments; fetching and keeping is the work of `office_link`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from filterd.errors import EvidenceError
from filterd.evidence.canonical import canonical, digest
from filterd.evidence.signing import DeviceKey, fingerprint, fits

ROOT, BUNDLE = "filterd.root/1", "filterd.bundle/1"
MAX_BYTES = 8 * 1024 * 1024
ROOT_KEYS, THRESHOLD = 3, 2


@dataclass(frozen=True, slots=True)
class Root:
    """A root document; keys are raw public keys in hexadecimal."""

    version: int
    expires: datetime
    keys: tuple[str, ...]
    release: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A name that an authority wants blocked, with the document that says so."""

    name: str
    document: str
    issuer: str
    issued: str
    expires: str | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle. `canaries`: category → names below which the office tests; `floor`:
    categories that schools may not open; `catalogue`: text of the list catalogue, if any;
    `methods`: texts of all versions of the method (empty: the school's release has `method`)."""

    version: int
    made: datetime
    expires: datetime
    method: str
    floor: Mapping[str, tuple[str, ...]]
    authority: tuple[Entry, ...]
    canaries: Mapping[str, tuple[str, ...]]
    catalogue: str | None
    digest: str
    methods: Mapping[str, str]

    def in_force(self, day: str) -> tuple[Entry, ...]:
        """The authority's names that have not expired on that ISO day."""
        return tuple(e for e in self.authority if e.expires is None or e.expires >= day)


def sign(kind: str, body: Mapping[str, object], keys: Iterable[DeviceKey]) -> bytes:
    """The envelope of a root or a bundle, signed by each of the keys."""
    text = canonical(body)
    signatures = {
        key.id: base64.b64encode(key.private.sign(_message(kind, text))).decode("ascii")
        for key in keys
    }
    return canonical({"format": kind, "body": text.decode("utf-8"), "signatures": signatures})


def root_body(
    version: int, expires: datetime, keys: Sequence[DeviceKey], release: Sequence[DeviceKey]
) -> dict[str, object]:
    """The body of a root document."""
    return {
        "version": version,
        "expires": expires.isoformat(),
        "keys": [key.public.hex() for key in keys],
        "release": [key.public.hex() for key in release],
    }


def first_root(envelope: bytes) -> Root:
    """A root that is trusted because of how it came (with the enrolment): signed by two of its own.

    EvidenceError `format` or `signature`.
    """
    text, signatures = _open(ROOT, envelope)
    root = _root(text)
    _enough(ROOT, text, signatures, root.keys, THRESHOLD)
    return root


def follow(root: Root, chain: Iterable[bytes], now: datetime) -> Root:
    """The newest root that the chain leads to from a trusted one, each version signed by two keys
    of the one before and two of its own; EvidenceError `expired` when that one is too old."""
    for envelope in chain:
        text, signatures = _open(ROOT, envelope)
        found = _root(text)
        if found.version <= root.version:
            continue
        if found.version != root.version + 1:
            raise EvidenceError("format", f"root {found.version} after root {root.version}")
        _enough(ROOT, text, signatures, root.keys, THRESHOLD)
        _enough(ROOT, text, signatures, found.keys, THRESHOLD)
        root = found
    if root.expires <= now:
        raise EvidenceError("expired", f"root {root.version} expired at {root.expires}")
    return root


def verify(envelope: bytes, root: Root, held: int, now: datetime) -> Bundle:
    """The bundle; `held` is the version in use here (0: none).

    EvidenceError `format`, `signature`, `expired`, or `rollback` for an older version than held.
    """
    text, signatures = _open(BUNDLE, envelope)
    _enough(BUNDLE, text, signatures, root.release, 1)
    bundle = _bundle(text)
    if bundle.version < held:
        raise EvidenceError("rollback", f"bundle {bundle.version}, {held} is in use")
    if bundle.expires <= now:
        raise EvidenceError("expired", f"bundle {bundle.version} expired at {bundle.expires}")
    return bundle


def held(envelope: bytes) -> Bundle:
    """A bundle that was verified when it was taken into use; EvidenceError `format`."""
    return _bundle(_open(BUNDLE, envelope)[0])


def _open(kind: str, envelope: bytes) -> tuple[bytes, Mapping[str, bytes]]:
    if len(envelope) > MAX_BYTES:
        raise EvidenceError("format", f"{len(envelope)} bytes, limit {MAX_BYTES}")
    try:
        raw = json.loads(envelope)
        if raw["format"] != kind:
            raise ValueError(f"not a {kind}")
        signatures = {
            str(key): base64.b64decode(value, validate=True)
            for key, value in raw["signatures"].items()
        }
        return raw["body"].encode("utf-8"), signatures
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError,
            binascii.Error) as error:  # fmt: skip
        raise EvidenceError("format", f"not a {kind}: {error}") from None


def _enough(
    kind: str, text: bytes, signatures: Mapping[str, bytes], keys: Iterable[str], needed: int
) -> None:
    """At least `needed` different keys of these signed the text."""
    good = 0
    text = _message(kind, text)
    for public in sorted({bytes.fromhex(key) for key in keys}):
        signature = signatures.get(fingerprint(public))
        if signature is None:
            continue
        good += fits(public, signature, text)
    if good < needed:
        raise EvidenceError("signature", f"{good} of {needed} needed signatures fit")


def _message(kind: str, text: bytes) -> bytes:
    return f"{kind}\n".encode("ascii") + text


def _root(text: bytes) -> Root:
    try:
        raw = json.loads(text)
        keys = tuple(_key(each) for each in raw["keys"])
        if len(set(keys)) != ROOT_KEYS:
            raise ValueError(f"{len(set(keys))} root keys, {ROOT_KEYS} needed")
        return Root(
            _version(raw), _moment(raw["expires"]), keys,
            tuple(_key(each) for each in raw["release"]), digest(text),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise EvidenceError("format", f"not a root document: {error}") from None


def _bundle(text: bytes) -> Bundle:
    try:
        raw: dict[str, Any] = json.loads(text)
        catalogue = raw.get("catalogue")
        return Bundle(
            version=_version(raw),
            made=_moment(raw["made"]),
            expires=_moment(raw["expires"]),
            method=_text(raw["method"]),
            floor=_names(raw["floor"]),
            authority=tuple(_entry(each) for each in raw["authority"]),
            canaries=_names(raw["canaries"]),
            catalogue=None if catalogue is None else _text(catalogue),
            digest=digest(text),
            methods={_text(k): _text(v) for k, v in raw.get("methods", {}).items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise EvidenceError("format", f"not a bundle: {error}") from None


def _entry(raw: Mapping[str, object]) -> Entry:
    expires = raw["expires"]
    return Entry(
        _text(raw["name"]), _text(raw["document"]), _text(raw["issuer"]), _text(raw["issued"]),
        None if expires is None else _text(expires),
    )  # fmt: skip


def _names(raw: Mapping[str, Sequence[object]]) -> dict[str, tuple[str, ...]]:
    return {_text(key): tuple(_text(each) for each in values) for key, values in raw.items()}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"text expected, not {type(value).__name__}")
    return value


def _key(value: object) -> str:
    key = _text(value)
    if len(bytes.fromhex(key)) != 32:
        raise ValueError("a key is not 32 octets")
    return key


def _version(raw: Mapping[str, object]) -> int:
    version = raw["version"]
    if type(version) is not int or version < 1:
        raise ValueError("version is not a whole number from 1")
    return version


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(cast("str", value))
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment
