"""The supervisor's end of the link to one worker (architecture §6): frames and their answers.

A frame is four bytes of length, big-endian, and JSON. The worker answers requests in order; its
beats come in between.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections import deque
from typing import Any

from filterd.errors import FilterdError

MAX_FRAME_BYTES = 64 << 20
_LENGTH = struct.Struct("!I")


class LinkError(FilterdError):
    """The worker is gone, silent, or said no."""


class Link:
    """One worker's link. `last_beat` is monotonic time, `lag` the worker's own loop lag."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: deque[asyncio.Future[dict[str, Any]]] = deque()
        self.last_beat = time.monotonic()
        self.lag = 0.0

    async def request(self, frame: dict[str, Any], seconds: float = 10.0) -> dict[str, Any]:
        """Send a frame and give its answer; raises LinkError when there is none or it is a no."""
        raw = json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode()
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        try:
            self._writer.write(_LENGTH.pack(len(raw)) + raw)
            async with asyncio.timeout(seconds):
                await self._writer.drain()
                found = await answer
        except (OSError, TimeoutError) as error:
            raise LinkError(f"no answer to {frame.get('do')!r}: {error or 'timeout'}") from None
        if not found.get("ok"):
            raise LinkError(f"{frame.get('do')!r} refused: {found.get('error')}")
        return found

    async def listen(self) -> None:
        """Read until the worker hangs up; then everyone who waits is told."""
        try:
            while True:
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                if length > MAX_FRAME_BYTES:
                    break
                self._take(json.loads(await self._reader.readexactly(length)))
        except (asyncio.IncompleteReadError, OSError, ValueError):
            pass
        finally:
            for answer in self._waiting:
                if not answer.done():
                    answer.set_exception(LinkError("the worker is gone"))
                    answer.exception()  # told to whoever still waits; silent otherwise
            self._waiting.clear()

    def _take(self, frame: dict[str, Any]) -> None:
        self.last_beat = time.monotonic()
        if "beat" in frame:
            self.lag = float(frame.get("lag", 0.0))
        elif self._waiting:
            answer = self._waiting.popleft()
            if not answer.done():
                answer.set_result(frame)

    def close(self) -> None:
        """Hang up; the worker ends when its link ends."""
        self._writer.close()
