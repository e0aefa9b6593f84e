"""`filterd_build_info` says what runs as machine code, not what lies beside it."""

from __future__ import annotations

import platform

import pytest

from filterd.app.readings import compiled
from filterd.listen import drain
from filterd.lists import columns


@pytest.mark.parametrize(
    ("listen", "lists", "said"),
    [
        (True, True, "native"),
        (True, False, "listen"),
        (False, True, "lists"),
        (False, False, "python"),
    ],
)
def test_a_part_that_is_not_used_is_not_claimed(
    monkeypatch: pytest.MonkeyPatch, listen: bool, lists: bool, said: str
) -> None:
    monkeypatch.setattr(drain, "COMPILED", listen)
    monkeypatch.setattr(columns, "COMPILED", lists)
    assert compiled() == f"{said}-{platform.python_version()}"
