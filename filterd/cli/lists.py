"""`filterd lists`: compile, update, status, approve, refuse, rollback (contract §4)."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from filterd import config
from filterd.cli.lists_tables import Progress, progress_bar, progress_line, status_table
from filterd.control.client import ControlClient
from filterd.errors import ControlError, ListError
from filterd.lists.library import Library
from filterd.lists.setting import library
from filterd.lists.status import status
from filterd.lists.store import Busy
from filterd.live import last_own_names


def register(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("lists", help="compile, update and look at the blocklists")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, run, text in (
        ("compile", compile_lists, "compile the lists that are here and put them in use"),
        ("update", update, "fetch every list that has changed, check it, put it in use"),
        ("status", show, "entries, age, overlap, what was dropped, what waits for a person"),
        ("approve", approve, "let a version out of quarantine"),
        ("refuse", refuse, "throw a quarantined version away"),
        ("rollback", rollback, "put the version before back in use"),
    ):
        verb = verbs.add_parser(name, help=text, description=text)
        verb.add_argument("--config", metavar="FILE", help="settings file")
        verb.add_argument("--json", action="store_true", help="machine-readable")
        verb.set_defaults(run=run)
        if name == "compile":
            verb.add_argument("--from", dest="folder", metavar="DIR", type=Path, help=FROM)
        if name in ("approve", "refuse", "rollback"):
            verb.add_argument("id", metavar="ID")
            verb.add_argument("--reason", default="", help="kept in the audit trail")
        if name == "rollback":
            verb.add_argument("--version", help="one of those that status shows")
        if name == "update":
            verb.add_argument("ids", metavar="ID", nargs="*", help="only these (default: all)")


POLL_SECONDS = 0.3

FROM = (
    "first take over the list files below DIR, in any format and compression; the category is "
    "read from the catalogue or from the file's name"
)


def _library(arguments: argparse.Namespace) -> tuple[Library, ControlClient]:
    settings = config.load(config.find(arguments.config, system=True))
    last = settings.state_dir / "run" / "policy-last.json"
    lists = library(settings, lambda words: last_own_names(last, words))
    return lists, ControlClient(settings.control_socket, seconds=900)


def compile_lists(arguments: argparse.Namespace) -> int:
    """Compile here; a running daemon is told to swap."""
    lists, daemon = _library(arguments)
    left_out: tuple[tuple[str, str], ...] = ()
    try:
        with lists.store.locked():
            if arguments.folder is not None:
                left_out = lists.import_from(arguments.folder.absolute()).left_out
            report = lists.compile(progress=progress_bar(sys.stderr))
    except Busy as error:
        print(f"filterd lists: {error}", file=sys.stderr)
        return 75
    told = _reload(daemon)
    if arguments.json:
        print(json.dumps({**report, "left_out": left_out, "daemon": told}, ensure_ascii=False))
        return 0
    for file, why in left_out:
        print(f"left out: {file}: {why}", file=sys.stderr)
    print(
        f"{report['names']:,} names and {report['rules']:,} rules in {report['index_mib']} MiB, "
        f"{report['dropped']:,} lines dropped, {report['seconds']} s, "
        f"{report['peak_rss_mib']} MiB at most"
    )
    print("in use now" if told else "written; the daemon is not running")
    return 0


def _reload(daemon: ControlClient) -> bool:
    try:
        daemon.call("lists.reload")
    except ControlError as error:
        if error.code == "unavailable":
            return False
        raise
    return True


def update(arguments: argparse.Namespace) -> int:
    """Through the daemon, which fetches as its own unprivileged user."""
    _, daemon = _library(arguments)
    daemon.call("lists.update", ids=arguments.ids)
    answer = _watch(daemon, progress_line(sys.stderr))
    if arguments.json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        for each in answer.get("results", ()):
            print(f"{each['id']}: {each['outcome']}{': ' + each['why'] if each['why'] else ''}")
    bad = [each for each in answer.get("results", ()) if each["outcome"] == "failed"]
    return 75 if bad else 0


def _watch(daemon: ControlClient, tell: Progress) -> dict[str, Any]:
    """Ask how the update goes until it is over."""
    while True:
        answer = daemon.call("lists.progress")
        tell(answer)
        if not answer["running"]:
            return answer
        time.sleep(POLL_SECONDS)


def show(arguments: argparse.Namespace) -> int:
    """From the state on the disk, so it works with the daemon down."""
    lists, _ = _library(arguments)
    found = status(lists)
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        print(status_table(found))
    return 0


def approve(arguments: argparse.Namespace) -> int:
    """Exit 1 when nothing waits."""
    return _decide(arguments, "lists.approve", {})


def refuse(arguments: argparse.Namespace) -> int:
    """Exit 1 when nothing waits."""
    return _decide(arguments, "lists.refuse", {})


def rollback(arguments: argparse.Namespace) -> int:
    """Exit 1 when there is no such version."""
    return _decide(arguments, "lists.rollback", {"version": arguments.version})


def _decide(arguments: argparse.Namespace, method: str, more: dict[str, Any]) -> int:
    _, daemon = _library(arguments)
    try:
        answer = daemon.call(method, id=arguments.id, reason=arguments.reason, **more)
    except ControlError as error:
        if error.code == "unavailable":
            raise ListError(f"{error}: start filterd first, it alone changes lists") from None
        raise
    if arguments.json:
        print(json.dumps(answer, ensure_ascii=False))
    return 0
