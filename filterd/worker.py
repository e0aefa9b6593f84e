"""A worker: answers, and nothing else. `python -m filterd.worker --link FD`

FD is one end of a socket pair to the supervisor; frames of four octets of length (big-endian) and
JSON go both ways (docs/architecture.md §6). Every frame is answered {"ok": true, …} or {"ok":
false, "error": "…"}. What a worker understands:

  {"do": "start", "udp": [fd…], "tcp": [fd…], "dot": [], "doh": [], "settings": {…}, "slot": n,
   "counters": path, "secret": hex?}     inherited sockets; settings as `Settings.for_worker`;
                                         `secret` (32 hex digits) is that of all workers' cookies
  {"do": "ruleset", "files": {…}, "revision": n, "index": path, "at_trusted": bool,
   "tiers": [id…]?}                      put in force; `tiers` is their order in the counters
  {"do": "neighbours", "table": {address: hardware address}}
  {"do": "seen", "key": hex}             → "names": [[name, uses, sketch]…], "refusals": [[tier,
                                         category, client mark, uses]…], "forgotten": n, "places":
                                         [[tier, segment or null, known, sources]…]
  {"do": "tail", "until": seconds from now, 0: off}        {"do": "rows", "after": id} → "rows"
  {"do": "flush", "name": name or null}  → "gone": n
  {"do": "upstreams"}                    → "upstreams": [{…}]
  {"do": "stop"}

Once a second a worker says {"beat": n, "lag": seconds}. Until it has a ruleset it answers SERVFAIL
with EDE 14 to everyone; started with "hold": true it leaves the sockets to its siblings until the
first ruleset came or failed. It ends when its link does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import socket
import struct
from typing import Any, NoReturn

from filterd import cores, descriptors, tasks
from filterd.documents import Documents
from filterd.errors import FilterdError
from filterd.listen.standby import StandbyLoop
from filterd.pauses import quiet, short_turns
from filterd.serving import Serving

_LENGTH = struct.Struct("!I")
_MAX_FRAME_BYTES = 64 << 20
_BEAT_SECONDS = 1.0
_log = logging.getLogger("filterd.worker")


class Worker:
    """The link's end: frames in, answers and beats out."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        documents: Documents | None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._documents = documents
        self._serving: Serving | None = None
        self._stopping = False

    async def run(self) -> None:
        """Serve until told to stop or the supervisor is gone."""
        beat = tasks.spawn(self._beat(), "beat")
        try:
            while not self._stopping and (frame := await self._frame()) is not None:
                self._say(await self._answer(frame))
                await self._writer.drain()
        finally:
            beat.cancel()
            if self._serving is not None:
                await self._serving.close()

    async def _frame(self) -> dict[str, Any] | None:
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > _MAX_FRAME_BYTES:
                return None
            frame = json.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):
            return None
        return frame if isinstance(frame, dict) else {}

    async def _answer(self, frame: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"ok": True, **await self._do(frame)}
        except FilterdError as error:
            return {"ok": False, "error": str(error)}
        except Exception as error:
            _log.exception("frame %r", frame.get("do"))
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}

    async def _do(self, frame: dict[str, Any]) -> dict[str, Any]:
        what = frame.get("do")
        if what == "start":
            self._serving = await Serving.start(frame, self._documents)
            return {}
        if what == "stop":
            self._stopping = True
            return {}
        if self._serving is None:
            raise FilterdError("a worker begins with a start frame")
        return await self._serving.take(str(what), frame)

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        number, due = 0, loop.time()
        while True:
            due += _BEAT_SECONDS
            await asyncio.sleep(max(0.0, due - loop.time()))
            lag = max(0.0, loop.time() - due)
            due = loop.time()
            number += 1
            if self._serving is not None:
                self._serving.tick(lag)
            self._say({"beat": number, "lag": round(lag, 4)})

    def _say(self, frame: dict[str, Any]) -> None:
        raw = json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode()
        self._writer.write(_LENGTH.pack(len(raw)) + raw)


async def _main(link: int, documents: Documents | None) -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=link))
    await Worker(reader, writer, documents).run()
    writer.close()


def main() -> None:
    """Run on the link that the supervisor passed."""
    parser = argparse.ArgumentParser(prog="python -m filterd.worker", description=__doc__)
    parser.add_argument("--link", type=int, required=True, help="descriptor of the link")
    arguments = parser.parse_args()
    serve(arguments.link)


def serve(link: int, documents: Documents | None = None) -> NoReturn:
    """Be a worker on this descriptor, executed or forked, until the link ends; `documents` are what
    was read before the fork."""
    cores.forbid()
    descriptors.make_room()
    form = "worker[%(process)d] %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, force=True)
    quiet()
    short_turns()
    with asyncio.Runner(loop_factory=StandbyLoop) as runner:
        runner.run(_main(link, documents))
    os._exit(0)  # threads of a compile under way are not waited for


if __name__ == "__main__":
    main()
