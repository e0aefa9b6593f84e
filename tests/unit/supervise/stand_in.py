"""A stand-in for a worker: speaks the link's frames, answers every datagram with its own pid."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
import time


async def main(descriptor: int) -> None:  # noqa: C901 - a script, read from top to bottom
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=descriptor))
    loop = asyncio.get_running_loop()

    def send(frame: dict[str, object]) -> None:
        raw = json.dumps(frame).encode()
        writer.write(struct.pack("!I", len(raw)) + raw)

    def answer(udp: socket.socket) -> None:
        try:
            query, peer = udp.recvfrom(4096)
        except BlockingIOError:
            return
        udp.sendto(query + str(os.getpid()).encode(), peer)

    async def beat() -> None:
        while True:
            send({"beat": 1, "lag": 0.0})
            await asyncio.sleep(0.1)

    def act(frame: dict[str, object]) -> None:
        if frame["do"] == "start":
            for number in frame["udp"]:  # type: ignore[attr-defined]
                udp = socket.socket(fileno=number)
                loop.add_reader(udp, answer, udp)
        if frame["do"] == "block":
            time.sleep(60)
        refused = {"ok": False, "error": "no"}
        send(refused if frame["do"] == "refuse" else {"ok": True, "pid": os.getpid()})

    beating = loop.create_task(beat())
    going = True
    while going:
        (length,) = struct.unpack("!I", await reader.readexactly(4))
        frame = json.loads(await reader.readexactly(length))
        act(frame)
        going = frame["do"] != "stop"
    beating.cancel()
    await writer.drain()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[2])))
