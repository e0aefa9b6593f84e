"""The lists that two boxes share: what counts as the same, what travels, what is merged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.gateway import pair_lists
from filterd.gateway.pair import PairError, Version
from filterd.gateway.pair_lists import Piece, Sent, Shelf, merged, shared
from filterd.lists.state import Quarantine, SourceState, State
from filterd.lists.state import Version as Body

ONE, TWO = "1" * 24, "2" * 24
LIST = SourceState(
    checked="2026-11-22T01:00:00+00:00", etag='"a"', due="2026-11-23T01:00:00+00:00",
    versions=(Body(ONE, "2026-11-22T01:00:00+00:00", 9, 90),), current=ONE,
)  # fmt: skip
PIECES = {f"sources/web/{ONE}": Piece(ONE, 90), "local/games.txt": Piece(TWO, 5)}
SHELF = Shelf(PIECES, State({"web": LIST}, switched={"web": True}))


def sent(shelf: Shelf = SHELF, generation: int = 3) -> Sent:
    return Sent(Version(generation, shelf.hash), shelf)


def test_what_was_sent_is_what_comes() -> None:
    assert pair_lists.decode(pair_lists.encode(sent())) == sent()


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({"checked": "2027-01-01T00:00:00+00:00"}, True, id="asked later"),
        pytest.param({"etag": None, "error": "no line", "failures": 4}, True, id="a failed fetch"),
        pytest.param({"approved": ("a.vn",)}, False, id="a protected name was let pass"),
        pytest.param({"refused": (TWO,)}, False, id="a version was refused"),
        pytest.param({"current": TWO}, False, id="another version"),
    ],
)
def test_what_makes_two_boxes_answer_differently(change: dict[str, object], same: bool) -> None:
    other = Shelf(PIECES, State({"web": replace(LIST, **change)}, switched={"web": True}))  # type: ignore[arg-type]
    assert (other.hash == SHELF.hash) is same


@pytest.mark.parametrize(
    "shelf",
    [
        Shelf({**PIECES, "local/games.txt": Piece(ONE, 5)}, SHELF.state),
        Shelf({f"sources/web/{ONE}": Piece(ONE, 90)}, SHELF.state),
        Shelf(PIECES, replace(SHELF.state, switched={"web": False})),
        Shelf(PIECES, replace(SHELF.state, added=({"id": "own"},))),
    ],
    ids=["an own list", "an own list removed", "a list switched off", "a source of the school's"],
)
def test_a_decision_of_the_school_is_a_difference(shelf: Shelf) -> None:
    assert shelf.hash != SHELF.hash


@pytest.mark.parametrize(
    "place",
    ["../filterd.db", "local/../x.txt", "keys/device.key", "sources/web/../../x", "local/A.txt",
     "/etc/passwd", "imported/../state.json", "imported/.hidden", "state.json", ""],
)  # fmt: skip
def test_a_file_elsewhere_is_neither_asked_for_nor_written(place: str) -> None:
    body = json.loads(pair_lists.encode(sent()))
    body["pieces"][place] = [ONE, 1]
    with pytest.raises(PairError):
        pair_lists.decode(json.dumps(body).encode())


def test_a_list_without_its_body_is_refused() -> None:
    body = json.loads(pair_lists.encode(sent(Shelf({}, SHELF.state))))
    with pytest.raises(PairError):
        pair_lists.decode(json.dumps(body).encode())


@settings(max_examples=50, deadline=None)
@given(st.binary() | st.recursive(
    st.none() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["format", "pieces", "state", "sources", "generation", "hash", "web"]),
        inner, max_size=5),
    max_leaves=10,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_octets_are_refused_in_one_way(octets: bytes) -> None:
    with pytest.raises(PairError):
        pair_lists.decode(octets)


def test_the_other_boxes_decisions_are_taken_and_nothing_is_lost() -> None:
    waits = Quarantine(Body(TWO, "2026-11-22T02:00:00+00:00", 1, 1), ("shrank",))
    old = Body("3" * 24, "2026-11-01T00:00:00+00:00", 8, 80)
    mine = State(
        {"web": SourceState(current=old.version, versions=(old,), quarantine=waits, error="x"),
         "only": SourceState(current=TWO, versions=(Body(TWO, "", 1, 1),))},
        switched={"web": False}, digest="abc", names=5,
    )  # fmt: skip
    both = merged(mine, SHELF.state, "/lists/imported")
    web = both.of("web")
    assert (web.current, web.etag, web.error) == (ONE, '"a"', None)
    assert [each.version for each in web.versions] == [ONE, old.version], "the way back stays"
    assert web.quarantine == waits, "another version still waits for a person"
    assert both.of("only").current == TWO, "a list that only this box has stays"
    assert both.switched == {"web": True} and (both.digest, both.names) == ("abc", 5)
    decided = replace(SHELF.state, sources={"web": replace(LIST, refused=(TWO,))})
    assert merged(mine, decided, "").of("web").quarantine is None


def test_only_what_both_boxes_need_travels() -> None:
    web = replace(LIST, error="no line", failures=3)
    given = ({"id": "i", "path": "/a/b"},)
    state = State({"web": web}, imported=given, digest="abc", figures=({},), indexes=({},))
    told = shared(state)
    assert told.of("web") == LIST
    assert (told.imported, told.digest, told.indexes) == (({"id": "i", "path": "b"},), None, ())
