"""`filterd run`: the service in the foreground."""

from __future__ import annotations

import argparse
from typing import Any

from filterd import config


def register(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("run", help="the service in the foreground")
    command.add_argument("--config", metavar="FILE", help="settings (default: ./filterd.yaml)")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or Ctrl-C."""
    settings = config.load(config.find(arguments.config))
    from filterd.app import main  # imports everything; the other commands need not wait for it

    return main.run(settings)
