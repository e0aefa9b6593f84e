"""The portal: the only page pupils reach. `create_app` puts it together.

Asks filterd as `@portal`, which may read a verdict and leave a request, and nothing else. Keeps
nothing, asks for nobody's name, sets no cookie except the form's own.
"""

from __future__ import annotations

from flask import Flask

from admin_ui.portal.pages import ACCESS, admit, bp
from admin_ui.shared import web
from admin_ui.shared.control import PORTAL, Call

FIRST = (
    "shared/base.html", "shared/flashes.html", "shared/tools.html", "portal/frame.html",
    "portal/parts.html", "portal/blocked.html", "portal/home.html",
)  # fmt: skip
"""Templates of the pages that are opened first."""


def create_app(call: Call | None = None) -> Flask:
    """The portal as a WSGI app; `call` replaces the control socket in tests."""
    app = web.create(__name__, who=PORTAL, call=call)
    web.own_cookies(app, "portal")
    app.template_folder = "templates"
    app.register_blueprint(bp)
    return web.guarded(app, ACCESS, admit)
