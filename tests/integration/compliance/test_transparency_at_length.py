"""Two thousand questions about what is not filtered: the upstream's own answers come through."""

from __future__ import annotations

import pytest

from tests.conformance import transparency
from tests.lab.running import RunningFilterd

QUESTIONS = 2000


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_nothing_differs_from_the_upstream(signed: int, filterd: RunningFilterd, tcp: bool) -> None:
    compared = transparency.compare(signed, filterd.port, QUESTIONS, tcp)
    assert compared.total == QUESTIONS
    assert not compared.different, (len(compared.different), compared.different[:3])


def test_the_questions_differ_among_themselves() -> None:
    asked = transparency.questions(QUESTIONS)
    assert len({wire[12:] for wire in asked}) > 0.9 * QUESTIONS
