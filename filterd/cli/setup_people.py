"""What `filterd setup` says to the running filter: the first administrator, and the office.

Through the control socket, as root; twice is the same as once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from filterd.control.client import CallError
from filterd.gateway.answers import Office

Call = Callable[..., dict[str, Any]]
PLACEHOLDER = "admin"
"""The account that the first start of a filter makes (`app.first_start`)."""
_WAIT_S, _PAUSE_S = 180.0, 0.5


def wait_for(call: Call, seconds: float = _WAIT_S) -> None:
    """Until the filter takes requests; CallError when it does not in time."""
    end = time.monotonic() + seconds
    while True:
        try:
            call("status.get")
        except CallError:
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def first_administrator(call: Call, wanted: str) -> tuple[str, str] | None:
    """A name and its one-time password; None when somebody has signed in already.

    As long as nobody has, each run gives a new password: the old one may be lost. `wanted` takes
    the place of the account of the first start.
    """
    people = call("people.list")["items"]
    if any(each["last_login"] is not None for each in people):
        return None
    known = {each["name"]: each["id"] for each in people}
    name = wanted or PLACEHOLDER
    if name in known:
        password = call("people.reset", id=known[name])["password"]
    else:
        title = "Quản trị viên"
        password = call("people.add", name=name, title=title, role="administrator")["password"]
    if name != PLACEHOLDER and PLACEHOLDER in known:
        call("people.remove", id=known[PLACEHOLDER])
    return name, str(password)


def join_office(call: Call, office: Office) -> str | None:
    """The school's id at the office; None when it is enrolled there already. CallError: refused."""
    now = call("evidence.status").get("office")
    if now and now.get("url") == office.url:
        return None
    ca = None if office.ca is None else office.ca.read_text("ascii")
    return str(call("evidence.enrol", url=office.url, code=office.code, ca=ca)["school"])
