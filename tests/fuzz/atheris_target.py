"""Coverage-guided fuzzing: `python -m tests.fuzz.atheris_target [libFuzzer options] [corpus]`.

Every input goes to every target, or to the one in FILTERD_FUZZ; an exception or ten seconds of time
are a finding. atheris is no dependency: `pip install atheris`. An hour from generated messages:

    FILTERD_FUZZ=reply python -m tests.fuzz.atheris_target -max_total_time=3600 FOLDER
"""

from __future__ import annotations

import importlib
import os
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
    only = os.environ.get("FILTERD_FUZZ")
    chosen = [targets[only]] if only else [*targets.values()]

    def once(octets: bytes) -> None:
        for target in chosen:
            target(octets)

    atheris.Setup([sys.argv[0], "-timeout=10", "-max_len=1500", *sys.argv[1:]], once)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
