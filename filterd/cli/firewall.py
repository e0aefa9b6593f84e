"""`filterd firewall print | apply | check`: the nftables rules of the gateway."""

from __future__ import annotations

import argparse
import json
import signal
from dataclasses import asdict

from filterd import config
from filterd.gateway import enforce, follow
from filterd.gateway.firewall import Plan, render, render_closed

_ABOUT = """The rules redirect port 53 of the school's devices to this box, refuse DNS over TLS and
QUIC, DNS over HTTPS to known resolvers, and VPN ports. They touch the table `inet filterd` only and
are loaded as one transaction. Not stopped: addresses typed instead of names, VPN on port 443,
mobile data, DNS over HTTPS to a resolver nobody knows."""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "firewall", help="nftables rules of the gateway", description=_ABOUT
    )
    does = parser.add_subparsers(dest="does", required=True, metavar="print|apply|follow|check")
    for name, run, help_text in (
        ("print", _print, "show the rules"),
        ("apply", _apply, "load the rules (root)"),
        ("follow", _follow, "measure who goes past the filter, until ended (root)"),
        ("check", _check, "compare running with wanted rules and try to go around them (root)"),
    ):
        command = does.add_parser(name, help=help_text, description=help_text)
        command.add_argument("--config", metavar="FILE", help="settings file")
        if name == "check":
            command.add_argument("--json", action="store_true", help="findings as JSON")
            command.add_argument(
                "--no-probe", action="store_true", help="compare only, make no test client"
            )
        elif name != "follow":
            command.add_argument(
                "--closed",
                action="store_true",
                help="the rules for the time before the filter is ready: forward nothing",
            )
        command.set_defaults(run=run)


def _wish(arguments: argparse.Namespace) -> Plan:
    return enforce.plan(config.load(config.find(arguments.config, system=True)))


def _print(arguments: argparse.Namespace) -> int:
    wish = _wish(arguments)
    print((render_closed if arguments.closed else render)(wish), end="")
    return 0


def _apply(arguments: argparse.Namespace) -> int:
    enforce.apply(_wish(arguments), arguments.closed)
    print("closed until the filter is ready" if arguments.closed else "the firewall is up")
    return 0


def _follow(arguments: argparse.Namespace) -> int:
    settings = config.load(config.find(arguments.config, system=True))
    wish = enforce.plan(settings)
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: ended.append(number))
    follow.Follower(settings.state_dir / "run", wish.interfaces).work(lambda: bool(ended))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    settings = config.load(config.find(arguments.config, system=True))
    findings = enforce.check(enforce.plan(settings), live=not arguments.no_probe)
    if not arguments.no_probe:
        enforce.leave(settings, findings)
    attempts = enforce.attempts()
    good = all(finding.good for finding in findings)
    if arguments.json:
        listed = [asdict(finding) for finding in findings]
        print(json.dumps({"ok": good, "findings": listed, "attempts": attempts}))
        return 0 if good else 1
    for finding in findings:
        print(f"{'ok  ' if finding.good else 'FAIL'}  {finding.subject}: {finding.text}")
    counts = ", ".join(f"{name} {count}" for name, count in attempts.items())
    print(f"attempts to go around, in all: {counts}")
    return 0 if good else 1
