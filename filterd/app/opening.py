"""The last policy that ran, over the compiled lists: all that is needed to filter, no database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from filterd.app import clock, lists
from filterd.config import Settings
from filterd.live import Ground, LivePolicy, Publish, read_snapshot
from filterd.policy import taxonomy
from filterd.policy.model import Name
from filterd.policy.tables import Surroundings


async def open_policy(settings: Settings, publish: Publish) -> LivePolicy:
    """The policy from its file: `loaded` if one ever ran, `enforceable` if there are lists too."""
    snapshot = settings.state_dir / "run" / "policy-last.json"
    known = taxonomy.load(settings.blocklists)
    index, path = await lists.first_index(settings)
    served = tuple(Name(zone) for zone, _ in settings.conditional)
    live = LivePolicy(Ground(known, index, path, Surroundings(served=served)), publish, snapshot)
    # before the first answer: `watch` goes on judging it with what the database knows
    live.at_trusted = clock.plausible(datetime.now(UTC), clock.seen_by(snapshot))
    live.at_trusted = live.at_trusted and not await asyncio.to_thread(clock.awaited)
    last = read_snapshot(snapshot)
    if last is not None:
        live.tiers = last.tiers
        await live.load(last.revision, last.files)
    return live
