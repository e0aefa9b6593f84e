"""A real office on HTTPS and the schools' lines to it, with a clock that the test turns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from admin_ui.office import create_app, enrolment, register
from admin_ui.office.accounts import Accounts
from admin_ui.office.database import Office
from filterd.evidence import courier
from filterd.evidence.office_link import Folders, OfficeLink
from tests.lab.certificates import Authority
from tests.lab.office_school import Box, Clock, entry, fresh_office


@dataclass
class Hub:
    office: Office
    clock: Clock
    line: courier.Office
    folder: Path
    asked: list[str] = field(default_factory=list)
    applied: int = 0
    closed_after: int | None = None
    """After so many summaries the office says 503, until this is None again."""

    def link(self, box: Box, name: str = "school") -> OfficeLink:
        async def apply() -> None:
            self.applied += 1

        async def ask(names: Sequence[str]) -> None:
            self.asked += names

        here = self.folder / name
        folders = Folders(here / "office", here / "lists" / "office")
        return OfficeLink(folders, box.key, self.clock, apply, ask)

    def box(self, number: int = 1) -> Box:
        school = entry(number)
        register.load(self.office, [school], date(2026, 9, 1))
        box = Box(school.id)
        code = enrolment.new_code(self.office, school.id, "test")
        assert asyncio.run(courier.enrol(self.line, code, box.key)) == school.id
        return box


@contextmanager
def open_hub(tmp_path: Path) -> Iterator[Hub]:
    """An office on HTTPS, its clock in the test's hand."""
    clock = Clock()
    clock.to(date(2026, 11, 1))
    office = fresh_office(tmp_path, clock)
    accounts = Accounts(office)
    authority = Authority(tmp_path)
    pair = authority.issue("127.0.0.1", file="office")
    app = create_app(office, accounts)
    opened: list[Hub] = []
    taking = app.wsgi_app

    def sometimes_closed(environ: dict[str, Any], start: Any) -> Any:
        limit = opened[0].closed_after
        if limit is not None and environ["PATH_INFO"] == "/api/v1/summaries":
            if limit == 0:
                start("503 Service Unavailable", [("Content-Length", "0")])
                return [b""]
            opened[0].closed_after = limit - 1
        return taking(environ, start)

    app.wsgi_app = sometimes_closed  # type: ignore[method-assign]
    tls = (str(pair.certificate), str(pair.key))
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=tls)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    line = courier.Office(f"https://127.0.0.1:{server.server_port}", authority.file.read_text())
    opened.append(Hub(office, clock, line, tmp_path))
    yield opened[0]
    server.shutdown()
    thread.join(5)
    server.server_close()
    accounts.close()


def visit(hub: Hub, link: OfficeLink) -> tuple[int, str | None]:
    done = asyncio.run(link.round(hub.line))
    return done.version, done.error
