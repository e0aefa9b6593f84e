"""Runs the checks over every transport, several at a time, and counts what came back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from filterd.evidence.selftest import judge
from filterd.evidence.selftest.checks import Check, Kind
from filterd.evidence.selftest.client import Exchange
from filterd.evidence.selftest.paths import Lane

AT_ONCE = 32
FAILED_WITHOUT_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Result:
    """One check over one transport. `passed` None: it could not be asked or not be seen; `got` says
    what came. `attempts` counts every try: a failure was seen that often."""

    check: Check
    transport: str
    passed: bool | None
    got: str
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a failure is asked again before it is believed (method §4.3: 3 in 5 minutes)."""

    attempts: int = 3
    pause_s: float = 0.5


async def run(
    checks: Iterable[Check],
    paths: Mapping[str, Lane],
    transports: Mapping[str, Exchange],
    retry: Retry | None = None,
) -> list[Result]:
    """Every check over every transport that serves it, in the order of the checks."""
    rules = retry or Retry()
    gate = asyncio.Semaphore(AT_ONCE)
    pairs = [(check, name) for check in checks for name in _over(check, transports)]

    async def one(check: Check, transport: str) -> Result:
        path = paths.get(check.tier)
        if path is None:
            return Result(check, transport, None, "no_path", 0)
        result = Result(check, transport, None, "")
        for attempt in range(1, rules.attempts + 1):
            async with gate:
                result = await _ask(check, transport, path, transports[transport])
            result = replace(result, attempts=attempt)
            if result.passed is not False or attempt == rules.attempts:
                break
            await asyncio.sleep(rules.pause_s)
        return result

    return list(await asyncio.gather(*(one(check, name) for check, name in pairs)))


def _over(check: Check, transports: Mapping[str, Exchange]) -> Iterable[str]:
    """Blocking is asked over everything; the rest over UDP, where devices ask first."""
    return (
        transports if check.kind is Kind.BLOCK else [name for name in transports if name == "udp"]
    )


async def _ask(check: Check, transport: str, path: Lane, exchange: Exchange) -> Result:
    try:
        wire = await exchange(path, check.name, check.qtype)
    except (OSError, TimeoutError) as error:
        return Result(check, transport, False, _why(error))
    reply = judge.read(wire)
    if reply is None:
        return Result(check, transport, False, "unreadable")
    ede = "".join(f" ede{code}" for code in sorted(reply.ede))
    return Result(check, transport, judge.passed(check, reply), reply.rcode.lower() + ede)


def _why(error: OSError | TimeoutError) -> str:
    return FAILED_WITHOUT_ANSWER if isinstance(error, TimeoutError) else "refused"
