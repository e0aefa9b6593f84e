"""The control socket over a real Unix socket: strict requests, permissions, translated errors."""

from __future__ import annotations

import ast
import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from filterd.control.client import CallError, ControlClient
from filterd.control.permissions import Permission, Role
from filterd.control.protocol import Caller, Nothing, Refusal, Route, decode, plain
from filterd.control.server import ControlServer, _translated
from filterd.errors import PolicyError, Problem, StorageError


@dataclass(frozen=True, slots=True)
class Add:
    name: str
    tiers: tuple[str, ...] = ()
    role: Role = Role.VIEWER
    until: datetime | None = None
    minutes: int | None = None
    files: dict[str, str] | None = None


async def echo(caller: Caller, request: Add) -> Any:
    return {"caller": caller.name, "request": request}


async def fail(caller: Caller, request: Nothing) -> Any:
    raise PolicyError([Problem("school.yaml", 3, "tiers", "is wrong", "write it right")])


async def full(caller: Caller, request: Nothing) -> Any:
    raise StorageError("the disk is full; nothing was saved")


async def crash(caller: Caller, request: Nothing) -> Any:
    raise KeyError("inside")


async def identify(token: str) -> Caller:
    if token == "good":
        return Caller("co.lan", frozenset({Permission.VIEW}), account="co.lan")
    raise Refusal("signed_out", "Hãy đăng nhập", "Sign in first")


ROUTES = {
    "echo": Route(Add, Permission.EDIT, echo),
    "see": Route(Add, Permission.VIEW, echo),
    "why": Route(Add, Permission.PORTAL, echo),
    "fail": Route(Nothing, Permission.EDIT, fail),
    "full": Route(Nothing, Permission.EDIT, full),
    "crash": Route(Nothing, Permission.EDIT, crash),
}
PAGES: set[int] = set()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[ControlClient]:
    PAGES.clear()
    server = ControlServer(ROUTES, identify, lambda: frozenset(PAGES))
    await server.start(tmp_path / "s")
    yield ControlClient(tmp_path / "s", 5)
    await server.stop()


async def call(client: ControlClient, method: str, token: str | None = None, **fields: Any) -> Any:
    return await asyncio.to_thread(client.call, method, token, **fields)


async def refused(client: ControlClient, method: str, token: str | None = None, **f: Any) -> Any:
    with pytest.raises(CallError) as caught:
        await call(client, method, token, **f)
    return caught.value


async def test_the_local_administrator_may_everything(client: ControlClient) -> None:
    answer = await call(client, "echo", name="x", tiers=["staff"], role="teacher")
    assert answer["caller"].startswith("cli:")
    assert answer["request"]["tiers"] == ["staff"]
    assert answer["request"]["role"] == "teacher"


async def test_a_page_of_ours_is_no_administrator_without_a_token(client: ControlClient) -> None:
    PAGES.add(os.getpid())
    assert (await refused(client, "echo", name="x")).code == "denied"
    assert (await call(client, "see", "good", name="x"))["caller"] == "co.lan"


async def test_the_socket_is_closed_to_other_users(client: ControlClient) -> None:
    assert Path(client.path).stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize(
    ("method", "token", "code"),
    [
        ("echo", "good", "denied"),
        ("see", "bad", "signed_out"),
        ("see", "@portal", "denied"),
        ("why", "@guest", "denied"),
        ("nothing.here", None, "not_found"),
    ],
)
async def test_permissions_are_checked_at_the_socket(
    client: ControlClient, method: str, token: str | None, code: str
) -> None:
    assert (await refused(client, method, token, name="x")).code == code


async def test_requests_are_strict_and_all_mistakes_are_told(client: ControlClient) -> None:
    error = await refused(client, "echo", tiers="all", nmae="x", until="2026-01-01T00:00:00")
    assert error.code == "invalid"
    told = {problem["key"]: problem["message"] for problem in error.body["problems"]}
    assert set(told) == {"name", "tiers", "nmae", "until"}


async def test_errors_are_told_in_words_and_the_server_lives(client: ControlClient) -> None:
    error = await refused(client, "fail")
    assert error.body["problems"][0]["suggestion"] == "write it right"
    assert "disk is full" in str(await refused(client, "full"))
    assert (await refused(client, "crash")).code == "unavailable"
    assert (await call(client, "echo", name="still here"))["request"]["name"] == "still here"


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b'{"id": 1, "x": 2}\n', b'"\\ud800"\n'])
async def test_junk_is_answered_with_an_error(client: ControlClient, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(client.path)
    writer.write(line)
    assert json.loads(await asyncio.wait_for(reader.readline(), 5))["error"]["code"] == "invalid"
    writer.close()


async def test_a_daemon_that_is_down_is_unavailable(tmp_path: Path) -> None:
    assert (await refused(ControlClient(tmp_path / "none"), "echo")).code == "unavailable"


def test_decode_refuses_what_plain_would_not_make() -> None:
    made = decode(Add, {"name": "x", "until": "2026-01-01T00:00:00+07:00", "files": {"a": "b"}})
    assert decode(Add, plain(made)) == made
    assert made.until > datetime(2025, 1, 1, tzinfo=UTC)
    with pytest.raises(Refusal):
        decode(Add, {"name": "x", "minutes": True})


def test_what_could_not_be_saved_is_said_in_vietnamese() -> None:
    """Each error of the stores that a person may meet has its words; sqlite's own are a number."""
    root = Path(__file__).parents[3] / "filterd"
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "StorageError":
                assert len(node.args) == 2, f"{path}:{node.lineno}"
    error = StorageError("disk I/O error; nothing was saved", "cơ sở dữ liệu báo lỗi")
    told = _translated(error).body()["message"]
    assert told == {
        "vi": "Không lưu được: cơ sở dữ liệu báo lỗi",
        "en": "Not saved: disk I/O error; nothing was saved",
    }
