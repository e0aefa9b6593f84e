"""Coverage-guided fuzzing: `python -m tests.fuzz.atheris_target [libFuzzer options] [corpus]`.

Every input goes to every target; an exception or two seconds of time are a finding. atheris is no
dependency: `pip install atheris`. An hour from generated messages:

    python -m tests.fuzz.atheris_target -max_total_time=3600 -max_len=1500 FOLDER
"""

from __future__ import annotations

import importlib
import sys


def main() -> int:
    """Run until stopped or until something is found."""
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        print("atheris is not installed: pip install atheris", file=sys.stderr)
        return 75
    with atheris.instrument_imports(include=["filterd"]):
        targets = importlib.import_module("tests.fuzz.targets").TARGETS

    def once(octets: bytes) -> None:
        for target in targets.values():
            target(octets)

    atheris.Setup([*sys.argv, "-timeout=2"], once)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
