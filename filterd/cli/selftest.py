"""`filterd selftest`: canaries on every tier's own path; exit 0 only if all pass (contract §4)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from filterd import config
from filterd.control.client import ControlClient

SECONDS = 120.0


def register(commands: Any) -> None:
    """Add the command to the command line."""
    text = "ask canaries as each tier's devices would; exit 0 only if all pass"
    parser = commands.add_parser("selftest", help=text, description=text)
    parser.add_argument("--config", metavar="FILE", help="settings file")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument(
        "--quick", action="store_true", help="only a part of the names that must work"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Let the daemon test itself and print what came out."""
    settings = config.load(config.find(arguments.config, system=True))
    client = ControlClient(settings.control_socket, SECONDS)
    found = client.call("evidence.selftest", whole=not arguments.quick)
    print(json.dumps(found, ensure_ascii=False, indent=1) if arguments.json else _table(found))
    return 0 if found["passed"] else 1


def _table(found: Mapping[str, Any]) -> str:
    lines = [f"{'':18}{'must block':>14}{'must allow':>14}{'safe search':>14}   path"]
    for tier in sorted(found["via"]):
        cells = (
            _sum(found["block"].get(tier, {}).values()),
            _sum([found["allow"][tier]] if tier in found["allow"] else []),
            _sum(found["safesearch"].get(tier, {}).values()),
        )
        shown = "".join(f"{cell:>14}" for cell in cells)
        lines.append(f"{tier:18}{shown}   {found['via'][tier].replace('_', ' ')}")
    lines.append("")
    for test, (passed, executed) in sorted(found["bypass"].items()):
        lines.append(f"{test:18}{f'{passed}/{executed}':>14}")
    if found["unseen"]:
        lines.append(
            f"\n{found['unseen']} answers need the Internet to be seen and were not judged"
        )
    for each in found["failed"]:
        lines.append(
            f"FAILED {each['kind']} {each['tier']} {each['subject']} {each['transport']} "
            f"{each['type']}: {each['got']}"
        )
    missing = [tier for tier, via in found["via"].items() if via == "unreachable"]
    if missing:
        lines.append(f"NOT MEASURED (no address of ours in their segments): {', '.join(missing)}")
    verdict = "all passed" if found["passed"] else "NOT all passed"
    lines.append(f"\n{found['executed']} of {found['scheduled']} executed, {verdict}")
    return "\n".join(lines)


def _sum(pairs: Any) -> str:
    rows = list(pairs)
    if not rows:
        return "–"
    return f"{sum(pair[0] for pair in rows)}/{sum(pair[1] for pair in rows)}"
