"""The service behind the workers: every part built, started and stopped in order.

Order of the start: `front` (sockets or exit, workers, the last policy and the lists) — from there
on questions are answered — then the database, the control socket, metrics and the web pages.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from filterd import whole_files
from filterd.app import stores
from filterd.app.evidence import Evidence
from filterd.app.first_start import first_account, policy_files, welcome
from filterd.app.front import Front
from filterd.app.list_facts import ListFacts
from filterd.app.lookup import Lookup
from filterd.app.methods import Methods, Parts
from filterd.app.office import OfficeLine
from filterd.app.presence import PresenceWatch
from filterd.app.readings import Readings
from filterd.app.refreshing import refresher
from filterd.app.seen import SeenLately
from filterd.app.watch import Regular, Watch
from filterd.control.evidence import routes as evidence_routes
from filterd.control.owner import Owner
from filterd.control.protocol import Routes
from filterd.control.server import ControlServer
from filterd.control.signin import Passwords, SignIn
from filterd.errors import StorageError
from filterd.evidence import apart
from filterd.live import LivePolicy, Stored
from filterd.metrics.endpoints import MetricsEndpoint
from filterd.storage.database import Newer
from filterd.storage.revisions import Edit
from filterd.storage.vault import Vault
from filterd.supervise.fleet import Fleet
from filterd.supervise.pages import Page, available
from filterd.tasks import spawn

_log = logging.getLogger("filterd")
_RETRY_SECONDS = 2.0
_PAGES = (("console", "admin_ui.school"), ("portal", "admin_ui.portal"))


class Service:
    """What a supervisor is besides its front, which also ends it. `start` once."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self.settings = front.settings
        self._closing = front.closing

    async def start(self, say: Callable[[str], None]) -> None:
        """Start all that is behind the workers; raises ConfigError or StorageError."""
        settings, live, fleet = self.settings, self._front.live, self._front.fleet
        who = PresenceWatch(settings, live)
        self._front.neighbours = who.frame
        await who.start(fleet)
        self._closing.append(who.stop)
        owner = await self._storage(live, fleet)
        sign_in = SignIn(owner, Passwords())
        password = await first_account(owner, sign_in.passwords, owner.clock())
        pages = self._pages()
        seen = SeenLately(fleet, owner.clock, lambda: live.running.policy.time_zone)
        keeper = refresher(settings, live, owner.clock)
        facts = ListFacts(keeper.library, owner.clock)
        look = Lookup(settings, lambda: live.at_trusted)
        self._closing.append(look.close)
        methods = Methods(owner, live, sign_in, Parts(seen, who, keeper, facts, look))
        await apart.ensure_key(settings.state_dir / "keys")
        evidence = Evidence(owner, live, seen)
        methods.routes.update(evidence_routes(owner, evidence.door))  # described with the others
        await self._doors(evidence.observed(methods.routes), sign_in, pages)
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
        line = OfficeLine(evidence.recorder, keeper, owner, live)
        if settings.pair is not None:
            from filterd.app.pair import PairLine, Shares  # X.509, for two boxes alone
            from filterd.app.pair_lists import SharedLists

            share = Shares(SharedLists(owner, keeper), line.link)
            other = PairLine(owner, live, settings.pair, share)
            other.start()
            self._closing.append(other.stop)
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
            await self._front.answer()
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


def metrics_token(path: Path) -> str:
    """The bearer token of `/metrics/local`, made on the first start (0600)."""
    made = whole_files.secret(path, lambda: secrets.token_urlsafe(32).encode() + b"\n")
    return made.decode("ascii").strip()


def _now() -> datetime:
    return datetime.now(UTC)
