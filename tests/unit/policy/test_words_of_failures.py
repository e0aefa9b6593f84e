"""A broken assertion is told in Vietnamese words, not in the words of the document."""

from __future__ import annotations

import pytest

from filterd.policy.expect import Failure, problem
from filterd.policy.model import Expectation, TierId
from filterd.policy.verdict import Allowed, Origin, Step
from filterd.wire.names import Name


@pytest.mark.parametrize(
    ("wanted", "said"), [("blocked", "phải bị chặn"), ("rewritten", "phải được làm an toàn")]
)
def test_a_broken_assertion_in_vietnamese(wanted: str, said: str) -> None:
    expected = Expectation(Name("azota.vn"), wanted)
    got = Allowed(Origin(Step.FORWARD, ""))
    told = problem(Failure(TierId("primary"), expected, got, "Giờ học"))
    assert told.message_vi == f"azota.vn {said}, nhưng sẽ được mở (Giờ học)"
    assert told.message == f"azota.vn must be {wanted}, would be allowed (Giờ học)"
