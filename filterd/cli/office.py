"""`filterd office`: the Education office's hub, one command.

Owns the process: waitress for the pages, one thread that assesses, judges proofs and notices a new
day. Any number of these processes may run on one PostgreSQL.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from filterd.errors import FilterdError

_log = logging.getLogger("filterd.office")
TURN_S = 15.0
THREADS = 16
"""Most of them wait for the transaction that carries their summary, so that it is a large one."""
REPUBLISH_BEFORE = timedelta(days=10)


def register(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("office", help="the Education office's hub over many schools")
    add = command.add_argument
    actions = ("run", "rotate")
    add("action", nargs="?", choices=actions, default="run", help="rotate: new signing keys")
    add("--listen", default="127.0.0.1:8055", metavar="HOST:PORT")
    add("--database", metavar="URL", help="postgresql://… (default: SQLite in the state directory)")
    add("--state-dir", type=Path, default=Path("var/office"), metavar="DIR")
    add("--behind", metavar="ADDRESS", help="trusted TLS proxy in front of this")
    add("--proof-zone", metavar="ZONE", help="zone of the office's own name server (I5b)")
    add("--proof-log", type=Path, metavar="FILE", help="query log of that server (BIND)")
    add("--root-keys", type=Path, metavar="DIR", help="rotate: folder with two of the root keys")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    # The hub's parts load only for this command.
    from admin_ui.office import publish
    from admin_ui.office.database import default_url, open_office

    state_dir: Path = arguments.state_dir.resolve()
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    office = open_office(arguments.database or default_url(state_dir), state_dir)
    if arguments.action == "rotate":
        version = publish.rotate(office, arguments.root_keys or state_dir / "keys")
        publish.release(office, "cli", "new release key")
        print(f"root {version}: the old release key is worth nothing any more")
        return 0
    if arguments.proof_zone:
        publish.set_proof_zone(office, arguments.proof_zone.strip(".").lower())
    return _serve(office, arguments)


def _serve(office: Any, arguments: argparse.Namespace) -> int:
    import waitress

    from admin_ui.office import create_app
    from admin_ui.office.accounts import FIRST_ACCOUNT, Accounts

    accounts = Accounts(office)
    app = create_app(office, accounts)
    app.config["SESSION_COOKIE_SECURE"] = bool(arguments.behind)
    stopped = threading.Event()
    worker = threading.Thread(
        target=_work,
        args=(app.extensions["gathering"], arguments.proof_log, stopped),
        name="office-work",
        daemon=True,
    )
    worker.start()
    print(f"filterd office: http://{arguments.listen}", file=sys.stderr)
    if accounts.first_password:
        print(
            "  Đăng nhập lần đầu / first sign-in (chỉ hiện một lần / shown once):\n"
            f"    {FIRST_ACCOUNT}  {accounts.first_password}",
            file=sys.stderr,
        )
    proxy: dict[str, Any] = {}
    if arguments.behind:
        headers = {"x-forwarded-for", "x-forwarded-proto"}
        proxy = {"trusted_proxy": arguments.behind, "trusted_proxy_headers": headers}
    try:
        waitress.serve(
            app, listen=arguments.listen, threads=THREADS, connection_limit=500, channel_timeout=60,
            max_request_body_size=20 * 1024 * 1024, ident=None, **proxy,
        )  # fmt: skip
    finally:
        stopped.set()
        worker.join(10)
        accounts.close()
        office.engine.dispose()
    return 0


def _work(gathering: Any, proof_log: Path | None, stopped: threading.Event) -> None:
    """Assess what became stale; read the name server's log; keep the bundle from expiring."""
    from sqlalchemy.exc import SQLAlchemyError

    from admin_ui.office import assess, proof, publish

    office = gathering.office
    while not stopped.wait(TURN_S):
        try:
            assess.new_day(office)
            if proof_log is not None and proof_log.exists():
                proof.read_log(office, proof_log)
            proof.judge(office)
            # While summaries pour in they go first; a batch at each turn is assessed all the same.
            while not stopped.is_set() and assess.sweep(office) and not gathering.busy():
                pass
            publish.renew(office, REPUBLISH_BEFORE)
        except (FilterdError, OSError, SQLAlchemyError) as error:
            _log.error("%s", error)
