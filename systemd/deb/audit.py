"""What is known against the locked packages: `python systemd/deb/audit.py LOCK REPORT`.

Runs pip-audit and says what it saw. pip-audit itself reports "no known vulnerabilities" and success
also when it had no advisory for a single package (no network, an index without advisories).
Exit code 0: every package was looked up, nothing is known · 1: something is known · 75: packages
were not looked up, so nothing can be said of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TIMEOUT_S = 600


def main(lock: str, report: str) -> int:
    """Ask, write the whole answer to `report`, print the short one."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", lock,
             "--format", "json", "--progress-spinner", "off"],
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        found = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        print(f"NOT AUDITED: pip-audit gave no answer ({error})", file=sys.stderr)
        return 75
    Path(report).write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return told(found["dependencies"])


def told(packages: list[dict[str, Any]]) -> int:
    """Print what was found, give the exit code."""
    skipped = [each["name"] for each in packages if "skip_reason" in each]
    known = {each["name"]: each["vulns"] for each in packages if each.get("vulns")}
    for name, advisories in known.items():
        print(f"KNOWN: {name}: {', '.join(each['id'] for each in advisories)}", file=sys.stderr)
    if skipped:
        shown = ", ".join(skipped[:5]) + (" …" if len(skipped) > 5 else "")
        print(f"NOT AUDITED: no advisory data for {len(skipped)} of {len(packages)} packages "
              f"({shown}); try again where advisories can be had", file=sys.stderr)  # fmt: skip
    else:
        print(f"audited: {len(packages)} packages, {len(known)} with known vulnerabilities")
    return 1 if known else 75 if skipped else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
