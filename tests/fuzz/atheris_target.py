"""Coverage-guided fuzzing: `python -m tests.fuzz.atheris_target [libFuzzer options] [corpus]`.

Every input goes to every target; an exception or a second of time is a finding.
"""

from __future__ import annotations

import importlib
import sys

from tests.fuzz.targets import TARGETS


def once(octets: bytes) -> None:
    """One input for all."""
    for target in TARGETS.values():
        target(octets)


def main() -> int:
    """Run until stopped or until something is found."""
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        print("atheris is not installed: pip install atheris", file=sys.stderr)
        return 75
    atheris.instrument_all()
    atheris.Setup([*sys.argv, "-timeout=1"], once)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
