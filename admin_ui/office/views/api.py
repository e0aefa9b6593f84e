"""What machines talk to: devices of schools, the static bundle, the office's Prometheus.

A device is known by its signature alone; nothing here looks at a cookie.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from flask import Blueprint, Response, abort, request
from werkzeug.wrappers import Response as BaseResponse

from admin_ui.office import enrolment, metrics, proof
from admin_ui.office.access import office
from filterd.errors import EvidenceError

bp = Blueprint("api", __name__)
STATUS = {"too_soon": 429, "unknown_device": 403, "revoked": 403, "code": 403}


def _refused(error: EvidenceError) -> tuple[dict[str, str], int]:
    return {"code": error.code, "message": str(error)}, STATUS.get(error.code, 422)


def _body(limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        abort(413)
    return request.get_data(cache=False)


@bp.post("/api/v1/enrol")
def enrol() -> tuple[dict[str, str], int]:
    """A one-time code and a public key: the school's id."""
    asked = request.get_json(silent=True)
    if not isinstance(asked, dict):
        abort(400)
    try:
        school = enrolment.enrol(
            office(), str(asked.get("code", ""))[:60], str(asked.get("public", ""))[:64]
        )
    except EvidenceError as error:
        return _refused(error)
    return {"school": school}, 201


@bp.post("/api/v1/rotate")
def rotate() -> tuple[dict[str, str], int]:
    """A new key named by the old one."""
    try:
        return {"device": enrolment.rotate(office(), _body(8192))}, 201
    except EvidenceError as error:
        return _refused(error)


@bp.post("/api/v1/proof", endpoint="proof")
def proof_round() -> tuple[dict[str, object] | str, int]:
    """The names of a round that is due for this device; 204 when none is."""
    try:
        found = proof.ask(office(), _body(8192))
    except EvidenceError as error:
        return {"code": error.code, "message": str(error)}, STATUS.get(error.code, 422)
    return (found, 200) if found else ("", 204)


@bp.get("/bundle/bundle.json", endpoint="bundle")
def bundle() -> BaseResponse:
    """The newest signed bundle; a static file that any web server or CDN may carry instead."""
    return _file(office().state_dir / "public" / "bundle.json")


@bp.get("/bundle/root.json", endpoint="roots")
def roots() -> BaseResponse:
    """Every root document, oldest first."""
    return _file(office().state_dir / "public" / "root.json")


def _file(path: Path) -> BaseResponse:
    if not path.is_file():
        abort(404)
    content = path.read_bytes()
    answer = Response(content, mimetype="application/json")
    answer.set_etag(hashlib.sha256(content).hexdigest())
    answer.headers["Cache-Control"] = "public, max-age=60"
    return answer.make_conditional(request)


@bp.get("/metrics", endpoint="metrics")
def scrape() -> Response:
    """The office's metrics; from another machine only with the bearer token of `keys/`."""
    local = request.remote_addr in {"127.0.0.1", "::1"}
    shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not local and not hmac.compare_digest(shown, metrics.token(office().state_dir)):
        abort(403)
    return Response(metrics.exposition(office()), mimetype=metrics.CONTENT_TYPE)


@bp.get("/healthz", endpoint="health")
def health() -> str:
    """Whether this process answers and its database does."""
    office().rows(metrics.ALIVE)
    return "ok"
