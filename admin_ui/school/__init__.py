"""The school's console: what school staff see. `create_app` puts it together.

Talks to filterd only through the control socket; owns no state besides its pages.
"""

from __future__ import annotations

from flask import Flask

from admin_ui.school import navigation, told
from admin_ui.school.access import ACCESS, admit
from admin_ui.school.policy import current
from admin_ui.school.views import BLUEPRINTS
from admin_ui.shared import web
from admin_ui.shared.control import GUEST, Call

FIRST = (
    "shared/base.html", "shared/flashes.html", "shared/tools.html", "shared/alone.html",
    "shared/sign_in.html", "shared/frame.html", "sign_in/form.html", "shell.html",
    "overview/page.html",
)  # fmt: skip
"""Templates of the pages that are opened first."""


def create_app(call: Call | None = None) -> Flask:
    """The console as a WSGI app; `call` replaces the control socket in tests."""
    app = web.create(__name__, who=GUEST, call=call)
    web.own_cookies(app, "school")
    app.template_folder = "templates"
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.context_processor(navigation.context)
    app.after_request(navigation.forget)
    app.jinja_env.filters.update(own_reason=told.own_reason, licence=told.licence)
    app.extensions["filterd_titles"] = lambda: current().titles  # of the audit log's categories
    return web.guarded(app, ACCESS, admit)
