"""What every page of every web app is held to: who may open it, where forms may come from, headers.

Deny by default: one check before every request, by endpoint name (never by path), against a table
that the app hands in. Knows no noun and no page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, request
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response as BaseResponse

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), browsing-topics=()",
}
PUBLIC = "public"
"""The entry of an endpoint that anyone may open."""

csrf = CSRFProtect()


def granted(access: Mapping[str, str], endpoint: str) -> bool:
    """Whether the signed-in account may open an endpoint of this app's table."""
    known = endpoint in current_app.view_functions
    return known and access.get(endpoint, "") in g.get("permissions", frozenset())


def same_origin() -> bool:
    """Whether an unsafe request comes from our own page (Sec-Fetch-Site, else Origin/Referer)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    source = request.headers.get("Origin") or request.headers.get("Referer")
    if source is None:
        return site is not None
    return urlsplit(source).netloc == request.host


def install(
    app: Flask,
    access: Mapping[str, str],
    admit: Callable[[str], BaseResponse | None],
) -> None:
    """Guard the app: `access` says what each endpoint needs, `admit` finds who asks and decides.

    An endpoint that stands in no table is refused, also for a signed-in administrator.
    """
    app.config.update(
        MAX_CONTENT_LENGTH=2 * 1024 * 1024,
        MAX_FORM_MEMORY_SIZE=2 * 1024 * 1024,
        MAX_FORM_PARTS=6000,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
    )

    @app.before_request
    def guard() -> BaseResponse | None:
        g.token, g.account = None, None
        endpoint = request.endpoint
        if endpoint is None:
            return None
        needed = access.get(endpoint)
        if needed is None:
            abort(403)
        token_only = endpoint.startswith("api.")
        if request.method not in SAFE and not token_only and not same_origin():
            abort(403)
        return admit(needed)

    csrf.init_app(app)
    app.after_request(harden)


def harden(response: Response) -> Response:
    """Headers of every answer; a picture may style itself and nothing else."""
    picture = response.mimetype == "image/svg+xml"
    response.headers.setdefault("Content-Security-Policy", PICTURE_POLICY if picture else POLICY)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint not in {"static", "shared.static"}:
        response.headers.setdefault("Cache-Control", "no-store")
    return response
