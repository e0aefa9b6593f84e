"""The last step of `filterd setup`: the first administrator, at a filter that really runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.cli.setup_people import first_administrator, join_office, wait_for
from filterd.control.client import CallError, ControlClient
from filterd.gateway.answers import Office
from tests.lab.running import RunningFilterd


def test_the_first_administrator_is_made_once(tmp_path: Path) -> None:
    box = RunningFilterd(tmp_path, {"workers": 1})
    box.spawn()
    call = ControlClient(tmp_path / "var/run/control.sock").call
    try:
        wait_for(call)
        first = first_administrator(call, "")
        assert first is not None and first[0] == "admin"
        named = first_administrator(call, "co.lan")
        assert named is not None and named[0] == "co.lan" and named[1] != first[1]
        assert [each["name"] for each in call("people.list")["items"]] == ["co.lan"]
        again = first_administrator(call, "co.lan")
        assert again is not None and again[1] != named[1]
        with pytest.raises(CallError):
            call("sessions.start", account="co.lan", password=named[1])
        assert call("sessions.start", account="co.lan", password=again[1])["token"]
        assert first_administrator(call, "co.lan") is None  # has signed in: nothing is touched
        with pytest.raises(CallError):
            join_office(call, Office("https://127.0.0.1:9", "abc"))
    finally:
        box.stop()
