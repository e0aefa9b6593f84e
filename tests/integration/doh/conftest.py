"""A DoH listener of filterd in front of a handler that a test can read, and clients for it."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from filterd.listen.certificate import Certificate
from filterd.listen.https import https_server
from tests.lab.certificates import Authority
from tests.lab.doh import Client
from tests.lab.encrypted import NAME, FakeHandler, listening


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    pair = authority.issue(NAME, f"*.{NAME}", "127.0.0.1")
    return Certificate(pair.certificate, pair.key)


@pytest.fixture
def handler() -> FakeHandler:
    return FakeHandler()


@pytest.fixture
async def port(handler: FakeHandler, certificate: Certificate) -> AsyncIterator[int]:
    async with listening(https_server(handler, certificate)) as number:
        yield number


@pytest.fixture
async def client(authority: Authority, port: int) -> AsyncIterator[Client]:
    async with contextlib.AsyncExitStack() as stack:

        def make(http2: bool) -> httpx.AsyncClient:
            made = httpx.AsyncClient(
                http1=not http2,
                http2=http2,
                verify=ssl.create_default_context(cafile=str(authority.file)),
                base_url=f"https://127.0.0.1:{port}",
                trust_env=False,
                limits=httpx.Limits(max_connections=8),
            )
            stack.push_async_callback(made.aclose)
            return made

        yield make
