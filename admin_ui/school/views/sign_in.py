"""Signing in: password, code, own password on the first visit, turning on TOTP, signing out.

The session lives in the supervisor; this page only carries its token in a cookie. A new token
comes with every step, so an id known before sign-in is worth nothing after it.
"""

from __future__ import annotations

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin_ui.school.access import step
from admin_ui.shared import fields
from admin_ui.shared.control import ask
from admin_ui.shared.i18n import gettext as _
from admin_ui.shared.pictures import qr
from admin_ui.shared.web import back

bp = Blueprint("sign_in", __name__, url_prefix="/sign-in")


def keep(answer: Response, token: str) -> Response:
    """Put the session's token into its cookie; it dies with the browser."""
    answer.set_cookie(
        current_app.config["STAFF_COOKIE"],
        token,
        httponly=True,
        samesite="Strict",
        secure=request.is_secure or bool(current_app.config.get("SESSION_COOKIE_SECURE")),
    )
    return answer


@bp.get("/")
def form() -> str | Response:
    """The sign-in form; somebody signed in already is sent on."""
    if g.account:
        return redirect(url_for(step(g.needs)), 303)
    return render_template("sign_in/form.html", goal=request.args.get("back", "/"))


@bp.post("/")
def start() -> Response:
    """Check name and password; the supervisor delays repeated failures."""
    answer = ask(
        "sessions.start",
        account=fields.text("account", 80),
        password=fields.secret("password"),
        address=request.remote_addr or "",
        agent=(request.user_agent.string or "")[:200],
    )
    needs = answer.get("needs")
    following = redirect(url_for(step(needs)), 303) if needs else goal()
    return keep(following, answer["token"])


def goal() -> Response:
    """Where the visitor wanted to go before signing in."""
    wish = request.form.get("goal", "/")
    local = wish.startswith("/") and not wish.startswith(("//", "/\\", "/sign-in"))
    return redirect(wish if local and "\n" not in wish else "/", 303)


@bp.route("/code", methods=["GET", "POST"])
def code() -> str | Response:
    """The second factor: six digits or a recovery code."""
    if request.method == "GET":
        return render_template("sign_in/code.html")
    answer = ask("sessions.totp", code=fields.secret("code", 40).strip())
    return keep(redirect(url_for(step(answer.get("needs"))), 303), answer["token"])


@bp.route("/password", methods=["GET", "POST"])
def password() -> str | Response:
    """Set your own password; the one-time password works only up to here."""
    if request.method == "GET":
        return render_template("sign_in/password.html")
    new = fields.secret("new")
    if new != fields.secret("again"):
        raise fields.FieldError(_("The two new passwords are not the same."))
    answer = ask("people.password", old=fields.secret("old"), new=new)
    flash(_("Your new password is set. All your other sessions were signed out."), "ok")
    needs = ask_needs(answer["token"])
    return keep(redirect(url_for(step(needs)), 303), answer["token"])


def ask_needs(token: str) -> str | None:
    """What is still missing for this token."""
    g.token = token
    needs = ask("sessions.whoami").get("needs")
    return str(needs) if needs else None


@bp.route("/second-factor", methods=["GET", "POST"])
def enrol() -> str | Response:
    """Turn on TOTP: scan, type the first code, keep the recovery codes."""
    if request.method == "GET":
        begun = ask("people.totp_begin")
        return render_template("sign_in/enrol.html", secret=begun["secret"], qr=qr(begun["uri"]))
    answer = ask("people.totp_confirm", code=fields.secret("code", 40).strip())
    page = render_template("sign_in/recovery.html", codes=answer["recovery_codes"])
    return keep(current_app.make_response(page), answer["token"])


@bp.post("/leave")
def leave() -> Response:
    """Sign out: the session ends in the supervisor, then the cookie goes."""
    ask("sessions.end")
    answer = back(url_for("sign_in.form"))
    answer.location = url_for("sign_in.form")
    answer.delete_cookie(current_app.config["STAFF_COOKIE"])
    return answer
