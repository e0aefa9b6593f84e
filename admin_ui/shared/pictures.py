"""Small pictures as files: QR codes and charts, served with their own policy.

Knows the theme of the browser, nothing about what is drawn.
"""

from __future__ import annotations

import segno
from flask import Response, request


def svg(drawn: bytes) -> Response:
    """A picture of its own; `security.harden` gives it a policy without scripts."""
    return Response(drawn, mimetype="image/svg+xml")


def dark() -> bool:
    """Whether the page asked for the dark drawing."""
    return request.args.get("theme") == "dark"


def qr(text: str) -> str:
    """A QR code as a data URI (the policy allows `img-src data:`)."""
    return str(segno.make(text, error="m").svg_data_uri(border=2, dark="#000", light="#fff"))
