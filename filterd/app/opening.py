"""The last policy that ran, over the compiled lists: all that is needed to filter, no database."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path

from filterd.app import clock, lists
from filterd.config import Settings
from filterd.documents import Documents
from filterd.errors import PolicyError
from filterd.live import Ground, LivePolicy, Publish, read_snapshot
from filterd.policy.model import Name
from filterd.policy.tables import Surroundings


def read_first(settings: Settings, documents: Documents) -> None:
    """Have the taxonomy and the last policy read before the workers are forked; ConfigError."""
    kinds, last = documents.taxonomy(), read_snapshot(_snapshot(settings))
    if last is not None:
        with contextlib.suppress(PolicyError):  # told of when it is to run
            documents.policy(last.files, kinds)


async def open_policy(settings: Settings, publish: Publish, documents: Documents) -> LivePolicy:
    """The policy from its file: `loaded` if one ever ran, `enforceable` if there are lists too."""
    snapshot = _snapshot(settings)
    known = documents.taxonomy()
    index, path = await lists.first_index(settings)
    served = tuple(Name(zone) for zone, _ in settings.conditional)
    ground = Ground(known, index, path, Surroundings(served=served), documents.policy)
    live = LivePolicy(ground, publish, snapshot)
    # before the first answer: `watch` goes on judging it with what the database knows
    live.at_trusted = clock.plausible(datetime.now(UTC), clock.seen_by(snapshot))
    live.at_trusted = live.at_trusted and not await asyncio.to_thread(clock.awaited)
    last = read_snapshot(snapshot)
    if last is not None:
        live.tiers = last.tiers
        await live.load(last.revision, last.files)
    return live


def _snapshot(settings: Settings) -> Path:
    return settings.state_dir / "run" / "policy-last.json"
