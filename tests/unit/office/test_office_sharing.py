"""Request threads share transactions: who is nearly there is waited for, a lone one never."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from admin_ui.office import ingest
from admin_ui.office.database import Office
from admin_ui.office.ingest import Gathering
from admin_ui.office.keeping import Arrived, Result, keep
from filterd.errors import EvidenceError
from filterd.evidence.chain import Outcome
from tests.lab.office_school import Box, Clock, enrolled_box

N = 12


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many summaries each transaction carried; nobody tires of waiting."""
    found: list[int] = []

    def counted(office: Office, arrived: Sequence[Arrived]) -> list[Result]:
        found.append(len(arrived))
        return keep(office, arrived)

    monkeypatch.setattr(ingest, "keep", counted)
    monkeypatch.setattr(ingest, "LINGER_S", 30.0)
    return found


@pytest.fixture
def boxes(office: Office, clock: Clock) -> list[Box]:
    made = [enrolled_box(office, number) for number in range(1, N + 1)]
    clock.to(date(2026, 11, 2))
    return made


def at_once(gathering: Gathering, sent: list[bytes], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All of them come before the first is verified."""
    here, verified = threading.Barrier(len(sent)), Gathering._verified

    def together(self: Gathering, envelope: bytes) -> Arrived:
        here.wait(30)
        return verified(self, envelope)

    monkeypatch.setattr(Gathering, "_verified", together)

    def take(envelope: bytes) -> str:
        try:
            return gathering.take(envelope)
        except EvidenceError as error:
            return error.code

    with ThreadPoolExecutor(len(sent)) as pool:
        return list(pool.map(take, sent))


def test_what_comes_together_is_one_transaction(
    office: Office, boxes: list[Box], carried: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    gathering = Gathering(office)
    sent = [box.day(date(2026, 11, 1)) for box in boxes]
    assert not gathering.busy()
    assert at_once(gathering, sent, monkeypatch) == [Outcome.ACCEPTED] * N
    assert carried == [N]
    assert gathering.busy()


def test_a_forgery_holds_nobody_up_and_is_carried_by_nobody(
    office: Office, boxes: list[Box], carried: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [box.day(date(2026, 11, 1)) for box in boxes]
    sent[3] = sent[3].replace(b'\\"exposed_s\\":0', b'\\"exposed_s\\":1', 1)
    said = at_once(Gathering(office), sent, monkeypatch)
    assert said.count(Outcome.ACCEPTED) == N - 1 and said[3] == "signature"
    assert carried == [N - 1]


def test_a_lone_one_waits_for_nobody(office: Office, boxes: list[Box], carried: list[int]) -> None:
    gathering, begun = Gathering(office), time.monotonic()
    for box in boxes[:3]:
        assert gathering.take(box.day(date(2026, 11, 1))) is Outcome.ACCEPTED
    assert carried == [1, 1, 1]
    assert time.monotonic() - begun < 30  # what each would have waited for somebody
    assert not gathering.busy()


def test_a_transaction_that_breaks_is_told_to_all_and_the_next_one_works(
    office: Office, boxes: list[Box], monkeypatch: pytest.MonkeyPatch
) -> None:
    gathering, sent = Gathering(office), [box.day(date(2026, 11, 1)) for box in boxes]
    with monkeypatch.context() as away:
        away.setattr(ingest, "LINGER_S", 30.0)
        away.setattr(ingest, "keep", lambda *_: (_ for _ in ()).throw(EvidenceError("x", "away")))
        assert at_once(gathering, sent, away) == ["x"] * N
    assert [gathering.take(each) for each in sent] == [Outcome.ACCEPTED] * N
