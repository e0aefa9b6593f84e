"""The school's line to its office: fetch the signed bundle, take it into use, answer proof rounds.

Owns `state_dir/office` (the trusted root, the bundle in use) and the office's lists beside the
compiled index. A bundle that is not signed, older or expired changes nothing, and what is in use
stays in use. The root of trust comes over the enrolled TLS line at the first fetch and is followed
from there (`bundle.follow`).
"""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filterd import whole_files
from filterd.errors import EvidenceError
from filterd.evidence import bundle
from filterd.evidence.bundle import Bundle, Root
from filterd.evidence.canonical import canonical
from filterd.evidence.courier import Office
from filterd.evidence.signing import DeviceKey
from filterd.evidence.versions import Versions, of_bundle

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 20.0
PROOF = "proof"
MAX_NAMES = 60
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
Apply = Callable[[], Awaitable[None]]
Ask = Callable[[Sequence[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Folders:
    """`state`: what this module remembers; `lists`: `<category>.txt`, laid over the index."""

    state: Path
    lists: Path


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one round did; `version` is the bundle now in use (0: none), `error` why not a newer."""

    version: int
    changed: bool
    proof: bool = False
    error: str | None = None


class OfficeLink:
    """`apply` makes the lists in the folder take effect; `ask` asks names as a pupil's device."""

    def __init__(
        self,
        folders: Folders,
        key: DeviceKey,
        clock: Callable[[], datetime],
        apply: Apply,
        ask: Ask,
    ) -> None:
        self._folders, self._key, self._clock = folders, key, clock
        self._apply, self._ask = apply, ask
        self._etag = ""
        self._versions: Versions | None = None
        self._read = False

    def versions(self) -> Versions | None:
        """The method's versions in the bundle in use; None: there is none that can be used, and
        what was gone by before goes on."""
        if not self._read:
            self._read = True
            with contextlib.suppress(OSError, EvidenceError):
                self._go_by(bundle.held((self._folders.state / "bundle.json").read_bytes()))
        return self._versions

    def _go_by(self, found: Bundle) -> str | None:
        """Take the bundle's versions; what is wrong with them, if anything. An authority's names
        must not wait because a method cannot be read, so the bundle is used all the same."""
        try:
            self._versions, self._read = of_bundle(found.method, found.methods), True
        except EvidenceError as error:
            return str(error)
        return None

    @property
    def version(self) -> str | None:
        """The bundle in use, as the daily summary names it."""
        held = self._held()
        return str(held) if held else None

    def told(self) -> dict[str, object] | None:
        """Version, expiry and method of the bundle in use, and why this box cannot go by that one
        (`method_fault`, else None), for people; None: none is."""
        try:
            found = json.loads((self._folders.state / "in-use.json").read_bytes())
        except (OSError, ValueError):
            return None
        expired = datetime.fromisoformat(found["expires"]) <= self._clock()
        return {**found, "expired": expired}

    def carried(self, held: int) -> bytes | None:
        """The bundle in use with its root, for the other of two boxes which has version `held`."""
        if self._held() <= held:
            return None
        root, envelope = (self._folders.state / name for name in ("root.json", "bundle.json"))
        told = {"root": root.read_text("utf-8"), "bundle": envelope.read_text("utf-8")}
        return json.dumps(told).encode()

    async def take(self, carried: bytes) -> int:
        """Use the bundle that the other box has in use, also one whose day is over: both answer by
        the same. Its version; EvidenceError when the office did not sign it."""
        try:
            raw = json.loads(carried)
            texts = raw["root"].encode(), raw["bundle"].encode()
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EvidenceError("format", "the other box's bundle cannot be read") from None
        held = self._held()
        found = bundle.verify(texts[1], bundle.first_root(texts[0]), held, _ANY_TIME)
        if found.version > held:
            _write(self._folders.state / "root.json", texts[0])
            self._use(found, texts[1])
            await self._apply()
        return found.version

    async def next_day(self) -> bool:
        """An authority's name ends on its day, also when the office sends nothing new."""
        told = self.told()
        if told is None or told["day"] == self._clock().date().isoformat():
            return False
        envelope = (self._folders.state / "bundle.json").read_bytes()
        self._use(bundle.held(envelope), envelope)
        await self._apply()
        return True

    async def round(self, office: Office) -> Pulled:
        """One visit to the office; never raises for a line that is down or a bundle that is bad."""
        import httpx  # 7 MiB, for schools that have an office alone

        changed, proof, error = False, False, None
        try:
            await self.next_day()
            async with _session(office) as session:
                changed = await self._pull(session)
                proof = await self._prove(session)
        except httpx.HTTPError as failure:
            error = f"{type(failure).__name__}: {failure}"
        except (EvidenceError, OSError) as failure:
            error = str(failure)
        return Pulled(self._held(), changed, proof, error)

    async def _pull(self, session: httpx.AsyncClient) -> bool:
        headers = {"if-none-match": self._etag} if self._etag else {}
        reply = await session.get("bundle/bundle.json", headers=headers)
        if reply.status_code in (304, 404):
            return False
        reply.raise_for_status()
        roots = await session.get("bundle/root.json")
        roots.raise_for_status()
        root = self._root(roots.content)
        held = self._held()
        found = bundle.verify(reply.content, root, held, self._clock())
        if found.version > held:
            self._use(found, reply.content)
            await self._apply()
        self._etag = reply.headers.get("etag", "")
        return found.version > held

    def _root(self, content: bytes) -> Root:
        """The newest root that is reached from the trusted one; it is trusted from now on."""
        try:
            chain = [canonical(each) for each in json.loads(content)]
        except (ValueError, TypeError):
            raise EvidenceError("format", "the root chain cannot be read") from None
        path = self._folders.state / "root.json"
        if path.exists():
            trusted = bundle.first_root(path.read_bytes())
        elif chain:
            trusted = bundle.first_root(chain[0])
        else:
            raise EvidenceError("format", "the root chain is empty")
        root = bundle.follow(trusted, chain, self._clock())
        newest = next((e for e in chain if bundle.first_root(e).digest == root.digest), None)
        if newest is not None:
            _write(path, newest)
        return root

    def _use(self, found: Bundle, envelope: bytes) -> None:
        """The lists first, the version last: a power cut in between only repeats the work."""
        day = self._clock().date().isoformat()
        wanted: dict[str, list[str]] = {
            category: list(names) for category, names in found.canaries.items()
        }
        wanted.setdefault("authority", []).extend(e.name for e in found.in_force(day))
        folder = self._folders.lists
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        _write(folder / "floor.json", canonical({k: list(v) for k, v in found.floor.items()}))
        if found.catalogue is not None:
            _write(folder / "catalogue.yaml", found.catalogue.encode())
        else:
            (folder / "catalogue.yaml").unlink(missing_ok=True)
        for category, names in wanted.items():
            # $important: no exception in a list, the school's own included, opens these.
            lines = "".join(f"||{name}^$important\n" for name in sorted(set(names)))
            if category.replace("_", "").isalnum():
                _write(folder / f"{category}.txt", lines.encode())
        for path in folder.glob("*.txt"):
            if path.stem not in wanted:
                path.unlink()
        _write(self._folders.state / "bundle.json", envelope)
        self.versions()  # what an unreadable method of this bundle leaves in force
        told = {"day": day, "expires": found.expires.isoformat(), "method": found.method,
                "method_fault": self._go_by(found), "version": found.version}  # fmt: skip
        _write(self._folders.state / "in-use.json", canonical(told))
        _write(self._folders.state / "version", str(found.version).encode())

    def _held(self) -> int:
        try:
            return int((self._folders.state / "version").read_text("ascii"))
        except (OSError, ValueError):
            return 0

    async def _prove(self, session: httpx.AsyncClient) -> bool:
        """Ask the names of a round that is due, through our own filter, as any pupil would."""
        at = self._clock().isoformat(timespec="seconds")
        signed = self._key.sign(PROOF, canonical({"at": at, "device": self._key.id}))
        reply = await session.post("api/v1/proof", content=signed.encode())
        if reply.status_code != 200:
            return False
        names = reply.json().get("names") if reply.content else None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise EvidenceError("format", "the names of the round cannot be read")
        await self._ask([name for name in names if ".canary." in name][:MAX_NAMES])
        return True


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    whole_files.replace(path, content)


def _session(office: Office) -> httpx.AsyncClient:
    import httpx

    return httpx.AsyncClient(
        base_url=office.url.rstrip("/") + "/",
        headers={"content-type": "application/json"},
        verify=ssl.create_default_context(cadata=office.ca),
        timeout=TIMEOUT_S,
        trust_env=False,
    )
