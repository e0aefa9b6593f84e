"""Validators come without what nobody needs, and leave other users of jsonschema alone."""

from __future__ import annotations

import subprocess
import sys

from filterd.evidence.validator import validator

SCHEMA = {"type": "object", "properties": {"on": {"type": "string", "format": "date"}}}


def test_no_grammar_is_compiled_and_none_is_hidden() -> None:
    program = (
        "import sys\nfrom filterd.evidence.validator import validator\n"
        "validator({}).validate(1)\n"
        "print('rfc3987_syntax' in sys.modules, 'jsonschema' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.split() == ["False", "True"]


def test_formats_are_looked_at_when_wanted() -> None:
    wrong, right = {"on": "2026-13-45"}, {"on": "2026-11-22"}
    assert validator(SCHEMA).is_valid(wrong)
    assert not validator(SCHEMA, formats=True).is_valid(wrong)
    assert validator(SCHEMA, formats=True).is_valid(right)
