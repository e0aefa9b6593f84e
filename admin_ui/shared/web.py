"""The frame that every web app stands in: Flask app, guard, languages, shared pages, error pages.

Owns what the apps have in common; knows no noun. `serve` runs an app under waitress.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import waitress
from babel import dates
from flask import (
    Blueprint,
    Flask,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from admin_ui.shared import control, doors, i18n, security
from admin_ui.shared.control import details
from admin_ui.shared.fields import FieldError
from admin_ui.shared.form_key import form_key
from admin_ui.shared.reasons import error_in_words, problem_in_words
from filterd import cores
from filterd.errors import ControlError

HERE = Path(__file__).parent
THEMES = ("auto", "light", "dark")
STATUS = {
    "denied": 403,
    "signed_out": 401,
    "not_found": 404,
    "conflict": 409,
    "too_soon": 429,
    "unavailable": 503,
}
PROBLEMS = 5
"""Mistakes of a document that a refusal tells; the preview tells all."""
Guard = Callable[[str], Response | None]

shared = Blueprint(
    "shared",
    __name__,
    static_folder="static",
    static_url_path="/shared",
    template_folder="templates",
)


def create(name: str, *, who: str, call: control.Call | None = None) -> Flask:
    """An app with languages, filters and error pages, but no page and no guard yet."""
    app = Flask(name, static_folder=None)
    app.secret_key = form_key(os.environ)
    app.url_map.merge_slashes = False
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    control.install(app, call, who)
    i18n.install(app)
    app.jinja_env.filters.update(said=error_in_words, problem=problem_in_words)
    app.register_blueprint(shared)
    version = hashlib.sha256(
        b"".join(path.read_bytes() for path in sorted((HERE / "static").iterdir()))
    ).hexdigest()[:10]
    app.context_processor(lambda: frame(version))
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(ControlError, control_error)
    return app


def frame(version: str) -> dict[str, object]:
    """What every template knows."""
    theme = request.cookies.get("filterd_theme", "auto")
    return {
        "language": i18n.language(),
        "languages": i18n.LANGUAGES,
        "theme": theme if theme in THEMES else "auto",
        "assets": version,
    }


def here() -> str:
    """The page being shown, for forms that lead back to it."""
    return request.full_path.rstrip("?") if request.method == "GET" else "/"


def back(default: str = "/") -> Response:
    """To the page the form named, never to another site."""
    target = request.values.get("back", default)
    local = target.startswith("/") and not target.startswith(("//", "/\\")) and "\n" not in target
    return redirect(target if local else default, 303)


@shared.post("/preferences")
def preferences() -> Response:
    """Language and colours of this browser."""
    answer = back()
    year = 365 * 86400
    if request.form.get("language") in i18n.LANGUAGES:
        answer.set_cookie(
            i18n.COOKIE, request.form["language"], max_age=year, httponly=True, samesite="Lax"
        )
    if request.form.get("theme") in THEMES:
        answer.set_cookie(
            "filterd_theme", request.form["theme"], max_age=year, httponly=True, samesite="Lax"
        )
    return answer


def http_error(error: HTTPException) -> Response:
    """An error page in words, with a way on; a form error goes back to its form."""
    if isinstance(error, FieldError) and request.method == "POST" and request.form.get("back"):
        flash(str(error.description), "bad")
        return back()
    code = error.code or 500
    if isinstance(error.response, Response):
        return error.response
    if request.path.startswith("/api/"):
        body = {"error": {"code": error.name.lower().replace(" ", "_"), "message": error.name}}
        return make_response(body, code)
    reason = "expired" if isinstance(error, CSRFError) else str(code)
    text = error.description if isinstance(error, FieldError) else None
    return make_response(render_template("shared/error.html", reason=reason, text=text), code)


def control_error(error: ControlError) -> Response:
    """A refusal by filterd: back to the form with its words, or a page of its own."""
    if request.path.startswith("/api/"):
        body = details(error) or {"code": error.code, "message": {"en": str(error)}}
        if error.code == "needs_approval":
            return make_response(body, 202)
        return make_response({"error": body}, STATUS.get(error.code, 400))
    if error.code == "signed_out":
        answer = redirect(url_for("sign_in.form"), 303)
        answer.delete_cookie(current_app.config.get("STAFF_COOKIE", ""))
        return answer
    if error.code == "needs_approval":
        flash(i18n.gettext("Sent to a second person for approval."), "ok")
        return back()
    if request.method == "POST" and request.form.get("back"):
        flash(message(error), "bad")
        return back()
    status = STATUS.get(error.code, 400)
    page = render_template("shared/error.html", reason=error.code, text=message(error))
    return make_response(page, status)


def message(error: ControlError) -> str:
    """The refusal's text in this request's language, with what is wrong with a list or document."""
    body = details(error)
    if reason := body.get("reason"):
        return i18n.gettext("It could not be done: %(why)s", why=error_in_words(str(reason)))
    text = i18n.either(body.get("message") or str(error))
    told = "; ".join(problem_in_words(each) for each in body.get("problems", ())[:PROBLEMS])
    return f"{text}: {told}" if told else text


def own_cookies(app: Flask, name: str) -> None:
    """Name the app's cookies: several apps may share a host, and ports do not part cookies."""
    app.config.update(STAFF_COOKIE=f"filterd_{name}", SESSION_COOKIE_NAME=f"filterd_{name}_form")


def guarded(app: Flask, access: Mapping[str, str], guard: Guard) -> Flask:
    """The app with its guard: `access` names every endpoint, the shared ones are added."""
    whole = {**access, "shared.static": security.PUBLIC, "shared.preferences": security.PUBLIC}
    security.install(app, whole, guard)
    app.jinja_env.globals["here"] = here
    macros: Any = app.jinja_env.get_template("shared/macros.html").module
    app.jinja_env.globals["ui"] = macros
    return app


def warm(app: Flask, templates: Iterable[str]) -> None:
    """Read the languages and compile templates, so that the first visitor does not wait for it."""
    for language in i18n.LANGUAGES:
        i18n.catalogue(language)
        dates.format_datetime(locale=language)
        dates.format_timedelta(timedelta(1), add_direction=True, locale=language)
    for name in templates:
        app.jinja_env.get_template(name)


def serve(app: Flask, default: str, first: Sequence[str] = ()) -> None:
    """Run under waitress at `--listen HOST:PORT`, bounded so that DNS never starves. The templates
    `first` are ready before it listens, the others soon after."""
    cores.forbid()  # the portal is told who asked for what
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default=default, metavar="HOST:PORT")
    parser.add_argument("--behind", metavar="ADDRESS", help="trusted TLS proxy in front of this")
    options = parser.parse_args()
    behind: dict[str, Any] = {}
    if options.behind:
        app.config["SESSION_COOKIE_SECURE"] = True
        forwarded = {"x-forwarded-for", "x-forwarded-proto"}
        behind = {"trusted_proxy": options.behind, "trusted_proxy_headers": forwarded}
    warm(app, first)
    pages = [name for name in app.jinja_env.list_templates() if name.endswith(".html")]
    threading.Thread(target=warm, args=(app, pages), name="warm", daemon=True).start()
    server = waitress.create_server(
        app,
        listen=options.listen,
        threads=4,
        connection_limit=2 * doors.TOTAL,
        channel_timeout=30,
        cleanup_interval=10,
        max_request_body_size=4 * 1024 * 1024,
        max_request_header_size=16 * 1024,
        ident=None,
        **behind,
    )
    logging.basicConfig()
    doors.settle(server).run()
