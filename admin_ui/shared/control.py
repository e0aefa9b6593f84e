"""How the web apps reach filterd: one call bound to the current request's token.

Owns the only use of the control client in `admin_ui`. Knows method names as text and no fields;
who may call what is decided by the supervisor, again, whatever the page thought.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from flask import Flask, current_app, g

from filterd.control.client import ControlClient
from filterd.errors import ControlError

Call = Callable[[str, str | None, dict[str, Any]], dict[str, Any]]
"""(method, who asks, fields) -> answer; raises ControlError."""

GUEST = "@guest"
PORTAL = "@portal"


def socket_caller(path: str) -> Call:
    """A caller over the control socket at `path`; a socket that is not there is `unavailable`."""
    client = ControlClient(path)

    def call(method: str, who: str | None, fields: dict[str, Any]) -> dict[str, Any]:
        return client.call(method, who, **fields)

    return call


def install(app: Flask, call: Call | None, who: str) -> None:
    """Give the app its caller; `who` asks while nobody is signed in (never None)."""
    app.extensions["filterd_call"] = call or socket_caller(
        os.environ.get("FILTERD_CONTROL", "var/run/control.sock")
    )
    app.extensions["filterd_who"] = who


def ask(method: str, **fields: Any) -> dict[str, Any]:
    """Call `method` as whoever this request is signed in as; fields that are None are left out."""
    call: Call = current_app.extensions["filterd_call"]
    who = g.get("token") or current_app.extensions["filterd_who"]
    return call(method, who, {key: value for key, value in fields.items() if value is not None})


def ask_all(method: str, **fields: Any) -> dict[str, Any]:
    """The same for a method that lists things; one that this filterd lacks lists nothing."""
    try:
        return ask(method, **fields)
    except ControlError as error:
        if error.code != "not_found":
            raise
        return {"items": [], "more": False}


def details(error: ControlError) -> dict[str, Any]:
    """The error's body: `message` in both languages, `problems`, `approval`, `retry_after`."""
    found = getattr(error, "body", None)
    return found if isinstance(found, dict) else {}
