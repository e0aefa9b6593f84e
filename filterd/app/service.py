"""The service: every part built, started and stopped in order.

Order of the start: sockets (or exit), the last policy and the lists, workers — from here on
questions are answered — then the database, the control socket, metrics and the web pages.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filterd.app import clock, lists, pair, stores
from filterd.app.evidence import Evidence
from filterd.app.first_start import first_account, policy_files, welcome
from filterd.app.list_facts import ListFacts
from filterd.app.lookup import Lookup
from filterd.app.methods import Methods, Parts
from filterd.app.office import OfficeLine
from filterd.app.pair import PairLine
from filterd.app.presence import PresenceWatch
from filterd.app.readings import Readings
from filterd.app.refreshing import refresher
from filterd.app.seen import SeenLately
from filterd.app.state_dir import Holder
from filterd.app.watch import Regular, Watch
from filterd.config import Settings
from filterd.control.evidence import routes as evidence_routes
from filterd.control.owner import Owner
from filterd.control.protocol import Routes
from filterd.control.server import ControlServer
from filterd.control.signin import Passwords, SignIn
from filterd.errors import StorageError
from filterd.live import Ground, LivePolicy, Stored, read_snapshot
from filterd.metrics import counters
from filterd.metrics.endpoints import MetricsEndpoint
from filterd.policy import taxonomy
from filterd.policy.model import Name
from filterd.policy.tables import Surroundings
from filterd.storage.database import Newer
from filterd.storage.revisions import Edit
from filterd.storage.vault import Vault
from filterd.supervise.canary import filter_works
from filterd.supervise.fleet import Fleet
from filterd.supervise.notify import Notifier
from filterd.supervise.pages import Page, available
from filterd.supervise.proof import prove
from filterd.supervise.sockets import Sockets, open_sockets
from filterd.supervise.worker import Plan
from filterd.tasks import spawn

_log = logging.getLogger("filterd")
_RETRY_SECONDS = 2.0
_MAX_LAG_SECONDS = 1.0
_PAGES = (("console", "admin_ui.school"), ("portal", "admin_ui.portal"))


class Service:
    """One supervisor. `start` once, `stop` once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._closing: list[Callable[[], Any]] = []
        self._live: LivePolicy | None = None
        self._reloading = self._reload_wanted = False
        self._notifier = Notifier()

    async def start(self, say: Callable[[str], None]) -> None:
        """Start everything; raises ConfigError before anything runs when it cannot."""
        settings = self.settings
        holder = Holder.take(settings.state_dir)
        self._closing.append(holder.release)
        if settings.pair is not None:
            pair.tell(settings.state_dir / "run", pair.Standing())  # until they have compared
        sockets = open_sockets(settings.listen, str(settings.source or "filterd.yaml"))
        self._closing.append(sockets.close)
        live = self._live = await self._policy()
        who = PresenceWatch(settings, live)
        fleet = await self._workers(live, sockets, who)
        # from here on questions are answered: systemd may know, whatever the database does
        self._closing.append(spawn(prove(self._notifier, self._works), "proof").cancel)
        await who.start(fleet)
        self._closing.append(who.stop)
        owner = await self._storage(live, fleet)
        sign_in = SignIn(owner, Passwords())
        password = await first_account(owner, sign_in.passwords, owner.clock())
        pages = self._pages()
        seen = SeenLately(fleet, owner.clock, lambda: live.running.policy.time_zone)
        keeper = refresher(settings, live, owner.clock)
        facts = ListFacts(keeper.library, owner.clock)
        look = Lookup(settings)
        self._closing.append(look.close)
        methods = Methods(owner, live, sign_in, Parts(seen, who, keeper, facts, look))
        evidence = Evidence(owner, live, seen)
        routes = {**methods.routes, **evidence_routes(owner, evidence.door)}
        await self._doors(routes, sign_in, pages)
        await facts.refresh()
        gathered = Readings(settings, live, fleet)
        gathered.add(evidence.readings)
        gathered.add(facts.readings)
        await self._metrics(gathered)
        watch = Watch(owner, live, Regular(seen, facts))
        await watch.start()
        self._closing.append(watch.stop)
        self._closing.append(spawn(keeper.run(), "lists.refresher").cancel)
        await evidence.start()
        self._closing.append(evidence.stop)
        if settings.pair is not None:
            other = PairLine(owner, live, settings.pair)
            other.start()
            self._closing.append(other.stop)
        line = OfficeLine(evidence.recorder, keeper, owner, live)
        evidence.bundle_of(line.link)
        line.start()
        self._closing.append(line.stop)
        shown = {page.module.rpartition(".")[2]: page.address for page in pages}
        say(welcome(settings, shown, password))

    async def _doors(self, routes: Routes, sign_in: SignIn, pages: list[Page]) -> None:
        """The control socket, then the pages that speak through it."""
        server = ControlServer(
            routes, sign_in.identify,
            lambda: frozenset(page.pid for page in pages if page.pid is not None),
        )  # fmt: skip
        await server.start(self.settings.control_socket)
        self._closing.append(server.stop)
        for page in pages:
            page.start()
            self._closing.append(page.stop)

    async def _policy(self) -> LivePolicy:
        """The last policy that ran, from its file, so that no database is needed to filter."""
        settings = self.settings
        known = taxonomy.load(settings.blocklists)
        index, path = await lists.first_index(settings)
        served = tuple(Name(zone) for zone, _ in settings.conditional)
        ground = Ground(known, index, path, Surroundings(served=served))
        live = LivePolicy(ground, self._publish, self._snapshot)
        # before the first answer: `watch` goes on judging it with what the database knows
        live.at_trusted = clock.plausible(_now(), clock.seen_by(self._snapshot))
        live.at_trusted = live.at_trusted and not clock.awaited()
        last = read_snapshot(self._snapshot)
        if last is not None:
            live.tiers = last.tiers
            await live.load(last.revision, last.files)
        return live

    async def _workers(self, live: LivePolicy, sockets: Sockets, who: PresenceWatch) -> Fleet:
        settings = self.settings
        path = settings.state_dir / "run" / "counters"
        counters.create(path, settings.workers)
        secret = secrets.token_hex(16)

        def first(number: int) -> list[dict[str, Any]]:
            start = {"do": "start", **sockets.numbers(), "settings": settings.for_worker(),
                     "counters": str(path), "slot": number, "secret": secret}  # fmt: skip
            if not live.enforceable:
                return [start]
            return [{**start, "hold": True}, who.frame(), live.frame()]

        inherited = [each.fileno() for each in sockets.all()]
        self._fleet = Fleet(settings.workers, Plan(first, inherited))
        self._closing.append(self._fleet.stop)
        if live.loaded:
            await self._fleet.start()
        return self._fleet

    _fleet: Fleet | None = None

    async def _publish(self, frame: dict[str, Any]) -> None:
        if self._fleet is not None and frame["index"]:
            await self._fleet.tell(frame)

    async def _storage(self, live: LivePolicy, fleet: Fleet) -> Owner:
        """Open the database, however long another program holds it; filtering goes on."""
        while True:
            try:
                database, rescue = await stores.open_stores(self.settings)
                break
            except Newer:
                raise
            except StorageError as error:
                if not live.loaded:
                    raise
                _log.error("%s; filtering goes on with the last policy", error)
                await asyncio.sleep(_RETRY_SECONDS)
        self._closing.append(database.close)
        all_stores = stores.stores_of(database)
        live.attach(Stored(database, all_stores.audit))
        vault = Vault.at(self.settings.state_dir / "keys" / "secrets.key")
        owner = Owner(self.settings, all_stores, vault, _now, fleet)
        if rescue is not None:
            _log.error("the database was damaged: kept as %s, restored from %s", rescue.damaged,
                       rescue.backup or "nothing")  # fmt: skip
        await self._current_revision(owner, live)
        if not fleet.ready:
            await fleet.start()
        return owner

    async def _current_revision(self, owner: Owner, live: LivePolicy) -> None:
        """Run the newest stored revision; store the first one when there is none."""
        newest = await owner.stores.revisions.newest()
        if newest is not None:
            if not live.loaded or live.running.revision != newest.number:
                await live.load(newest.number, newest.files)
            return
        if live.loaded:
            edit = Edit("filterd", "khôi phục bản đang chạy / the last policy restored", _now())
            await live.first(live.running.files, edit)
        else:
            files = await asyncio.to_thread(policy_files, self.settings.policies)
            await live.first(files, Edit("filterd", "lần chạy đầu / first start", _now()))

    async def _metrics(self, readings: Readings) -> None:
        address = self.settings.metrics
        if address is None:
            return
        token = metrics_token(self.settings.state_dir / "keys" / "metrics.token")
        endpoint = MetricsEndpoint(readings.gather, token)
        try:
            await endpoint.start(address.host, address.port)
        except OSError as error:
            _log.error("no metrics at %s: %s", address, error)
            return
        self._closing.append(endpoint.stop)

    def _pages(self) -> list[Page]:
        wanted = (self.settings.console, self.settings.portal)
        return [
            Page(module, address, self.settings.control_socket)
            for (_, module), address in zip(_PAGES, wanted, strict=True)
            if address is not None and available(module)
        ]

    @property
    def _snapshot(self) -> Any:
        return self.settings.state_dir / "run" / "policy-last.json"

    async def reload(self) -> None:
        """SIGHUP: take newly compiled lists into use; settings need a restart.

        Signals that come while this is under way are one reload more, however many they are.
        """
        self._reload_wanted = True
        if self._reloading:
            return
        self._reloading = True
        try:
            while self._reload_wanted:
                self._reload_wanted = False
                await self._reload()
        finally:
            self._reloading = False

    async def _reload(self) -> None:
        live = self._live
        if live is None:
            return
        try:
            await live.use_lists(*await asyncio.to_thread(lists.open_lists, self.settings))
        except Exception as error:
            _log.error("reload: %s; what runs goes on", error)

    async def _works(self) -> bool:
        """Whether a worker is quick enough and the canary questions come out right."""
        lags = [s.lag for s in self._fleet.states() if s.lag is not None] if self._fleet else []
        if not lags or min(lags) > _MAX_LAG_SECONDS:
            return False
        return await filter_works(self.settings.listen.dns[0])

    async def stop(self) -> None:
        """Stop everything in the reverse order; one part's failure does not keep the others."""
        self._notifier.send("STOPPING=1")
        for close in reversed(self._closing):
            with contextlib.suppress(Exception):
                found = close()
                if asyncio.iscoroutine(found):
                    await found
        self._closing.clear()


def metrics_token(path: Path) -> str:
    """The bearer token of `/metrics/local`, made on the first start (0600)."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    return path.read_text("ascii").strip()


def _now() -> datetime:
    return datetime.now(UTC)
