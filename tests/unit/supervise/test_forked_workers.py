"""The first workers are forked: what they share, what they do not get, and who replaces them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

STAND_IN = Path(__file__).with_name("stand_in.py")
PROGRAM = """
import asyncio, json, os, signal, socket, sys, time
from pathlib import Path
from filterd.supervise import forked
from filterd.supervise.fleet import Fleet
from filterd.supervise.worker import Plan

secret = os.open(sys.argv[0], os.O_RDONLY)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
held = ["what both need"] * 4_000_000

def seen():
    open_now = [f"/proc/self/fd/{n}" for n in range(256) if os.path.lexists(f"/proc/self/fd/{n}")]
    return [os.readlink(each).split(":")[0] for each in open_now]

def work(link):
    told = {"descriptors": seen(), "session": os.getsid(0) == os.getpid(), "held": len(held)}
    Path(sys.argv[2], str(os.getpid())).write_text(json.dumps(told))
    source = Path(sys.argv[1]).read_text()
    sys.argv = ["stand_in", "--link", str(link)]
    exec(compile(source, "stand_in", "exec"), {"__name__": "__main__"})

async def until(holds):
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)

async def main(children):
    plan = Plan(
        lambda number: [{"do": "start", "udp": [udp.fileno()]}], [udp.fileno()],
        (sys.executable, sys.argv[1]), forked=children,
    )
    fleet = Fleet(2, plan)
    await fleet.start()
    await until(lambda: fleet.ready == 2)
    first = [state.pid for state in fleet.states()]
    os.kill(first[0], signal.SIGKILL)
    await until(lambda: fleet.ready == 2 and fleet.restarts == 1)
    second = [state.pid for state in fleet.states()]
    await fleet.stop()
    told = {p: json.loads(Path(sys.argv[2], str(p)).read_text()) for p in first}
    print(json.dumps({
        "forked": [c.pid for c in children], "codes": [c.returncode for c in children],
        "first": first, "second": second, "told": list(told.values()),
        "left": [p for p in (*first, *second) if Path(f"/proc/{p}").exists()],
    }))

asyncio.run(main(forked.fork(2, [udp.fileno()], work)))
"""


def test_the_first_workers_are_forked_and_the_next_executed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program), str(STAND_IN), str(tmp_path)],
        capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["first"] == said["forked"]
    assert said["second"][1] == said["first"][1] and said["second"][0] not in said["first"]
    assert said["codes"][0] == -9, "how a worker ended is known of a forked one too"
    assert said["left"] == []
    for told in said["told"]:
        assert told["session"] and told["held"] == 4_000_000
        # the listening socket and its link, and nothing of the supervisor's
        assert not any("program.py" in each for each in told["descriptors"])
        assert told["descriptors"].count("socket") == 2
