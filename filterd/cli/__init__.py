"""The command line: one module per command, each with `register(commands)`.

Exit codes (contract §4): 0 done · 1 the thing asked about is not so · 2 wrong usage · 75 try again
later · 78 configuration error.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from filterd.errors import ConfigError, FilterdError

COMMANDS: tuple[str, ...] = (
    "doctor",
    "explain",
    "firewall",
    "office",
    "lists",
    "policy",
    "report",
    "run",
    "selftest",
    "setup",
    "verdicts",
)
"""Modules of this package, each with `register(commands)`; a parser sets `run=` to its function."""


def parser(named: str | None = None) -> argparse.ArgumentParser:
    """The command line as argparse sees it; with the command `named` alone when it is one: the
    others' imports take longer than the start of the filter may."""
    root = argparse.ArgumentParser(
        prog="filterd", description="The DNS filter of a school gateway."
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (named,) if named in COMMANDS else COMMANDS:
        importlib.import_module(f"filterd.cli.{command}").register(commands)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code and prints what went wrong for a person."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser(words[0] if words else None).parse_args(words)
    try:
        return int(arguments.run(arguments))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 78
    except FilterdError as error:
        print(f"filterd {arguments.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
