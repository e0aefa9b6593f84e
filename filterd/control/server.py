"""The control socket: one JSON object a line, one answer a line, permissions checked here."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from filterd.control.permissions import EVERYTHING, GUEST_ONLY, PORTAL_ONLY
from filterd.control.protocol import (
    GUEST,
    MAX_LINE_BYTES,
    PORTAL,
    Caller,
    Refusal,
    Routes,
    decode,
    invalid,
    plain,
)
from filterd.errors import DocumentError, FilterdError, StorageError

_log = logging.getLogger("filterd.control")
_REQUEST_SECONDS = 60.0
_MAX_CONNECTIONS = 64
_DENIED = Refusal("denied", "Bạn không có quyền làm việc này", "You may not do this")


class Identify(Protocol):
    """Finds the signed-in caller of a token, or raises Refusal `signed_out`."""

    def __call__(self, token: str) -> Awaitable[Caller]:
        """The caller of a session or API token."""


class ControlServer:
    """Serves `routes` on a Unix socket. `pages` gives the pids that never act as administrator."""

    def __init__(
        self, routes: Routes, identify: Identify, pages: Callable[[], frozenset[int]]
    ) -> None:
        self._routes = routes
        self._identify = identify
        self._pages = pages
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, path: Path) -> None:
        """Listen on `path` (0660: the service's group may speak, the token says for whom)."""
        await asyncio.to_thread(path.unlink, missing_ok=True)
        old = os.umask(0o117)
        try:
            self._server = await asyncio.start_unix_server(
                self._serve, path=path, limit=MAX_LINE_BYTES
            )
        finally:
            os.umask(old)

    async def stop(self) -> None:
        """Take no more requests and hang up."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._open):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _MAX_CONNECTIONS:
            writer.close()
            return
        self._open.add(writer)
        peer = _peer(writer.get_extra_info("socket"))
        try:
            while line := await reader.readline():
                writer.write(await self._answer(line, peer) + b"\n")
                await writer.drain()
        except (OSError, ValueError):  # hung up, or a line beyond the limit
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, line: bytes, peer: tuple[int, int]) -> bytes:
        number: Any = None
        try:
            message = json.loads(line)
            number = message.get("id") if isinstance(message, dict) else None
            found = {"id": number, "ok": plain(await self._call(message, peer))}
        except Refusal as error:
            found = {"id": number, "error": error.body()}
        except Exception as error:
            found = {"id": number, "error": _translated(error).body()}
        return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()

    async def _call(self, message: Any, peer: tuple[int, int]) -> Any:
        if not isinstance(message, dict) or set(message) - {"id", "do", "as", "with"}:
            raise Refusal("invalid", "Yêu cầu không đúng dạng", "Not a request: id, do, as, with")
        route = self._routes.get(str(message.get("do")))
        if route is None:
            raise Refusal("not_found", "Không có phương thức này", "There is no such method")
        caller = await self._caller(message.get("as"), peer)
        if route.permission not in caller.permissions:
            raise _DENIED
        request = decode(route.request, message.get("with") or {})
        async with asyncio.timeout(_REQUEST_SECONDS):
            return await route.run(caller, request)

    async def _caller(self, token: Any, peer: tuple[int, int]) -> Caller:
        pid, uid = peer
        if token == PORTAL:
            return Caller("portal", PORTAL_ONLY)
        if token == GUEST:
            return Caller("guest", GUEST_ONLY)
        if token is not None:
            return await self._identify(str(token))
        if uid not in (0, os.getuid()) or pid in self._pages():
            raise _DENIED
        return Caller(f"cli:{_user(uid)}", EVERYTHING)


def _translated(error: Exception) -> Refusal:
    """What the caller is told of an error that a route let through."""
    if isinstance(error, DocumentError):
        return invalid(list(error.problems))
    if isinstance(error, StorageError):
        vi = error.vi or "xem nhật ký của máy lọc"
        return Refusal("unavailable", f"Không lưu được: {vi}", f"Not saved: {error}")
    if isinstance(error, TimeoutError):
        return Refusal("unavailable", "Quá thời gian chờ", "It took too long")
    if isinstance(error, FilterdError):
        return Refusal(getattr(error, "code", "invalid"), str(error), str(error))
    if isinstance(error, ValueError | OverflowError):  # also a number that no store can hold
        return Refusal("invalid", "Yêu cầu không đọc được", f"The request cannot be read: {error}")
    _log.error("a control request failed", exc_info=error)
    return Refusal("unavailable", "Lỗi bên trong filterd", "filterd failed inside; see its log")


def _peer(connection: socket.socket) -> tuple[int, int]:
    """Process and user id of the other end (unix(7), SO_PEERCRED)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", raw)
    return pid, uid


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
