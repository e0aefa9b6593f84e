"""The Education office's hub: what a thousand schools prove, on one page. `create_app` builds it.

Stands on the frame, sign-in and guard that the school console uses; owns its own database.
"""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from jinja2 import ChoiceLoader, FileSystemLoader

import admin_ui.school
from admin_ui.office import causes, navigation
from admin_ui.office.access import ACCESS
from admin_ui.office.accounts import Accounts
from admin_ui.office.database import Office
from admin_ui.office.ingest import Gathering
from admin_ui.office.intake import Intake
from admin_ui.office.views import BLUEPRINTS
from admin_ui.office.views.api import bp as api
from admin_ui.school import told
from admin_ui.school.access import admit
from admin_ui.school.views import account, audit, sign_in
from admin_ui.shared import web
from admin_ui.shared.control import GUEST
from admin_ui.shared.security import csrf

UPLOAD_BYTES = 16 * 1024 * 1024


def create_app(office: Office, accounts: Accounts) -> Flask:
    """The hub as a WSGI app."""
    app = web.create(__name__, who=GUEST, call=accounts.call)
    web.own_cookies(app, "session")  # the office's name; the console on the same host has another
    app.extensions["office"], app.extensions["accounts"] = office, accounts
    own = Path(__file__).parent / "templates"
    console = Path(admin_ui.school.__file__).parent / "templates"
    shared = app.jinja_env.loader
    assert shared is not None
    # The console's sign-in, account and audit pages serve here too, inside this app's own shell.
    app.jinja_env.loader = ChoiceLoader([FileSystemLoader([own, console]), shared])
    for blueprint in (*BLUEPRINTS, sign_in.bp, account.bp, audit.bp, api):
        app.register_blueprint(blueprint)
    csrf.exempt(api)
    app.context_processor(navigation.context)
    app.jinja_env.filters["bp"] = navigation.basis_points
    app.jinja_env.filters["decimal"] = navigation.decimal
    app.jinja_env.filters["month"] = navigation.month_title
    app.jinja_env.filters.update(
        cause=causes.cause, cause_fact=causes.fact, release_change=causes.change,
        why=navigation.why, own_reason=told.own_reason, browser=told.browser, licence=told.licence,
    )  # fmt: skip
    guarded = web.guarded(app, ACCESS, admit)
    guarded.config.update(MAX_CONTENT_LENGTH=UPLOAD_BYTES, MAX_FORM_MEMORY_SIZE=UPLOAD_BYTES)
    # Outside of the guard: a summary is known by its signature, and needs nothing of a page.
    app.extensions["gathering"] = gathering = Gathering(office)
    guarded.wsgi_app = Intake(guarded.wsgi_app, gathering)  # type: ignore[assignment]
    return guarded
