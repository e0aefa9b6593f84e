"""`filterd report`: the compliance report of this school as a file (contract §4)."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from pathlib import Path
from typing import Any

from filterd import config
from filterd.control.client import ControlClient

SECONDS = 120.0


def register(commands: Any) -> None:
    """Add the command to the command line."""
    text = "the compliance report of this school"
    parser = commands.add_parser("report", help=text, description=text)
    parser.add_argument("--config", metavar="FILE", help="settings file")
    parser.add_argument(
        "--period", required=True, help="a month 2026-11, a half-year 2026-2027/1 or a year 2026"
    )
    parser.add_argument("--format", choices=("pdf", "html", "json", "xlsx"), default="pdf")
    parser.add_argument("--lang", choices=("vi", "en"), default="vi")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="default: a name made of school and period; - : stdout",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask the daemon for the report and write it."""
    settings = config.load(config.find(arguments.config, system=True))
    found = ControlClient(settings.control_socket, SECONDS).call(
        "evidence.report", period=arguments.period, format=arguments.format, lang=arguments.lang
    )
    if arguments.format == "json":
        content = (json.dumps(found["record"], ensure_ascii=False, indent=1) + "\n").encode()
    else:
        content = base64.b64decode(found["content"])
    if str(arguments.out) == "-":
        sys.stdout.buffer.write(content)
        return 0
    path = arguments.out or Path(found["file"])
    path.write_bytes(content)
    print(path)
    return 0
