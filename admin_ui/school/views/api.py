"""The HTTP API: every method of the control socket, with a token, the same rights, the same audit.

Paths, fields and the OpenAPI description are read from `describe`, so they cannot drift. Reading is
GET with a query string, everything else POST with a JSON object. Cookies count for nothing here.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, request

from admin_ui.school.openapi import document, path_of, served
from admin_ui.shared import security
from admin_ui.shared.control import ask

bp = Blueprint("api", __name__, url_prefix="/api/v1")
security.csrf.exempt(bp)


def methods() -> dict[str, Any]:
    """The methods that the API serves, by path; asked once per process."""
    kept: dict[str, Any] = current_app.extensions.setdefault("filterd_methods", {})
    if not kept:
        described = ask("describe")["methods"]
        kept.update({path_of(name): (name, served(name), described[name])
                     for name in described if served(name)})  # fmt: skip
    return kept


@bp.get("/openapi.json")
def openapi() -> Response:
    """The description; it says nothing about this school."""
    return jsonify(document(methods()))


@bp.route("/<noun>", methods=["GET", "POST"], endpoint="call", defaults={"verb": ""})
@bp.route("/<noun>/<verb>", methods=["GET", "POST"], endpoint="call")
def call(noun: str, verb: str) -> tuple[Response, int]:
    """One method; the supervisor decides whether the token may."""
    if g.token is None:
        return refusal(401, "signed_out", "Send a token: Authorization: Bearer …")
    found = methods().get(f"/{noun}/{verb}" if verb else f"/{noun}")
    if found is None:
        return refusal(404, "not_found", "There is no such method")
    name, way, described = found
    if request.method != way:
        return refusal(405, "invalid", f"Use {way}")
    given: Any = query(described["fields"]) if way == "GET" else request.get_json(silent=True)
    if not isinstance(given, dict):
        return refusal(400, "invalid", "Send a JSON object")
    return jsonify(ask(name, **given)), 200


def refusal(status: int, code: str, text: str) -> tuple[Response, int]:
    """An error of the API itself, in the same form as the supervisor's."""
    answer = jsonify({"error": {"code": code, "message": {"vi": text, "en": text}}})
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer, status


def query(described: dict[str, Any]) -> dict[str, Any]:
    """The query string with the types of the fields; what cannot be read goes on as text."""
    found: dict[str, Any] = {}
    for key, values in request.args.lists():
        schema = described.get(key, {})
        schema = schema.get("anyOf", [schema])[0]
        found[key] = [*values] if schema.get("type") == "array" else typed(values[-1], schema)
    return found


def typed(value: str, schema: dict[str, Any]) -> Any:
    """One value of a query string by its schema."""
    kind = schema.get("type")
    if (
        kind == "integer"
        and value.removeprefix("-").isascii()
        and value.removeprefix("-").isdigit()
    ):
        return int(value[:19])
    if kind == "boolean" and value in {"true", "false"}:
        return value == "true"
    return value
