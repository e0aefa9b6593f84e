"""The OpenAPI 3.1 description of the API, made from the described control methods. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HIDDEN = frozenset(
    {"sessions.start", "sessions.totp", "sessions.end", "people.password", "people.totp_begin",
     "people.totp_confirm", "tokens.add", "describe"}
)  # fmt: skip
"""Signing in is for people and their browsers; a token cannot make another token."""
READS = frozenset(
    {"list", "get", "history", "revision", "state", "status", "traffic", "verify", "rows",
     "search", "overlap", "clients", "whoami", "schema", "local_get", "exposure", "summaries",
     "calendar"}
)  # fmt: skip
ERRORS = {
    "400": "The request has mistakes; `problems` names each",
    "401": "No token, or one that has ended",
    "403": "The token may not do this",
    "404": "There is no such thing",
    "409": "Somebody else changed it meanwhile",
    "429": "Too soon; `retry_after` seconds",
    "503": "filterd does not answer",
}


def served(method: str) -> str | None:
    """`GET` or `POST`, or None for a method that the API does not serve."""
    noun, _, verb = method.partition(".")
    if method in HIDDEN or noun == "portal" or method == "tickets.submit":
        return None
    return "GET" if (verb or noun) in READS or method == "explain" else "POST"


def path_of(method: str) -> str:
    """`policy.preview` → `/policy/preview`."""
    return "/" + method.replace(".", "/")


def document(methods: Mapping[str, tuple[str, str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The whole description; `methods` is path → (method, way, what `describe` says)."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "filterd",
            "version": "1",
            "description": "Everything the console does, with the same rights and the same audit.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": {
            path: {way.lower(): operation(name, way, described)}
            for path, (name, way, described) in sorted(methods.items())
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": ERROR, "Answer": {"type": "object"}},
        },
    }


ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "object", "additionalProperties": {"type": "string"}},
                "problems": {"type": "array", "items": {"type": "object"}},
                "retry_after": {"type": "number"},
            },
        }
    },
}


def operation(name: str, way: str, described: Mapping[str, Any]) -> dict[str, Any]:
    """One method as an operation."""
    found: dict[str, Any] = {
        "operationId": name,
        "summary": described["text"] or name,
        "description": f"Needs the permission `{described['permission']}`.",
        "tags": [name.split(".")[0]],
        "responses": {
            "200": answer("The answer", "Answer"),
            **{code: answer(text, "Error") for code, text in ERRORS.items()},
        },
    }
    if way == "GET":
        found["parameters"] = [
            {"name": key, "in": "query", "required": key in described["required"], "schema": schema}
            for key, schema in described["fields"].items()
        ]
    else:
        found["responses"]["202"] = answer("Sent to a second person for approval", "Answer")
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": {
            "type": "object",
            "properties": described["fields"],
            "required": described["required"],
            "additionalProperties": False,
        }}}}  # fmt: skip
    return found


def answer(text: str, schema: str) -> dict[str, Any]:
    """A response with a JSON body."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": text, "content": content}
