"""What clients lose when the process that answers is killed, and how it is confined."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.conformance.beside import good_questions

KILLS, PAUSE_SECONDS = 3, 1.5


def lost_over_three(port: int, name: str, kill: Callable[[], None]) -> tuple[int, int]:
    """(questions without an answer within a second, questions in all) while `kill` is called
    three times; it starts again what does not start by itself."""
    with good_questions(port, name, 500) as stream:
        for _ in range(KILLS):
            time.sleep(PAUSE_SECONDS)
            kill()
        time.sleep(PAUSE_SECONDS)
    return stream.lost, stream.lost + len(stream.times)


def exposure(unit: Path) -> float | None:
    """systemd's own figure for a unit's hardening, 0 (best) to 10; None: no such unit here."""
    program = shutil.which("systemd-analyze")
    if program is None or not unit.exists():
        return None
    done = subprocess.run(
        [program, "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    return float(found[1]) if found else None
