"""Runs the compiler process and brings back what it says. Blocking: call it from a thread.

Knows how to start, watch and end the child; nothing about lists.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from filterd.errors import ListError
from filterd.lists.job import Job

SECONDS = 900.0
"""After this the compiler is ended: fifty times what four million names take."""

Progress = Callable[[dict[str, Any]], None]


def run(job: Job, progress: Progress | None = None, seconds: float = SECONDS) -> dict[str, Any]:
    """The compiler's report (`builder.Built` as JSON, and `seconds`); ListError if it failed.

    The index file is new and whole, or untouched.
    """
    return _child("filterd.lists.compile", job.dump(), (progress or _silent, seconds))


def examine(asked: Mapping[str, Any], seconds: float = SECONDS) -> dict[str, Any]:
    """What `filterd.lists.examine` says about a new version; ListError if it cannot be read."""
    return _child("filterd.lists.examine", json.dumps(asked), (_silent, seconds))


def _child(module: str, asked: str, way: tuple[Progress, float]) -> dict[str, Any]:
    progress, seconds = way
    child = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    guard = threading.Timer(seconds, child.kill)
    guard.start()
    try:
        return _talk(child, asked, progress)
    finally:
        guard.cancel()
        child.kill()
        child.wait()


def _silent(_: dict[str, Any]) -> None:
    return None


def _talk(child: subprocess.Popen[str], asked: str, progress: Progress) -> dict[str, Any]:
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    complaints: list[str] = []
    listener = threading.Thread(target=lambda: complaints.append(child.stderr.read()))  # type: ignore[union-attr]
    listener.start()
    done: dict[str, Any] | None = None
    error = ""
    try:
        child.stdin.write(asked)
        child.stdin.close()
    except BrokenPipeError:
        error = "the compiler did not start"
    for line in child.stdout:
        said = json.loads(line)
        done = said.get("done", done)
        error = said.get("error", error)
        if "progress" in said:
            progress(said["progress"])
    code = child.wait()
    listener.join()
    if done is None or code != 0:
        raise ListError(error or _ending(code, "".join(complaints)))
    return done


def _ending(code: int, complaints: str) -> str:
    last = complaints.strip().splitlines()[-1:] or ["no message"]
    if code < 0:
        return f"the compiler was ended by signal {-code}; the old index stays"
    return f"the compiler failed ({last[0][:200]}); the old index stays"
