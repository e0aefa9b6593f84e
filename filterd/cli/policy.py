"""`filterd policy`: apply, export, diff, history, rollback, check, schema.

Through the control socket when the daemon is up, else on the database itself — but never behind
the back of a daemon that holds it.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filterd import config
from filterd.cli.policy_store import OfflinePolicies
from filterd.config import Settings
from filterd.control.client import CallError, ControlClient
from filterd.errors import ConfigError, DocumentError, FilterdError, Problem
from filterd.policy import document, taxonomy
from filterd.policy.diff import diff
from filterd.policy.schema import schema

TRY_AGAIN = 75


def register(commands: Any) -> None:
    """Add the command and its actions."""
    command = commands.add_parser("policy", help="apply, export, diff, history, rollback, check")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    _action(actions, "apply", _apply, "make the policy in a directory live", path=True, reason=True)
    _action(actions, "export", _export, "write the running policy into a directory", path=True)
    _action(actions, "diff", _diff, "what would change if PATH were applied", path=True)
    _action(actions, "history", _history, "revisions, the newest first")
    back = _action(actions, "rollback", _rollback, "make an older revision live", reason=True)
    back.add_argument("revision", type=int, metavar="REV")
    _action(actions, "check", _check, "mistakes and failed expectations of a policy", path=True)
    _action(actions, "schema", _schema, "the JSON Schema of the documents")


def _action(
    actions: Any, name: str, run: Callable[..., int], text: str, *,
    path: bool = False, reason: bool = False,
) -> Any:  # fmt: skip
    action = actions.add_parser(name, help=text)
    action.add_argument("--config", metavar="FILE", help="settings of the service")
    if path:
        action.add_argument("path", type=Path, metavar="PATH")
    if reason:
        action.add_argument("--reason", default="", help="why (kept in the history)")
    action.set_defaults(run=lambda arguments: _run(run, arguments))
    return action


def _run(run: Callable[[argparse.Namespace, Settings], int], arguments: argparse.Namespace) -> int:
    try:
        return run(arguments, config.load(config.find(arguments.config, system=True)))
    except CallError as error:
        _problems(error.body.get("problems", []))
        print(f"filterd policy: {error}", file=sys.stderr)
        return TRY_AGAIN if error.code == "unavailable" else 1
    except ConfigError:
        raise
    except DocumentError as error:
        print(error, file=sys.stderr)
        return 1


def _files(path: Path) -> dict[str, str]:
    try:
        if path.is_file():
            return {path.name: path.read_text("utf-8")}
        found = {file.name: file.read_text("utf-8") for file in sorted(path.glob("*.yaml"))}
    except (OSError, UnicodeDecodeError) as error:
        raise FilterdError(f"{path} cannot be read: {error}") from None
    if not found:
        raise FilterdError(f"{path} holds no *.yaml")
    return found


def _whole(path: Path, settings: Settings) -> dict[str, str]:
    """The document at PATH; a single file replaces its namesake in the current document."""
    found = _files(path)
    if path.is_dir():
        return found
    return {**_current(settings)["files"], **found}


def _up(settings: Settings) -> ControlClient | None:
    """The daemon's client, or None when there is no daemon."""
    client = ControlClient(settings.control_socket)
    try:
        client.call("policy.history", limit=1)
    except CallError as error:
        if error.code == "unavailable" and not OfflinePolicies(settings).held():
            return None
        raise
    return client


def _current(settings: Settings) -> dict[str, Any]:
    client = _up(settings)
    if client is not None:
        return client.call("policy.get")
    return OfflinePolicies(settings).current()


def _reason(given: str) -> str:
    return given or f"filterd policy ({getpass.getuser()})"


def _apply(arguments: argparse.Namespace, settings: Settings) -> int:
    files, reason = _whole(arguments.path, settings), _reason(arguments.reason)
    client = _up(settings)
    if client is not None:
        base = client.call("policy.get")["revision"]
        number = client.call("policy.apply", files=files, base=base, reason=reason)["revision"]
    else:
        number = OfflinePolicies(settings).apply(files, reason)
    print(f"revision {number}" + ("" if client else " (stored; runs from the next start)"))
    return 0


def _export(arguments: argparse.Namespace, settings: Settings) -> int:
    current = _current(settings)
    arguments.path.mkdir(parents=True, exist_ok=True)
    for name, text in current["files"].items():
        (arguments.path / Path(name).name).write_text(text, "utf-8")
    print(f"revision {current['revision']}: {len(current['files'])} files in {arguments.path}")
    return 0


def _diff(arguments: argparse.Namespace, settings: Settings) -> int:
    """Exit code 0: no difference; 1: there are some."""
    known = taxonomy.load(settings.blocklists)
    old = document.parse(_current(settings)["files"], known)
    changes = diff(old, document.parse(_whole(arguments.path, settings), known), known)
    for change in changes:
        print(f"{'!' if change.weakens else ' '} {change.vi}\n    {change.en}")
    return 1 if changes else 0


def _history(arguments: argparse.Namespace, settings: Settings) -> int:
    client = _up(settings)
    if client is not None:
        items = client.call("policy.history", limit=200)["items"]
    else:
        items = OfflinePolicies(settings).history()
    for item in items:
        mark = "*" if item["current"] else "!" if item["weakens"] else " "
        print(
            f"{mark} {item['revision']:>4}  {item['at'][:19]}  {item['author']}  {item['reason']}"
        )
    return 0


def _rollback(arguments: argparse.Namespace, settings: Settings) -> int:
    reason = _reason(arguments.reason)
    client = _up(settings)
    if client is not None:
        answer = client.call("policy.rollback", revision=arguments.revision, reason=reason)
        number = answer["revision"]
    else:
        number = OfflinePolicies(settings).rollback(arguments.revision, reason)
    print(f"revision {number} (as {arguments.revision})")
    return 0


def _check(arguments: argparse.Namespace, settings: Settings) -> int:
    files = _files(arguments.path)
    try:
        client = _up(settings)
    except CallError:
        client = None
    if client is not None:
        answer = client.call("policy.check", files=files)
        _problems(answer["problems"])
        for failure in answer["failures"]:
            print(
                f"{failure['tier']}.yaml: expect: {failure['name']} must be {failure['wanted']}, "
                f"would be {failure['got']}",
                file=sys.stderr,
            )
        bad = bool(answer["problems"] or answer["failures"])
    else:
        OfflinePolicies(settings).check(files)
        bad = False
    if not bad:
        print("ok")
    return 1 if bad else 0


def _schema(arguments: argparse.Namespace, settings: Settings) -> int:
    found = schema(taxonomy.load(settings.blocklists))
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 0


def _problems(found: list[dict[str, Any]]) -> None:
    for item in found:
        problem = Problem(item["file"], item["line"], item["key"], item["message"],
                          item.get("suggestion"))  # fmt: skip
        print(problem, file=sys.stderr)
