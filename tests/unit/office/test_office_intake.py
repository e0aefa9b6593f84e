"""What the address of the summaries says to a box, whatever is sent to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy.exc import OperationalError

from admin_ui.office import intake
from admin_ui.office.database import Office
from admin_ui.office.ingest import Gathering
from filterd.evidence.chain import Outcome
from tests.lab.office_school import Clock, enrolled_box
from tests.lab.office_site import Site, signed_in

URL = "/api/v1/summaries"


@pytest.fixture
def site(office: Office) -> Iterator[Site]:
    opened = signed_in(office)
    yield opened
    opened.accounts.close()


def test_taken_known_refused_each_has_its_status(site: Site, office: Office, clock: Clock) -> None:
    box = enrolled_box(office)
    clock.to(date(2026, 11, 2))
    sent = box.day(date(2026, 11, 1))
    first = site.client.post(URL, data=sent)
    assert (first.status_code, first.json) == (201, {"outcome": "accepted"})
    assert site.client.post(URL, data=sent).status_code == 409
    edited = sent.replace(b'\\"revision\\":7', b'\\"revision\\":8')
    answer = site.client.post(URL, data=edited)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["code"] == "signature"
    assert site.client.post(URL, data=b"{}").status_code == 422
    assert site.client.get(URL).status_code == 405
    assert site.client.post(URL, data=b"x" * (intake.LIMIT + 1)).status_code == 413


def test_a_database_that_is_away_is_told_as_later(
    site: Site, office: Office, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A box keeps what is answered with 5xx and sends it again."""
    box = enrolled_box(office)
    clock.to(date(2026, 11, 2))
    sent = box.day(date(2026, 11, 1))

    def locked(_self: Gathering, _envelope: bytes) -> Outcome:
        raise OperationalError("insert", {}, Exception("database is locked"))

    with monkeypatch.context() as patched:
        patched.setattr(Gathering, "take", locked)
        assert site.client.post(URL, data=sent).status_code == 503
    assert site.client.post(URL, data=sent).status_code == 201
