"""The blocking client of the control socket, for the web pages and the command line."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from filterd.errors import ControlError


class CallError(ControlError):
    """A refused call: `vi` and the error's text are for people, `body` is all that came back."""

    def __init__(self, body: dict[str, Any]) -> None:
        message = body.get("message") or {}
        super().__init__(str(body.get("code", "unavailable")), str(message.get("en", "")))
        self.vi = str(message.get("vi", ""))
        self.body = body


class ControlClient:
    """Calls methods at a socket path, one connection for each call; safe in many threads."""

    def __init__(self, path: str | Path, seconds: float = 65.0) -> None:
        self.path = str(path)
        self._seconds = seconds

    @classmethod
    def from_environment(cls) -> ControlClient:
        """The client of the socket that the supervisor names in FILTERD_CONTROL."""
        return cls(os.environ.get("FILTERD_CONTROL", "var/run/control.sock"))

    def call(self, method: str, token: str | None = None, /, **fields: Any) -> dict[str, Any]:
        """Call `method` as `token` (None: the local administrator); raises ControlError.

        The code `unavailable` says that the daemon is down or too slow.
        """
        message = {"id": 1, "do": method, "as": token, "with": fields}
        try:
            answer = json.loads(self._exchange(json.dumps(message).encode() + b"\n"))
        except (OSError, ValueError) as error:
            raise CallError(
                {
                    "code": "unavailable",
                    "message": {
                        "vi": "Bộ lọc filterd không trả lời",
                        "en": f"filterd does not answer at {self.path}: {error}",
                    },
                }
            ) from None
        if "error" in answer:
            raise CallError(answer["error"])
        result: dict[str, Any] = answer["ok"]
        return result

    def _exchange(self, line: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._seconds)
            connection.connect(self.path)
            connection.sendall(line)
            parts = []
            while part := connection.recv(1 << 16):
                parts.append(part)
                if part.endswith(b"\n"):
                    break
        return b"".join(parts)
