"""The one address that every school uses every day: `POST /api/v1/summaries`, straight on WSGI.

The frame of the pages (sessions, forms, languages, headers) costs three times what a summary does,
so it is passed by. What is answered: 201 taken, 409 known already, 4xx refused (and written down),
503 try again later. Nothing here looks at a cookie; a device is known by its signature alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from admin_ui.office.ingest import Gathering
from filterd.errors import EvidenceError
from filterd.evidence.chain import Outcome
from filterd.evidence.summary import MAX_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/api/v1/summaries"
LIMIT = 2 * MAX_BYTES
_log = logging.getLogger("filterd.office")
_WORDS = {
    201: "Created", 400: "Bad Request", 403: "Forbidden", 405: "Method Not Allowed",
    409: "Conflict", 413: "Content Too Large", 422: "Unprocessable Content",
    503: "Service Unavailable",
}  # fmt: skip
_STATUS = {"unknown_device": 403, "revoked": 403}
Answer = tuple[int, dict[str, str]]


class Intake:
    """Takes summaries; everything else goes on to the pages."""

    def __init__(self, pages: WSGIApplication, gathering: Gathering) -> None:
        self._pages, self._gathering = pages, gathering

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH:
            return self._pages(environ, start)
        status, said = self._answer(environ)
        content = json.dumps(said).encode()
        start(
            f"{status} {_WORDS[status]}",
            [("Content-Type", "application/json"), ("Content-Length", str(len(content))),
             ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")],
        )  # fmt: skip
        return [content]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        if environ.get("REQUEST_METHOD") != "POST":
            return 405, _said("method", "POST only")
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal():
            return 400, _said("length", "no length")
        if int(length) > LIMIT:
            return 413, _said("size", f"more than {LIMIT} bytes")
        try:
            outcome = self._gathering.take(environ["wsgi.input"].read(int(length)))
        except EvidenceError as error:
            return _STATUS.get(error.code, 422), _said(error.code, str(error))
        except SQLAlchemyError as error:  # locked, or away: the box keeps it and tries again later
            _log.error("a summary could not be kept: %s", error)
            return 503, _said("busy", "try again later")
        return 409 if outcome is Outcome.KNOWN else 201, {"outcome": outcome.value}


def _said(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}
