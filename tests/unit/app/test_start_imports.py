"""What stands between the start and the first answer stays light: nothing that only pages, reports,
encrypted listeners or list updates need is imported before."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "httpx", "h11", "h2", "openpyxl", "jinja2", "flask", "cryptography", "argon2",
    "prometheus_client", "dnslib", "segno", "weasyprint", "pydantic", "filterd.control.server",
    "filterd.evidence.door", "filterd.lists.library", "filterd.app.service",
)  # fmt: skip

ON_USE = {
    "httpx", "rich", "click", "cryptography", "jsonschema", "argon2", "pyotp", "prometheus_client",
}  # fmt: skip


@pytest.mark.parametrize(
    "first",
    ["filterd.app.main, filterd.app.opening", "filterd.serving, filterd.worker"],
    ids=["supervisor", "worker"],
)
def test_nothing_heavy_is_imported_before_the_first_answer(first: str) -> None:
    program = (
        "import sys\nfrom filterd.cli import parser\nparser('run')\n" * ("app" in first)
        + f"import sys, {first}\nprint(*(n for n in {HEAVY!r} if n in sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.split() == []


def test_what_a_school_does_not_use_is_not_in_memory() -> None:
    """An office (7 MiB), secrets and signatures (10), records that do not fit (7), passwords and
    metrics nobody asks for (2): a quarter of all that the filter takes."""
    program = f"import sys, filterd.app.service\nprint(*{ON_USE!r} & {{*sys.modules}})"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.split() == []
