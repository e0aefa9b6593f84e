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


def test_a_school_without_an_office_never_pays_for_talking_to_one() -> None:
    """7 MiB in the supervisor, which is a twentieth of all that the filter takes."""
    program = "import sys, filterd.app.service\nprint(*{'httpx', 'rich', 'click'} & {*sys.modules})"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.split() == []
